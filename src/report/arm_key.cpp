#include "report/arm_key.h"

#include "report/table.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace steepest::report {

namespace {

constexpr std::string_view kGroups = "/optimizer/groups/", kRate = "/learning_rate", kScale = "/optimizer/lr_scale";

bool is_rate(std::string_view pointer) {
    return pointer == kScale || (pointer.starts_with(kGroups) && pointer.ends_with(kRate));
}
bool is_seed(std::string_view pointer) { return pointer == "/seed" || pointer.starts_with("/seeds/"); }
// How it was run, not what.
bool is_circumstance(std::string_view pointer) {
    return pointer == "/threads" || pointer == "/device" || pointer.starts_with("/checkpoint/") ||
           pointer.starts_with("/sampling/") || pointer == "/evaluation/every" || pointer.starts_with("/log/");
}

const std::string* find(const RunRecord& run, std::string_view pointer) {
    const auto found = std::ranges::find(run.config, pointer, &std::pair<std::string, std::string>::first);
    return found == run.config.end() ? nullptr : &found->second;
}

// Group -> effective rate, in the config's order.
std::vector<std::pair<std::string, double>> rates(const RunRecord& run) {
    const std::string* scale_text = find(run, kScale);
    const double scale = scale_text ? std::atof(scale_text->c_str()) : 1;
    std::vector<std::pair<std::string, double>> found;
    for (const auto& [pointer, value] : run.config)
        if (pointer.starts_with(kGroups) && pointer.ends_with(kRate))
            found.emplace_back(pointer.substr(kGroups.size(), pointer.size() - kGroups.size() - kRate.size()),
                               scale * std::atof(value.c_str()));
    return found;
}

std::map<std::string, std::string> settings(const RunRecord& run) {
    std::map<std::string, std::string> kept;
    for (const auto& [pointer, value] : run.config)
        if (!is_label(pointer) && !is_seed(pointer) && !is_rate(pointer) && !is_circumstance(pointer))
            kept.emplace(pointer, value);
    return kept;
}

std::string last_word(const std::string& pointer) { return pointer.substr(pointer.rfind('/') + 1); }

}  // namespace

bool is_label(std::string_view pointer) {
    constexpr std::string_view kLabels[] = {"name", "description", "paper",     "evidence",
                                            "run",  "runs",        "directory", "output"};
    return std::ranges::find(kLabels, pointer.substr(pointer.rfind('/') + 1)) != std::end(kLabels);
}

std::string arm_key(const RunRecord& run) {
    if (run.config.empty()) return "run " + run.log_path + " " + run.name;
    std::string key = "config " + run.start.optimizer;
    for (const auto& [pointer, value] : settings(run)) key += '\n' + pointer + ' ' + value;
    return key;
}

std::string rate_key(const RunRecord& run) {
    std::string key;
    for (const auto& [group, rate] : rates(run)) key += group + ' ' + shortest(static_cast<float>(rate)) + '\n';
    return key;
}

std::string seed_key(const RunRecord& run) {
    const std::string* seed = find(run, "/seed");
    std::string key;
    for (const char* source : {"/seeds/init", "/seeds/data", "/seeds/optimizer"}) {
        const std::string* own = find(run, source);
        const std::string* used = own && *own != "null" ? own : seed;
        key += (used ? *used : std::to_string(run.start.seed)) + ' ';
    }
    return key;
}

std::string seed_label(const RunRecord& run) {
    std::string key = seed_key(run);
    key.pop_back();
    const std::string first = key.substr(0, key.find(' '));
    if (key == first + ' ' + first + ' ' + first) return first;
    std::ranges::replace(key, ' ', '/');
    return key;
}

std::vector<std::string> arm_names(std::span<const RunRecord> runs,
                                   const std::vector<std::vector<std::size_t>>& members) {
    std::map<std::string, std::vector<std::size_t>> by_optimizer;
    std::vector<std::string> names;
    for (std::size_t a = 0; a < members.size(); ++a) {
        const RunRecord& first = runs[members[a].front()];
        names.push_back(first.config.empty() || first.start.optimizer.empty() ? first.name : first.start.optimizer);
        by_optimizer[names.back()].push_back(a);
    }
    for (const auto& [optimizer, arms] : by_optimizer) {
        if (arms.size() < 2) continue;
        std::vector<std::map<std::string, std::string>> all;
        std::set<std::string> keys;
        for (const std::size_t a : arms) {
            all.push_back(settings(runs[members[a].front()]));
            for (const auto& [pointer, value] : all.back()) keys.insert(pointer);
        }
        for (const std::string& key : keys) {
            const auto text = [&](const auto& config) {
                const auto at = config.find(key);
                return at == config.end() ? std::string("-") : at->second;
            };
            if (std::ranges::all_of(all, [&](const auto& config) { return text(config) == text(all.front()); }))
                continue;
            for (std::size_t i = 0; i < arms.size(); ++i)
                names[arms[i]] = clip(names[arms[i]] + ' ' + last_word(key) + '=' + text(all[i]), 40);
        }
    }
    // Names cut short, and arms without a config, may still be equal.
    std::map<std::string, int> uses;
    for (const std::string& name : names) ++uses[name];
    for (std::size_t a = 0; a < names.size(); ++a)
        if (uses[names[a]] > 1) names[a] += " (" + runs[members[a].front()].name + ")";
    return names;
}

std::string varying_group(std::span<const RunRecord> runs, std::span<const std::size_t> members) {
    const auto first = rates(runs[members.front()]);
    for (const auto& [group, rate] : first)
        for (const std::size_t run : members)
            if (learning_rate(runs[run], group) != rate) return group;
    return first.empty() ? "" : first.front().first;
}

double learning_rate(const RunRecord& run, const std::string& group) {
    for (const auto& [name, rate] : rates(run))
        if (name == group) return rate;
    return kUnknown;
}

}  // namespace steepest::report
