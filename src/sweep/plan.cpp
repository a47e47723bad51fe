#include "sweep/plan.h"

#include "core/random.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <set>

namespace steepest::sweep {

namespace {

struct Point {
    std::map<std::string, Json> values;
    std::string name;
};

std::string file_name_part(const std::string& path, const Json& value) {
    std::string text =
        value.is_string() ? value.get<std::string>() : path.substr(path.find_last_of("./") + 1) + value.dump();
    for (char& c : text)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-' && c != '+') c = '_';
    return text;
}

std::string joined(const std::string& a, const std::string& b) { return a.empty() || b.empty() ? a + b : a + "-" + b; }

void times(std::vector<Point>& points, const std::string& path, const Axis& axis) {
    std::vector<Point> product;
    for (const Point& point : points)
        for (const Json& value : axis.values) {
            Point& next = product.emplace_back(point);
            next.values[path] = value;
            next.name = joined(point.name, file_name_part(path, value));
        }
    points = std::move(product);
}

void times(std::vector<Point>& points, const std::vector<Settings>& list) {
    if (list.empty()) return;
    std::vector<Point> product;
    for (const Point& point : points)
        for (const Settings& settings : list) {
            Point& next = product.emplace_back(point);
            for (const auto& [path, setting] : settings) {
                next.values[path] = setting.value;
                next.name = joined(next.name, file_name_part(path, setting.value));
            }
        }
    points = std::move(product);
}

// Four significant digits: what is drawn stays what a person can type.
double rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return std::strtod(text, nullptr);
}

Json draw(const Axis& axis, double u, const Random& random) {
    if (axis.kind == Axis::Kind::choice) return axis.values[random.below(axis.values.size(), 1)];
    const double low = axis.values[0].get<double>(), high = axis.values[1].get<double>();
    if (axis.kind == Axis::Kind::uniform) return rounded(low + u * (high - low));
    return rounded(std::exp(std::log(low) + u * (std::log(high) - std::log(low))));
}

// A draw depends on the arm, the option and its number alone: more samples later keep the first ones.
void sample(std::vector<Point>& points, const std::map<std::string, Axis>& axes, const SweepConfig& config,
            const std::string& arm) {
    bool any = false;
    for (const auto& [path, axis] : axes) any = any || axis.random();
    if (!any) return;
    std::vector<Point> product;
    for (const Point& point : points)
        for (std::int64_t i = 0; i < config.samples; ++i) {
            Point& next = product.emplace_back(point);
            next.name = joined(point.name, "r" + std::to_string(i + 1));
            for (const auto& [path, axis] : axes) {
                if (!axis.random()) continue;
                const Random random(config.search_seed, "sweep " + arm + " " + path, static_cast<std::uint64_t>(i));
                next.values[path] = draw(axis, random.uniform(0), random);
            }
        }
    points = std::move(product);
}

std::vector<Point> points_of(const SweepConfig& config, const ArmConfig& arm) {
    std::vector<Point> points{{{}, arm.name}};
    times(points, config.points);
    times(points, arm.points);
    std::map<std::string, Axis> axes = arm.axes;
    axes.insert(config.axes.begin(), config.axes.end());  // the arm's own win
    for (const auto& [path, axis] : axes)
        if (!axis.random()) times(points, path, axis);
    sample(points, axes, config, arm.name);
    return points;
}

}  // namespace

std::vector<std::string> PlannedRun::sets() const {
    std::vector<std::string> all;
    for (const auto& [path, value] : settings) all.push_back(path + "=" + value.dump());
    return all;
}

std::vector<PlannedRun> plan(const SweepConfig& config, const std::string& source) {
    std::vector<ArmConfig> arms = config.arms;
    if (arms.empty()) arms.emplace_back();
    std::vector<PlannedRun> runs;
    std::set<std::string> names;
    Mistakes mistakes;
    std::size_t number = 0, arm_index = 0;
    for (const ArmConfig& arm : arms) {
        for (const Point& point : points_of(config, arm)) {
            for (const std::uint64_t seed : config.seeds) {
                PlannedRun& run = runs.emplace_back();
                run.arm = arm.name, run.varied = point.values, run.seed = seed, run.point = number;
                run.arm_index = arm_index;
                run.first_seed = seed == config.seeds.front();
                run.name = joined(point.name, "s" + std::to_string(seed));
                for (const auto& [path, setting] : config.set) run.settings[path] = setting.value;
                for (const auto& [path, setting] : arm.set) run.settings[path] = setting.value;
                for (const auto& [path, value] : point.values) run.settings[path] = value;
                run.settings["seed"] = seed;
                if (!names.insert(run.name).second)
                    mistakes.add("/arms", "two runs would be called \"" + run.name + "\"");
            }
            ++number;
        }
        ++arm_index;
    }
    mistakes.report(source);
    return runs;
}

Shard parse_shard(const std::string& text) {
    Shard shard;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, shard.index);
    const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
    const auto second = slash ? std::from_chars(first.ptr + 1, end, shard.count) : first;
    if (!slash || second.ec != std::errc() || second.ptr != end || shard.index < 1 || shard.index > shard.count)
        throw InputError("--shard " + text + ": expected i/n with 1 <= i <= n, such as 2/8");
    return shard;
}

}  // namespace steepest::sweep
