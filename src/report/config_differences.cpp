// Which keys of the resolved configs differ between runs.
#include "report/arm_key.h"
#include "report/compare.h"
#include "report/table.h"

#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <set>

namespace steepest::report {

namespace {

constexpr std::size_t kMostColumns = 6;
constexpr int kMostWidth = 24;
constexpr const char* kAbsent = "-";

// "/optimizer/groups/matrices" -> "optimizer.groups.matrices", as --set takes it.
std::string dotted(std::string_view pointer) {
    std::string key(pointer.substr(pointer.empty() ? 0 : 1));
    std::ranges::replace(key, '/', '.');
    return key;
}

// Strings without their quotes.
std::string plain(const std::string& json) {
    const bool quoted = json.size() >= 2 && json.front() == '"';
    return clip(quoted ? std::string_view(json).substr(1, json.size() - 2) : json, kMostWidth);
}

struct Difference {
    std::string key;
    std::vector<std::string> values;  // one a run
};

using Configs = std::vector<std::map<std::string, std::string>>;

// What a config has below an object.
auto below(const std::map<std::string, std::string>& config, const std::string& object) {
    return std::ranges::subrange(config.lower_bound(object + "/"),
                                 config.lower_bound(object + "0"));  // '0' follows '/'
}

// The outermost object around a key that some configs lack; empty if there is none.
std::string object_of(const Configs& configs, const std::string& pointer) {
    for (std::size_t at = pointer.find('/', 1); at != pointer.npos; at = pointer.find('/', at + 1)) {
        const std::string object = pointer.substr(0, at);
        const auto lacks = [&](const auto& config) { return below(config, object).empty(); };
        if (std::ranges::any_of(configs, lacks)) return object;
    }
    return "";
}

// Whether all configs that have the object say the same of the key.
bool alike_within(const Configs& configs, const std::string& object, const std::string& pointer) {
    const std::string* value = nullptr;
    for (const auto& config : configs) {
        if (below(config, object).empty()) continue;
        const auto here = config.find(pointer);
        if (here == config.end() || (value && *value != here->second)) return false;
        value = &here->second;
    }
    return true;
}

// What is one row: keys of an object that some configs lack, alike in those that have it.
std::map<std::string, std::vector<std::string>> alike_by_object(const Configs& configs,
                                                                const std::vector<std::string>& pointers) {
    std::map<std::string, std::vector<std::string>> alike;
    for (const std::string& pointer : pointers)
        if (const std::string object = object_of(configs, pointer);
            !object.empty() && alike_within(configs, object, pointer))
            alike[object].push_back(pointer);
    std::erase_if(alike, [](const auto& entry) { return entry.second.size() < 2; });
    return alike;
}

std::vector<Difference> differences(const std::vector<const RunRecord*>& runs, bool every_key) {
    Configs configs;
    std::vector<std::string> order;
    std::set<std::string> known;
    for (const RunRecord* run : runs) {
        configs.emplace_back(run->config.begin(), run->config.end());
        for (const auto& [pointer, value] : run->config)
            if (!is_label(pointer) && known.insert(pointer).second) order.push_back(pointer);
    }
    // Keys of later runs come after the first one's; bring those of one place together, places in order of appearance.
    std::map<std::string, std::size_t> places;
    const auto place = [&](const std::string& pointer) {
        return places.try_emplace(pointer.substr(0, pointer.rfind('/')), places.size()).first->second;
    };
    for (const std::string& pointer : order) place(pointer);
    std::ranges::stable_sort(order, {}, place);

    std::vector<Difference> found;
    const auto alike = every_key ? std::map<std::string, std::vector<std::string>>{} : alike_by_object(configs, order);
    std::set<std::string> told;
    for (const std::string& pointer : order) {
        const std::string object = alike.empty() ? "" : object_of(configs, pointer);
        if (const auto at = alike.find(object);
            at != alike.end() && std::ranges::find(at->second, pointer) != at->second.end()) {
            if (!told.insert(object).second) continue;
            const auto in_object = [&](const std::string& other) { return other.starts_with(object + "/"); };
            const bool all = static_cast<std::size_t>(std::ranges::count_if(order, in_object)) == at->second.size();
            Difference difference{dotted(object) + (all ? "" : ", the rest"), {}};
            for (const auto& config : configs)
                difference.values.push_back(
                    below(config, object).empty() ? kAbsent : std::to_string(at->second.size()) + " keys");
            found.push_back(std::move(difference));
            continue;
        }
        Difference difference{dotted(pointer), {}};
        for (const auto& config : configs) {
            const auto value = config.find(pointer);
            difference.values.push_back(value == config.end() ? kAbsent : plain(value->second));
        }
        const auto same = [&](const auto& config) {
            const auto first = configs.front().find(pointer), value = config.find(pointer);
            return first == configs.front().end() ? value == config.end()
                                                  : value != config.end() && value->second == first->second;
        };
        if (!std::ranges::all_of(configs, same)) found.push_back(std::move(difference));
    }
    return found;
}

// "0.02 (3 runs), 0.01 (1 run)", in order of appearance.
std::string counted(const std::vector<std::string>& values) {
    std::vector<std::pair<std::string, int>> counts;
    for (const std::string& value : values) {
        const auto known = std::ranges::find(counts, value, &std::pair<std::string, int>::first);
        if (known == counts.end())
            counts.emplace_back(value, 1);
        else
            ++known->second;
    }
    std::string text;
    for (const auto& [value, count] : counts)
        text += (text.empty() ? "" : ", ") + value + " (" + std::to_string(count) + (count == 1 ? " run)" : " runs)");
    return clip(text, 4 * kMostWidth);
}

}  // namespace

Json differences_json(std::span<const RunRecord> runs) {
    std::vector<const RunRecord*> configured;
    for (const RunRecord& run : runs)
        if (!run.config.empty()) configured.push_back(&run);
    Json out = Json::array();
    if (configured.size() < 2) return out;
    for (const Difference& difference : differences(configured, false)) {
        std::map<std::string, int> counts;
        for (const std::string& value : difference.values) ++counts[value];
        std::vector<std::pair<std::string, int>> order(counts.begin(), counts.end());
        std::ranges::stable_sort(order, std::greater{}, &std::pair<std::string, int>::second);
        Json values = Json::array();
        for (const auto& [value, count] : order) values.push_back({value, count});
        out.push_back({{"key", difference.key}, {"values", std::move(values)}});
    }
    return out;
}

std::string config_differences(std::span<const RunRecord> runs, std::size_t most_rows, bool every_key) {
    std::vector<const RunRecord*> configured;
    for (const RunRecord& run : runs)
        if (!run.config.empty()) configured.push_back(&run);
    if (configured.size() < 2) return {};
    const std::vector<Difference> found = differences(configured, every_key);
    if (found.empty()) return {};

    const bool one_column_a_run = configured.size() <= kMostColumns;
    std::vector<Column> columns = {{.header = "config key", .align = Align::left}};
    if (one_column_a_run)
        for (const RunRecord* run : configured) columns.push_back({.header = run->name, .align = Align::left});
    else
        columns.push_back({.header = "values", .align = Align::left});
    Table table(std::move(columns));
    for (const Difference& difference : found | std::views::take(most_rows)) {
        std::vector<std::string> row = {difference.key};
        if (one_column_a_run)
            row.insert(row.end(), difference.values.begin(), difference.values.end());
        else
            row.push_back(counted(difference.values));
        table.add(std::move(row));
    }
    std::string text = table.text();
    if (found.size() > most_rows) text += "... and " + std::to_string(found.size() - most_rows) + " more\n";
    return text;
}

}  // namespace steepest::report
