#pragma once
// The writer: a struct into a JSON tree with every default written out, in the order of declaration. Reading it gives
// the same struct, bit for bit.
#include "core/field.h"

namespace steepest {

class Writer {
public:
    template <class T, class... R>
    void operator()(std::string_view key, T& value, std::string_view help, const R&... rules);

    Json json = Json::object();
};

namespace detail {

// A number that JSON can hold; std::logic_error for infinities and NaN, which no reader would have let in.
Json finite(double value, Json json);

template <class T>
Json write_value(T& value) {
    if constexpr (CustomField<T>) {
        return value.write();
    } else if constexpr (HasFields<T>) {
        Writer writer;
        value.fields(writer);
        return std::move(writer.json);
    } else if constexpr (std::same_as<T, float>) {
        return finite(value, json_number(value));
    } else if constexpr (std::same_as<T, double>) {
        return finite(value, value);
    } else if constexpr (std::is_arithmetic_v<T> || std::same_as<T, std::string>) {
        return value;
    } else if constexpr (OptionalField<T>) {
        return value ? write_value(*value) : Json(nullptr);
    } else if constexpr (ListField<T>) {
        Json list = Json::array();
        for (typename T::value_type element : value) list.push_back(write_value(element));
        return list;
    } else {
        static_assert(MapField<T>, "field.h lists the types a field may have");
        Json object = Json::object();
        for (auto& [key, entry] : value) object[key] = write_value(entry);
        return object;
    }
}

}  // namespace detail

template <class T, class... R>
void Writer::operator()(std::string_view key, T& value, std::string_view /*help*/, const R&...) {
    json[std::string(key)] = detail::write_value(value);
}

// By value: fields() hands out references, and writing must not touch the original.
template <HasFields T>
Json write_config(T value) {
    return detail::write_value(value);
}

}  // namespace steepest
