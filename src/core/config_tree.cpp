#include "core/config_tree.h"

#include "core/error.h"
#include "core/file.h"

#include <algorithm>

namespace steepest {

namespace fs = std::filesystem;

namespace {

// A tree, or the part of one that stands at some pointer, with its bases and presets merged in.
struct Layer {
    Json json;
    std::map<std::string, std::string> origins;  // by pointer from the root of the config
    std::set<std::string> fresh;                 // objects that start from a base of their own: they replace
};

// Where text comes from, for error texts and for the search of bases.
struct Source {
    std::string name;   // the file, or "--set a=b"
    fs::path folder;    // paths in it are relative to this
    fs::path near;      // presets are searched from here
    std::string mount;  // where in the config it stands
    const std::map<std::string, int>* lines = nullptr;

    std::string place(const std::string& pointer) const {
        if (lines)
            if (const auto line = lines->find(pointer.substr(mount.size())); line != lines->end())
                return name + ":" + std::to_string(line->second);
        return name;
    }
};

bool is_at_or_under(std::string_view pointer, std::string_view top) {
    return pointer.starts_with(top) && (pointer.size() == top.size() || pointer[top.size()] == '/');
}

void forget(Layer& layer, const std::string& top) {
    std::erase_if(layer.origins, [&](const auto& entry) { return is_at_or_under(entry.first, top); });
    std::erase_if(layer.fresh, [&](const std::string& pointer) { return is_at_or_under(pointer, top); });
}

void adopt(Layer& layer, const Layer& from, const std::string& top) {
    for (const auto& [pointer, origin] : from.origins)
        if (is_at_or_under(pointer, top)) layer.origins[pointer] = origin;
    for (const std::string& pointer : from.fresh)
        if (is_at_or_under(pointer, top)) layer.fresh.insert(pointer);
}

const std::string* type_of(const Json& object) {
    const auto type = object.find("type");
    return type != object.end() && type->is_string() ? &type->get_ref<const std::string&>() : nullptr;
}

bool merges(const Json& target, const Json& patch) {
    if (target.is_string()) return !patch.contains("type");
    if (!target.is_object()) return false;
    const std::string *before = type_of(target), *after = type_of(patch);
    return !before || !after || *before == *after;
}

// `target` is the part of `under` at `pointer`, `patch` the part of `over`.
void overlay(Layer& under, Json& target, const Layer& over, const Json& patch, const std::string& pointer) {
    if (!patch.is_object() || over.fresh.contains(pointer) || !merges(target, patch)) {
        target = patch;
        forget(under, pointer);
        adopt(under, over, pointer);
        return;
    }
    if (target.is_string()) target = Json{{"type", target}};
    for (const auto& [key, value] : patch.items()) {
        const std::string child = pointer_to(pointer, key);
        const auto found = target.find(key);
        if (found == target.end()) {
            target[key] = value;
            adopt(under, over, child);
        } else if (value.is_null()) {
            target.erase(found);
            forget(under, child);
        } else {
            overlay(under, *found, over, value, child);
        }
    }
}

class Loader {
public:
    explicit Loader(const PresetTable& presets) : presets_(presets) {}

    Layer load_file(const fs::path& path, const std::string& mount) {
        std::error_code none;
        const fs::path same = fs::weakly_canonical(path, none);
        const auto open = std::ranges::find(open_, same, &Open::canonical);
        if (open != open_.end()) {
            std::string chain;
            for (auto file = open; file != open_.end(); ++file) chain += file->name + " -> ";
            throw InputError("configs that are their own base: " + chain + path.string());
        }
        open_.push_back({same, path.string()});
        Layer layer = load_text(read_file(path.string()), path, mount);
        open_.pop_back();
        return layer;
    }

    Layer load_text(std::string_view text, const fs::path& path, const std::string& mount) {
        ScannedJson scanned = scan_json(text, path.string());
        if (!scanned.json.is_object() && !(scanned.json.is_string() && !mount.empty()))
            throw InputError(path.string() + ": expected an object, found " + brief(scanned.json));
        mistakes_.add_all(scanned.duplicates, mount);
        const fs::path folder = path.parent_path();
        return resolve(scanned.json, {path.string(), folder, folder, mount, &scanned.lines}, mount);
    }

    // Merges bases and presets into `raw`, which stands at `pointer` and was written in `source`.
    Layer resolve(const Json& raw, const Source& source, const std::string& pointer) {
        Layer layer;
        if (raw.is_string() && !pointer.empty() && !preset_folder(presets_, pointer).empty()) {
            layer = load_base(raw, source, pointer, source.place(pointer) + ": " + pointer);
            layer.fresh.insert(pointer);
        } else if (raw.is_object()) {
            layer = resolve_object(raw, source, pointer);
        } else if (raw.is_array()) {
            layer.json = Json::array();
            for (std::size_t i = 0; i < raw.size(); ++i) {
                const std::string child = pointer_to(pointer, std::to_string(i));
                const Layer element = resolve(raw[i], source, child);
                layer.json.push_back(element.json);
                adopt(layer, element, child);
            }
        } else {
            layer.json = raw;
        }
        layer.origins[pointer] = source.place(pointer);
        return layer;
    }

    Mistakes& mistakes() { return mistakes_; }

private:
    struct Open {
        fs::path canonical;
        std::string name;
    };

