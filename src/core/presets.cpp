#include "core/presets.h"

#include "core/build_config.h"
#include "core/error.h"
#include "core/file.h"
#include "core/suggest.h"

#include <algorithm>
#include <cstdlib>

namespace steepest {

namespace fs = std::filesystem;

namespace {

bool is_file(const fs::path& path) {
    std::error_code none;
    return fs::exists(path, none) && !fs::is_directory(path, none);
}

std::vector<std::string> segments(std::string_view pointer) {
    std::vector<std::string> out;
    for (const char c : pointer) {
        if (c == '/')
            out.emplace_back();
        else
            out.back() += c;
    }
    return out;
}

bool matches(std::string_view pattern, std::string_view pointer) {
    return std::ranges::equal(segments(pattern), segments(pointer),
                              [](const std::string& a, const std::string& b) { return a == "*" || a == b; });
}

// name -> path, for all of `folder` below the roots; of equal names the first.
std::map<std::string, fs::path> presets_in(const std::string& folder, const std::vector<fs::path>& roots) {
    std::map<std::string, fs::path> found;
    for (const fs::path& root : roots) {
        std::error_code none;
        for (const fs::directory_entry& entry : fs::directory_iterator(root / folder, none))
            if (entry.path().extension() == ".json" && is_file(entry.path()))
                found.emplace(entry.path().stem().string(),
                              (root / folder / entry.path().filename()).lexically_normal());
    }
    return found;
}

std::string looked_in(const std::vector<fs::path>& roots, const std::string& folder) {
    std::string text;
    for (const fs::path& root : roots) text += "\n  looked in " + (root / folder).lexically_normal().string();
    return text;
}

std::string described(const std::string& path) {
    try {
        const Json json = parse_json(read_file(path), path);
        const auto found = json.is_object() ? json.find("description") : json.end();
        return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    } catch (const InputError& error) {
        return std::string("cannot be read: ") + error.what();
    }
}

}  // namespace

std::string preset_folder(const PresetTable& table, const std::string& pointer) {
    for (const auto& [pattern, folder] : table)
        if (matches(pattern, pointer)) return folder;
    return pointer.empty() ? "experiments" : "";
}

std::vector<fs::path> config_roots(const fs::path& near) {
    const fs::path here = near.empty() ? "." : near;
    std::vector<fs::path> candidates{here, here / "..", "configs"};
    if (const char* paths = std::getenv("STEEPEST_CONFIGS")) {
        std::string_view rest = paths;
        while (!rest.empty()) {
            const std::string_view path = rest.substr(0, rest.find(':'));
            if (!path.empty()) candidates.emplace_back(path);
            rest.remove_prefix(std::min(path.size() + 1, rest.size()));
        }
    }
    candidates.push_back(fs::path(kSourceDir) / "configs");
    candidates.emplace_back(kInstalledConfigs);
    std::error_code none;
    const fs::path executable = fs::read_symlink("/proc/self/exe", none);
    if (!executable.empty()) candidates.push_back(executable.parent_path() / "../share/steepest/configs");

    std::vector<fs::path> roots;
    std::set<fs::path> seen;
    for (const fs::path& path : candidates)
        if (fs::is_directory(path, none) && seen.insert(fs::weakly_canonical(path, none)).second)
            roots.push_back(path.lexically_normal());
    return roots;
}

fs::path find_preset(const std::string& folder, const std::string& name, const fs::path& near,
                     const std::string& where) {
    std::vector<fs::path> roots = config_roots(near);
    const std::map<std::string, fs::path> all = presets_in(folder, roots);
    if (const auto found = all.find(name); found != all.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [other, path] : all) names.push_back(other);
    throw InputError(where + ": no preset \"" + name + "\" in " + folder + did_you_mean(name, names) +
                     looked_in(roots, folder));
}

fs::path find_config_file(const std::string& path, const fs::path& near, const std::string& where) {
    std::vector<fs::path> roots = config_roots(near);
    roots.insert(roots.begin(), near.empty() ? "." : near);
    for (const fs::path& root : roots)
        for (const char* suffix : {"", ".json"})
            if (const fs::path file = root / (path + suffix); is_file(file)) return file.lexically_normal();
    if (fs::path(path).is_absolute()) throw InputError(where + ": no file \"" + path + "\"");
    roots.erase(roots.begin());
    throw InputError(where + ": no file \"" + path + "\"" + looked_in(roots, ""));
}

std::vector<PresetInfo> list_presets(const std::string& folder) {
    std::vector<PresetInfo> list;
    for (const auto& [name, path] : presets_in(folder, config_roots(".")))
        list.push_back({name, path.string(), described(path.string())});
    return list;
}

}  // namespace steepest
