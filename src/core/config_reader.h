#pragma once
// The strict reader: a JSON tree into structs, every mistake in one report. Unknown keys, wrong types, numbers outside
// their range or type, strings that are not one of a list, rules between fields: each with its JSON pointer.
#include "core/field.h"
#include "core/mistakes.h"
#include "core/suggest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace steepest {

// A place in the tree, and where to report what is wrong there.
class Spot {
public:
    Spot(std::string pointer, Mistakes& mistakes) : pointer_(std::move(pointer)), mistakes_(&mistakes) {}

    Spot operator/(std::string_view key) const { return {pointer_to(pointer_, key), *mistakes_}; }
    // `below` is a pointer relative to this place.
    void error(std::string message, std::string_view below = {}) const {
        mistakes_->add(pointer_ + std::string(below), std::move(message));
    }
    void expected(std::string_view what, const Json& found) const {
        error("expected " + std::string(what) + ", found " + brief(found));
    }
    const std::string& pointer() const { return pointer_; }
    Mistakes& mistakes() const { return *mistakes_; }

private:
    std::string pointer_;
    Mistakes* mistakes_;
};

// The visitor of one struct's fields.
class Reader {
public:
    // `object` must be an object and outlive the reader.
    Reader(const Json& object, Spot at) : object_(object), at_(std::move(at)) {}

    // A key that is absent leaves `value` at the default its struct gave it.
    template <class T, class... R>
    void operator()(std::string_view key, T& value, std::string_view help, const R&... rules);
    // For a key that is not a field, such as a plugin's "type".
    void allow(std::string_view key) { known_.emplace_back(key); }
    void reject_unknown_keys() const;

private:
    const Json* find(std::string_view key);

    const Json& object_;
    Spot at_;
    std::vector<std::string> known_;
};

namespace detail {

// An integer as JSON: itself, or 1e9 made whole; none where there is no integer, which is reported.
std::optional<Json> whole_number(const Json& json, const Spot& at);
bool expect(bool right_type, std::string_view what, const Json& found, const Spot& at);

template <class T>
bool fits(const Json& number) {
    if constexpr (std::floating_point<T>)
        return std::isfinite(number.get<T>());
    else if (number.is_number_unsigned())
        return std::in_range<T>(number.get<std::uint64_t>());
    else
        return number.is_number_integer() && std::in_range<T>(number.get<std::int64_t>());
}

template <class T>
Json limit(T value) {
    if constexpr (std::same_as<T, float>)
        return json_number(value);
    else
        return value;
}

template <class T>
void read_number(const Json& json, const Spot& at, T& value, const Rules& rules) {
    std::optional<Json> number = json;
    if constexpr (IntegerField<T>)
        number = whole_number(json, at);
    else if (!expect(json.is_number(), "a number", json, at))
        return;
    if (!number) return;
    using Limits = std::numeric_limits<T>;
    if (!fits<T>(*number))  // get<int>() would wrap 5000000000 silently
        return at.error(brief(json) + " is outside " + rules.interval(limit(Limits::lowest()), limit(Limits::max())));
    const T found = number->get<T>();
    if (!rules.contains(found)) return at.error(brief(json) + " is outside " + rules.interval(nullptr, nullptr));
    value = found;
}

template <HasFields T>
void read_struct(const Json& json, const Spot& at, T& value, std::string_view also_allowed = {}) {
    if (!expect(json.is_object(), "an object", json, at)) return;
    const std::size_t before = at.mistakes().count();
    Reader reader(json, at);
    if (!also_allowed.empty()) reader.allow(also_allowed);
    value.fields(reader);
    reader.reject_unknown_keys();
    // Rules between fields would only repeat, in other words, a mistake that a field already has.
    if constexpr (HasCheck<T>)
        if (at.mistakes().count() == before)
            std::as_const(value).check(
                [&](std::string_view below, std::string message) { at.error(std::move(message), below); });
}

template <class T>
void read_value(const Json& json, const Spot& at, T& value, const Rules& rules) {
    if constexpr (CustomField<T>) {
        value.read(&json, at);
    } else if constexpr (HasFields<T>) {
        read_struct(json, at, value);
    } else if constexpr (std::same_as<T, bool>) {
        if (expect(json.is_boolean(), "true or false", json, at)) value = json.get<bool>();
    } else if constexpr (std::is_arithmetic_v<T>) {
        read_number(json, at, value, rules);
    } else if constexpr (std::same_as<T, std::string>) {
        if (!expect(json.is_string(), "a string", json, at)) return;
        value = json.get<std::string>();
        if (!rules.one_of.empty() && std::ranges::find(rules.one_of, value) == rules.one_of.end())
            at.error(not_one_of(value, rules.one_of));
    } else if constexpr (OptionalField<T>) {
        value.reset();
        if (!json.is_null()) read_value(json, at, value.emplace(), rules);
    } else if constexpr (ListField<T>) {
        if (!expect(json.is_array(), "a list", json, at)) return;
        value.clear();
        for (std::size_t i = 0; i < json.size(); ++i) {
            typename T::value_type element{};
            read_value(json[i], at / std::to_string(i), element, rules);
            value.push_back(std::move(element));
        }
    } else {
        static_assert(MapField<T>, "field.h lists the types a field may have");
        if (!expect(json.is_object(), "an object", json, at)) return;
        value.clear();
        for (const auto& [key, entry] : json.items()) read_value(entry, at / key, value[key], rules);
    }
}

}  // namespace detail

template <class T, class... R>
void Reader::operator()(std::string_view key, T& value, std::string_view /*help*/, const R&... rules) {
    const Rules all = combine(rules...);
    const Spot at = at_ / key;
    if (const Json* json = find(key))
        detail::read_value(*json, at, value, all);
    else if (all.required)
        at.error("missing");
    else if constexpr (CustomField<T>)
        value.read(nullptr, at);
    else if constexpr (HasFields<T>)  // what it requires is missing too, and its own rules hold for its defaults
        detail::read_struct(Json::object(), at, value);
}

}  // namespace steepest
