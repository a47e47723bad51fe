#pragma once
// Files into one JSON tree: parsing, "base", presets, --set. What the tree means is the reader's business, so a
// misspelt key passes here and is reported there, by pointer.
//
// Merging, from low to high: the bases in their order, the object's own keys, each --set in its order.
//   objects     merge by key; null removes a key that is there
//   all else    is replaced: lists, numbers, strings
//   "type"      a patch that changes it replaces the object; an object without one over a plugin's short form "x" is
//               merged over {"type": "x"}
//   presets     a preset's name, or an object with its own "base", starts from that base and replaces what was there
#include "core/mistakes.h"
#include "core/presets.h"

#include <span>

namespace steepest {

struct ConfigTree {
    Json json = Json::object();
    std::string source;                          // the file, as error texts name it
    std::map<std::string, std::string> origins;  // pointer -> "file:line" or "--set a.b=c" of what stands there
    Mistakes mistakes;                           // duplicate keys: the reader reports them with its own
};

// `path_or_name`: a file, or the name of a preset for the whole config ("experiments"). `sets`: "a.b=c" or "/a/b=c";
// the value is JSON if it parses as JSON, else a string. Throws InputError at the
// first file that is missing or no JSON.
ConfigTree load_config(const std::string& path_or_name, std::span<const std::string> sets, const PresetTable& presets);
// The same from text, as if it stood in a file of this name: its folder is where bases are searched.
ConfigTree parse_config(std::string_view text, const std::string& name, std::span<const std::string> sets,
                        const PresetTable& presets);

}  // namespace steepest
