#include "core/registry.h"

#include <cstdlib>
#include <cxxabi.h>

namespace steepest::detail {

std::string kind_name(const std::type_info& interface) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> demangled(
        abi::__cxa_demangle(interface.name(), nullptr, nullptr, &status), &std::free);
    const std::string name = status == 0 ? demangled.get() : interface.name();
    const std::size_t scope = name.rfind("::");
    return scope == name.npos ? name : name.substr(scope + 2);
}

Json over_defaults(Json defaults, const Json& object) {
    defaults.update(object);
    return defaults;
}

Json plugin_schema(const std::vector<PluginVariant>& variants) {
    Json names{{"description", "a type with all its options at their defaults"}, {"enum", Json::array()}};
    Json one_of = Json::array();
    for (const PluginVariant& variant : variants) {
        names["enum"].push_back(variant.name);
        Json properties{{"type", {{"const", variant.name}}}};
        properties.update(variant.schema.at("properties"));
        Json object{{"description", variant.help}, {"type", "object"}};
        object["properties"] = std::move(properties);
        object["required"] = Json::array({"type"});
        object["additionalProperties"] = false;
        one_of.push_back(std::move(object));
    }
    one_of.insert(one_of.begin(), std::move(names));
    return {{"oneOf", std::move(one_of)}};
}

Json plugin_field_schema(Json reference, const Json& default_value) {
    if (default_value.is_null()) return reference;
    // Options without "type" are of the default's type; which they are is left to the reader.
    Json untyped{{"type", "object"}, {"not", {{"required", Json::array({"type"})}}}};
    return {{"anyOf", Json::array({std::move(reference), std::move(untyped)})}, {"default", default_value}};
}

}  // namespace steepest::detail
