#pragma once
// What an options struct says of itself. It lists each field once,
//
//     void fields(auto& f) { f("layers", layers, "transformer blocks, L", Range<int>{1, 1000}); }
//
// and the reader, the writer, the JSON Schema and the table of presets are all visitors `f` of that one list. Rules
// between fields go into `void check(auto&& error) const`, which calls error("/pointer/from/this/struct", message). A
// field is bool, an integer, float, double, std::string, a struct with fields(), std::optional, std::vector or
// std::map<std::string, ...> of those, a PluginConfig (registry.h), or any class that satisfies CustomField below.
// The keys "base", "type" and "$schema" belong to merging, to plugins and to editors.
#include "core/json.h"

#include <concepts>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace steepest {

// A field's rules with their types erased: the sum of the rule arguments of one f(...) call.
struct Rules {
    std::optional<Json> low, high;
    bool open_low = false, open_high = false;
    std::vector<std::string> one_of;
    std::string preset_folder;
    bool required = false;

    template <class T>
    bool contains(T value) const {
        if (low && (open_low ? value <= low->get<T>() : value < low->get<T>())) return false;
        return !high || (open_high ? value < high->get<T>() : value <= high->get<T>());
    }
    // "[0, 10)"; a missing end is the `least` or `most` that the type holds, or infinite where those are null.
    std::string interval(const Json& least, const Json& most) const;
};

// The numbers allowed, ends included unless they are open: Range<int>{1, 1000}, Range<float>{.low = 0, .open_low =
// true}. For a list, an optional or a map it holds for each number in it.
template <class T>
struct Range {
    std::optional<T> low = {}, high = {};
    bool open_low = false, open_high = false;

    void add_to(Rules& rules) const {
        if (low) rules.low = number(*low);
        if (high) rules.high = number(*high);
        rules.open_low = open_low, rules.open_high = open_high;
    }

private:
    static Json number(T value) {
        if constexpr (std::same_as<T, float>)
            return json_number(value);
        else
            return value;
    }
};

// The strings allowed: OneOf{"fp32", "tf32", "bf16"}.
struct OneOf {
    OneOf(std::initializer_list<std::string> list) : names(list) {}
    explicit OneOf(std::vector<std::string> list) : names(std::move(list)) {}
    void add_to(Rules& rules) const { rules.one_of = names; }

    std::vector<std::string> names;
};

// Where this object is expected, a string names a file of this folder of presets: "optimizer": "muon-mvr2" stands for
// optimizers/muon-mvr2.json.
struct Preset {
    std::string folder;
    void add_to(Rules& rules) const { rules.preset_folder = folder; }
};

// The key must be there: the default in the struct has no meaning.
struct Required {
    void add_to(Rules& rules) const { rules.required = true; }
};

template <class... R>
Rules combine(const R&... rules) {
    Rules all;
    (rules.add_to(all), ...);
    return all;
}

struct NoOptions {
    void fields(auto&) {}
};

// --- What kind of field a type is
// ---------------------------------------------------------------------------------------

class Spot;           // config_reader.h: a place in the tree that can be wrong
class Definitions;    // config_schema.h: the $defs of a schema
class PresetVisitor;  // presets.h

// A type that reads and writes itself. read() gets nullptr where the key is absent.
template <class T>
concept CustomField = requires(T& value, const T& constant, const Json* json, const Spot& at, Definitions& definitions,
                               PresetVisitor& presets) {
    value.read(json, at);
    { constant.write() } -> std::convertible_to<Json>;
    { constant.schema(definitions) } -> std::convertible_to<Json>;
    constant.visit_presets(presets);
};

namespace detail {
struct AnyVisitor {
    void operator()(auto&&...) {}
};
template <class T>
struct OptionalOf : std::false_type {};
template <class T>
struct OptionalOf<std::optional<T>> : std::true_type {};
template <class T>
struct VectorOf : std::false_type {};
template <class T>
struct VectorOf<std::vector<T>> : std::true_type {};
template <class T>
struct MapOf : std::false_type {};
template <class T>
struct MapOf<std::map<std::string, T>> : std::true_type {};
}  // namespace detail

template <class T>
concept HasFields = requires(T& value, detail::AnyVisitor& visitor) {
    value.fields(visitor);
};
template <class T>
concept HasCheck = requires(const T& value, detail::AnyVisitor& error) {
    value.check(error);
};
template <class T>
concept OptionalField = detail::OptionalOf<T>::value;
template <class T>
concept ListField = detail::VectorOf<T>::value;
template <class T>
concept MapField = detail::MapOf<T>::value;
template <class T>
concept IntegerField = std::integral<T> && !std::same_as<T, bool>;

}  // namespace steepest
