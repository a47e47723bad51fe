#include "core/config_schema.h"

namespace steepest {

namespace {

Json base_schema() {
    return {{"description", "a config file, or a list of them, that this object is merged over"},
            {"anyOf", Json::array({{{"type", "string"}}, {{"type", "array"}, {"items", {{"type", "string"}}}}})}};
}

}  // namespace

Json Definitions::reference(const std::string& name, const std::function<Json()>& make) {
    if (!all_.contains(name)) {
        all_[name] = nullptr;  // taken, so that a definition inside itself refers to itself
        Json made = make();
        all_[name] = std::move(made);
    }
    return Json{{"$ref", "#/$defs/" + name}};
}

void SchemaWriter::add(std::string_view key, std::string_view help, const Rules& rules, Json schema) {
    Json property{{"description", help}};
    if (rules.preset_folder.empty()) {
        property.update(schema);
    } else {
        Json name{{"type", "string"}, {"description", "a preset of " + rules.preset_folder}};
        property["anyOf"] = Json::array({std::move(name), std::move(schema)});
    }
    properties_[std::string(key)] = std::move(property);
}

Json SchemaWriter::finish() && {
    properties_["base"] = base_schema();
    return {{"type", "object"}, {"properties", std::move(properties_)}, {"additionalProperties", false}};
}

namespace detail {

Json number_schema(bool integer, bool is_unsigned, const Rules& rules) {
    Json schema{{"type", integer ? "integer" : "number"}};
    if (rules.low)
        schema[rules.open_low ? "exclusiveMinimum" : "minimum"] = *rules.low;
    else if (is_unsigned)
        schema["minimum"] = 0;
    if (rules.high) schema[rules.open_high ? "exclusiveMaximum" : "maximum"] = *rules.high;
    return schema;
}

Json string_schema(const Rules& rules) {
    Json schema{{"type", "string"}};
    if (!rules.one_of.empty()) schema["enum"] = rules.one_of;
    return schema;
}

Json nullable(Json schema) { return {{"anyOf", Json::array({std::move(schema), {{"type", "null"}}})}}; }

Json root_schema(Json schema, const Definitions& definitions, std::string_view title) {
    Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
    root.update(schema);
    root["properties"]["$schema"] = {{"description", "where an editor finds this schema"}, {"type", "string"}};
    if (!definitions.all().empty()) root["$defs"] = definitions.all();
    return root;
}

}  // namespace detail

}  // namespace steepest
