#pragma once
// Presets: config files found by name. Which places of a config take which folder's presets, where they are searched,
// and what there is.
#include "core/field.h"

#include <filesystem>
#include <set>

namespace steepest {

// JSON pointer -> folder of presets, e.g. "/model" -> "models". A "*" in a pointer stands for any one key. The empty
// pointer is the whole config, which has the presets of "experiments" unless the table says otherwise.
using PresetTable = std::map<std::string, std::string>;

std::string preset_folder(const PresetTable& table, const std::string& pointer);  // empty: none fits here

// The visitor that collects the table from a struct's fields.
class PresetVisitor {
public:
    explicit PresetVisitor(std::string pointer, PresetTable& table, std::set<std::string>& seen)
        : pointer_(std::move(pointer)), table_(table), seen_(seen) {}

    template <class T, class... R>
    void operator()(std::string_view key, T& value, std::string_view help, const R&... rules);
    // True the first time at one place: plugins may nest in themselves without end.
    bool enter(const std::string& kind) { return seen_.insert(kind).second; }
    void leave(const std::string& kind) { seen_.erase(kind); }

private:
    template <class T>
    void visit(T& value);

    std::string pointer_;
    PresetTable& table_;
    std::set<std::string>& seen_;
};

template <class T>
void PresetVisitor::visit(T& value) {
    if constexpr (CustomField<T>) {
        value.visit_presets(*this);
    } else if constexpr (HasFields<T>) {
        value.fields(*this);
    } else if constexpr (OptionalField<T>) {
        typename T::value_type inner{};
        visit(inner);
    } else if constexpr (MapField<T>) {
        typename T::mapped_type entry{};
        PresetVisitor(pointer_ + "/*", table_, seen_).visit(entry);
    }
}

template <class T, class... R>
void PresetVisitor::operator()(std::string_view key, T& value, std::string_view /*help*/, const R&... rules) {
    const std::string child = pointer_to(pointer_, key);
    if constexpr ((std::same_as<R, Preset> || ...)) {
        static_assert(!CustomField<T>, "a string at a plugin is its type, so a plugin cannot have presets");
        table_[child] = combine(rules...).preset_folder;
    }
    PresetVisitor(child, table_, seen_).visit(value);
}

template <HasFields T>
PresetTable preset_table() {
    PresetTable table;
    std::set<std::string> seen;
    T value{};
    PresetVisitor visitor("", table, seen);
    value.fields(visitor);
    return table;
}

// Folders that may hold folders of presets, best first: `near` (the folder of the file that names the preset), its
// parent,
// ./configs, each of $STEEPEST_CONFIGS (separated by colons), the source tree, the install prefix, and the share folder
// beside the executable, so that an install that was moved still finds its own.
std::vector<std::filesystem::path> config_roots(const std::filesystem::path& near);

// The file of a preset. Where there is none: InputError that begins with `where`, lists where was looked, and suggests.
std::filesystem::path find_preset(const std::string& folder, const std::string& name, const std::filesystem::path& near,
                                  const std::string& where);

// The file of a "base" that is a path, with or without .json: from `near`, or from one of the roots.
std::filesystem::path find_config_file(const std::string& path, const std::filesystem::path& near,
                                       const std::string& where);

struct PresetInfo {
    std::string name;  // the file's name without .json
    std::string path;
    std::string description;  // its "description", if it has one; why it cannot be read, if it cannot
};
// All that can be named from the current folder, by name; the first found of equal names.
std::vector<PresetInfo> list_presets(const std::string& folder);

}  // namespace steepest