    Layer resolve_object(const Json& raw, const Source& source, const std::string& pointer) {
        Layer layer, own;
        layer.json = own.json = Json::object();
        for (const auto& [key, value] : raw.items()) {
            const std::string child = pointer_to(pointer, key);
            if (key == "base") {
                const std::string where = source.place(child) + ": " + child;
                const Json list = value.is_array() ? value : Json::array({value});
                for (const Json& name : list) {
                    const Layer base = load_base(name, source, pointer, where);
                    overlay(layer, layer.json, base, base.json, pointer);
                }
                if (pointer != source.mount) layer.fresh.insert(pointer);
            } else if (key != "$schema" || pointer != source.mount) {
                Layer part = resolve(value, source, child);
                own.json[key] = std::move(part.json);
                own.origins.merge(part.origins);
                own.fresh.merge(part.fresh);
            }
        }
        overlay(layer, layer.json, own, own.json, pointer);
        return layer;
    }

    Layer load_base(const Json& name, const Source& source, const std::string& pointer, const std::string& where) {
        if (!name.is_string()) throw InputError(where + ": expected a file's name, found " + brief(name));
        const std::string text = name.get<std::string>();
        const std::string folder = preset_folder(presets_, pointer);
        if (text.find('/') != text.npos || text.ends_with(".json"))
            return load_file(find_config_file(text, source.folder, where), pointer);
        std::error_code none;
        const fs::path beside = (source.folder / (text + ".json")).lexically_normal();
        if ((pointer.empty() || folder.empty()) && fs::is_regular_file(beside, none)) return load_file(beside, pointer);
        if (folder.empty()) throw InputError(where + ": no file \"" + beside.string() + "\"");
        return load_file(find_preset(folder, text, source.near, where), pointer);
    }

    const PresetTable& presets_;
    std::vector<Open> open_;
    Mistakes mistakes_;
};

// The keys of "a.b" or "/a/b".
std::vector<std::string> keys_of(const std::string& path, const std::string& option) {
    const char separator = path.starts_with('/') ? '/' : '.';
    std::vector<std::string> keys;
    std::string_view rest = path;
    if (separator == '/') rest.remove_prefix(1);
    while (true) {
        const std::string_view part = rest.substr(0, rest.find(separator));
        std::string key;
        for (std::size_t i = 0; i < part.size(); ++i) {
            const bool escape = separator == '/' && part[i] == '~' && i + 1 < part.size();
            key += escape && part[i + 1] == '0' ? '~' : escape && part[i + 1] == '1' ? '/' : part[i];
            if (escape && (part[i + 1] == '0' || part[i + 1] == '1')) ++i;
        }
        if (key.empty()) throw InputError(option + ": a key is empty");
        keys.push_back(std::move(key));
        if (part.size() == rest.size()) return keys;
        rest.remove_prefix(part.size() + 1);
    }
}

Json value_of(const std::string& text, const std::string& option, Mistakes& mistakes, const std::string& pointer) {
    try {
        ScannedJson scanned = scan_json(text, option);
        mistakes.add_all(scanned.duplicates, pointer);
        return std::move(scanned.json);
    } catch (const InputError&) {  // not JSON, so a string
        return text;
    }
}

void apply_set(Loader& loader, Layer& config, const std::string& set, const fs::path& near) {
    const std::string option = "--set " + set;
    const std::size_t equals = set.find('=');
    if (!is_utf8(set)) throw InputError(option + ": is not UTF-8");
    if (equals == set.npos || equals == 0) throw InputError(option + ": expected key=value");
    const std::vector<std::string> keys = keys_of(set.substr(0, equals), option);
    std::string pointer;
    for (const std::string& key : keys) pointer = pointer_to(pointer, key);
    Json patch = value_of(set.substr(equals + 1), option, loader.mistakes(), pointer);
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) patch = Json{{*key, std::move(patch)}};
    const Layer layer = loader.resolve(patch, {option, "", near, "", nullptr}, "");
    overlay(config, config.json, layer, layer.json, "");
}

ConfigTree finish(Loader& loader, Layer layer, const std::string& source, std::span<const std::string> sets) {
    for (const std::string& set : sets) apply_set(loader, layer, set, fs::path(source).parent_path());
    return {std::move(layer.json), source, std::move(layer.origins), std::move(loader.mistakes())};
}

}  // namespace

ConfigTree load_config(const std::string& path_or_name, std::span<const std::string> sets, const PresetTable& presets) {
    fs::path path = path_or_name;
    std::error_code none;
    if (!fs::exists(path, none)) {
        const std::string where = "\"" + path_or_name + "\" is not a file";
        const bool is_path = path.has_parent_path() || path.extension() == ".json";
        path = is_path ? find_config_file(path_or_name, "", where)
                       : find_preset(preset_folder(presets, ""), path_or_name, "", where);
    }
    Loader loader(presets);
    Layer layer = loader.load_file(path, "");
    return finish(loader, std::move(layer), path.string(), sets);
}

ConfigTree parse_config(std::string_view text, const std::string& name, std::span<const std::string> sets,
                        const PresetTable& presets) {
    Loader loader(presets);
    Layer layer = loader.load_text(text, name, "");
    return finish(loader, std::move(layer), name, sets);
}

}  // namespace steepest
