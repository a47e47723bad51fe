#pragma once
// Strict configuration: the whole of it in one include. field.h says how a struct declares its fields, registry.h how a
// plugin is one of them, config_tree.h how files merge.
//
//     const auto run = load_config<RunConfig>("configs/experiments/nano.json", sets);   // or throws, with all mistakes
//     std::cout << write_config(run).dump(2);
#include "core/config_reader.h"
#include "core/config_schema.h"
#include "core/config_tree.h"
#include "core/config_writer.h"
#include "core/error.h"

namespace steepest {

// Throws one InputError with all mistakes.
template <HasFields T>
T read_config(const ConfigTree& tree) {
    T value{};
    Mistakes mistakes = tree.mistakes;
    detail::read_struct(tree.json, Spot("", mistakes), value);
    mistakes.report(tree.source, tree.origins);
    return value;
}

template <HasFields T>
T read_config(const Json& json, const std::string& source) {
    return read_config<T>(ConfigTree{.json = json, .source = source, .origins = {}, .mistakes = {}});
}

template <HasFields T>
T load_config(const std::string& path_or_name, std::span<const std::string> sets = {}) {
    return read_config<T>(load_config(path_or_name, sets, preset_table<T>()));
}

}  // namespace steepest
