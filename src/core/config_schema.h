#pragma once
// JSON Schema (draft 2020-12) of an options struct, so that an editor completes keys, shows help and underlines
// mistakes. It accepts what the loader accepts: "base" in every object, preset names where a preset fits, null to drop
// a group.
#include "core/config_writer.h"

#include <functional>

namespace steepest {

// The $defs of a schema: what occurs at several places, or inside itself, is written once.
class Definitions {
public:
    // {"$ref": ...} to the definition of this name, which `make` writes at the first call.
    Json reference(const std::string& name, const std::function<Json()>& make);
    const Json& all() const { return all_; }

private:
    Json all_ = Json::object();
};

// The visitor of one struct's fields.
class SchemaWriter {
public:
    explicit SchemaWriter(Definitions& definitions) : definitions_(definitions) {}

    template <class T, class... R>
    void operator()(std::string_view key, T& value, std::string_view help, const R&... rules);
    // An object with these properties and no others.
    Json finish() &&;

private:
    void add(std::string_view key, std::string_view help, const Rules& rules, Json schema);

    Definitions& definitions_;
    Json properties_ = Json::object();
};

namespace detail {

Json number_schema(bool integer, bool is_unsigned, const Rules& rules);
Json string_schema(const Rules& rules);
Json nullable(Json schema);

template <HasFields T>
Json struct_schema(T& value, Definitions& definitions) {
    SchemaWriter writer(definitions);
    value.fields(writer);
    return std::move(writer).finish();
}

template <class T>
Json value_schema(T& value, const Rules& rules, Definitions& definitions) {
    if constexpr (CustomField<T>) {
        return value.schema(definitions);
    } else if constexpr (HasFields<T>) {
        return struct_schema(value, definitions);
    } else if constexpr (std::same_as<T, bool>) {
        return Json{{"type", "boolean"}};
    } else if constexpr (std::is_arithmetic_v<T>) {
        return number_schema(std::integral<T>, std::is_unsigned_v<T>, rules);
    } else if constexpr (std::same_as<T, std::string>) {
        return string_schema(rules);
    } else if constexpr (OptionalField<T>) {
        typename T::value_type inner{};
        return nullable(value_schema(inner, rules, definitions));
    } else if constexpr (ListField<T>) {
        typename T::value_type element{};
        return Json{{"type", "array"}, {"items", value_schema(element, rules, definitions)}};
    } else {
        static_assert(MapField<T>, "field.h lists the types a field may have");
        typename T::mapped_type entry{};
        Json each = nullable(value_schema(entry, rules, definitions));  // null drops an entry that a base has
        return Json{{"type", "object"}, {"additionalProperties", std::move(each)}};
    }
}

Json root_schema(Json schema, const Definitions& definitions, std::string_view title);

}  // namespace detail

template <class T, class... R>
void SchemaWriter::operator()(std::string_view key, T& value, std::string_view help, const R&... rules) {
    const Rules all = combine(rules...);
    Json schema = detail::value_schema(value, all, definitions_);
    if constexpr (!HasFields<T> && !CustomField<T>)  // a struct's defaults stand at its own fields
        if (!all.required) schema["default"] = detail::write_value(value);
    add(key, help, all, std::move(schema));
}

template <HasFields T>
Json schema_of(std::string_view title) {
    Definitions definitions;
    T value{};
    Json schema = detail::struct_schema(value, definitions);
    return detail::root_schema(std::move(schema), definitions, title);
}

}  // namespace steepest
