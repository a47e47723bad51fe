// Every preset of configs/optimizers against the paper's rule in double, 20 steps on the same gradients. The rules are
// in tests/reference/optimizers.py, whose golden.py has written what they make of them before this test runs.
#include "core/file.h"
#include "tests/close.h"
#include "tests/optim/rig.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace steepest::testing {
namespace {

using Values = std::vector<double>;

constexpr int kSteps = 20, kFew = 5;

const std::filesystem::path kPresets = std::filesystem::path(STEEPEST_SOURCE_DIR) / "configs/optimizers";

std::vector<ParamSpec> specs() {
    return {matrix("wide", 48, 96),
            matrix("tall", 96, 24),
            matrix("square", 64, 64),
            vector("bias", 33),
            {.name = "embedding", .shape = {128, 16}, .role = Role::embedding, .init = {}}};
}

// A preset at a constant learning rate, with sketches of rank 10, which our small matrices are larger than, and bases
// of sides up to 64; matrices of spectral geometries in fp32 where that is asked for.
void make_small(Json& json) {
    if (json.is_object() && json.contains("rank")) json["rank"] = 10;
    if (json.is_object() && json.contains("largest_side")) json["largest_side"] = 64;
    for (auto& [key, value] : json.items())
        if (value.is_structured()) make_small(value);
}
void make_exact(Json& json) {
    if (json.is_object() && json.contains("type") &&
        (json["type"] == "spectral" || json["type"] == "sketched" || json["type"] == "by_stable_rank"))
        json["precision"] = "fp32";
    for (auto& [key, value] : json.items())
        if (value.is_structured())
            make_exact(value);
        else if (key == "geometry" && value == "spectral")
            value = {{"type", "spectral"}, {"precision", "fp32"}};
}
OptimizerConfig preset(const std::string& name, bool exact) {
    const std::string file = (kPresets / (name + ".json")).string();
    Json json = parse_json(read_file(file), file);
    json["schedule"] = {{"type", "constant"}};
    make_small(json);
    if (exact) make_exact(json);
    return read_config<OptimizerConfig>(json, name);
}

// What golden.py draws, by the same names.
Values drawn(const std::string& purpose, std::int64_t count, double size) {
    const Random random(1, "golden/" + purpose);
    Values values(count);
    for (std::int64_t i = 0; i < count; ++i) values[i] = size * random.normal(i);
    return values;
}

// The gradients of a step as they are given to the optimizer: golden.py's Step.
struct Step {
    std::vector<Values> gradients, others;
    float scale, other_scale, loss;
};

Step draw_step(int t) {
    Step s{.gradients = {},
           .others = {},
           .scale = t % 4 == 0 ? 0.5f : 1,
           .other_scale = t == 1  ? 0
                          : t % 3 ? 1
                                  : 0.8f,
           .loss = static_cast<float>(3 - 0.1 * t + 0.2 * (t % 3))};
    for (const ParamSpec& spec : specs()) {
        const std::string key = spec.name + "/" + std::to_string(t);
        const double size = 0.01 * (0.6 + 0.3 * (t % 5));
        Values g = drawn(key, spec.shape.count(), size), h = drawn(key + "/other", spec.shape.count(), size);
        for (std::size_t k = 0; k < g.size(); ++k) h[k] = 0.9 * g[k] + 0.3 * h[k];
        s.gradients.push_back(std::move(g)), s.others.push_back(std::move(h));
    }
    return s;
}

// Drawn once: the tests of all presets take the same.
const Step& make_step(int t) {
    static std::map<int, Step> steps;
    const auto found = steps.find(t);
    return found != steps.end() ? found->second : steps.emplace(t, draw_step(t)).first->second;
}

void feed(Rig& rig, const Step& s) {
    for (std::size_t i = 0; i < specs().size(); ++i)
        rig.set_gradient(i, s.gradients[i]), rig.set_previous(i, s.others[i]);
}

Values initial_weights(std::size_t i) { return drawn(specs()[i].name + "/weights", specs()[i].shape.count(), 0.02); }
void set_initial_weights(Rig& rig) {
    for (std::size_t i = 0; i < specs().size(); ++i) rig.set_weights(i, initial_weights(i));
}

// Of one parameter after some steps: its weights, and where they can be compared.
struct Expected {
    Values weights, sure;
};

std::vector<Expected> read_golden(const std::string& name, int steps) {
    std::ifstream file(std::filesystem::path(STEEPEST_GOLDEN) / (name + ".golden"), std::ios::binary);
    std::vector<Expected> expected;
    if (!file) return expected;
    std::int64_t total = 0;
    for (const ParamSpec& spec : specs()) total += spec.shape.count();
    std::int64_t at = steps == kFew ? 0 : total;
    const auto take = [&](std::int64_t begin, std::int64_t count) {
        Values values(count);
        file.seekg(begin * static_cast<std::int64_t>(sizeof(double)));
        file.read(reinterpret_cast<char*>(values.data()), count * static_cast<std::int64_t>(sizeof(double)));
        EXPECT_TRUE(file) << name << ": the golden file is too short";
        return values;
    };
    for (const ParamSpec& spec : specs()) {
        expected.push_back({take(at, spec.shape.count()), take(2 * total + at, spec.shape.count())});
        at += spec.shape.count();
    }
    return expected;
}

std::vector<std::string> preset_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(kPresets))
        names.push_back(entry.path().stem().string());
    std::ranges::sort(names);
    return names;
}

struct Distance {
    double error = 0, moved = 0, size = 0, compared = 0;  // norms, and the part of elements that could be compared
};

Distance distance(const std::vector<float>& found, const Expected& expected, const Values& start) {
    Distance d;
    for (std::size_t k = 0; k < found.size(); ++k) {
        if (expected.sure[k] == 0) continue;
        ++d.compared;
        d.error += std::pow(found[k] - expected.weights[k], 2);
        d.moved += std::pow(expected.weights[k] - start[k], 2), d.size += std::pow(expected.weights[k], 2);
    }
    return {std::sqrt(d.error), std::sqrt(d.moved), std::sqrt(d.size), d.compared / static_cast<double>(found.size())};
}

class Presets : public ::testing::TestWithParam<std::string> {};

void run_steps(Rig& rig, int steps) {
    set_initial_weights(rig);
    for (int t = 1; t <= steps; ++t) {
        const Step& s = make_step(t);
        feed(rig, s);
        rig.step(s.scale, s.other_scale, 1, s.loss);
    }
}

// Shampoo: after the first step the longer side's sum has a kernel, and with epsilon a condition number of 1e6, of
// whose inverse root optim/roots.h says 1e-3; the sums of later steps have full rank. Steps shrink like t^(-1/2), so
// that the first is 1 / sqrt(1 + 1/2 + ... + 1/20) = 0.53 of the way. The rule's own condition is 14 roundings
// (numpy's, with noise in the sums). SOAP's bases have the condition of eigenvectors, which is no more than 120
// roundings here.
double tolerance(const std::string& preset) { return preset == "shampoo" ? 0.53e-3 : 2e-5; }

TEST_P(Presets, FollowThePapersRule) {
    const std::vector<Expected> expected = read_golden(GetParam(), kSteps);
    ASSERT_FALSE(expected.empty()) << "write its rule into tests/reference: optimizers.py, golden.py";
    Rig rig(preset(GetParam(), true), specs());
    run_steps(rig, kSteps);
    for (std::size_t i = 0; i < specs().size(); ++i) {
        const Distance d = distance(rig.evaluated(i), expected[i], initial_weights(i));
        EXPECT_GT(d.compared, 0.98);
        // 2e-5 for Newton-Schulz in f32, which is 1e-6 off and up to 6e-6 for square matrices; a rounding of the
        // weights each for decay and step, which add up like a random walk and so to less than this sum.
        EXPECT_LT(d.error, tolerance(GetParam()) * d.moved + 2 * kSteps * kF32 * d.size)
            << GetParam() << ": " << specs()[i].name << " moved by " << d.moved;
        EXPECT_GT(d.moved, 0);
    }
}

// As it is run: matrices in bf16. Five iterations round X and B to 2^-8 each, which adds up like a random walk to
// sqrt(10) 2^-8 = 1.2e-2 of a step.
TEST_P(Presets, FollowThePapersRuleInTheirOwnPrecision) {
    const std::vector<Expected> expected = read_golden(GetParam(), kFew);
    ASSERT_FALSE(expected.empty());
    Rig rig(preset(GetParam(), false), specs());
    run_steps(rig, kFew);
    for (std::size_t i = 0; i < specs().size(); ++i) {
        const Distance d = distance(rig.evaluated(i), expected[i], initial_weights(i));
        EXPECT_GT(d.compared, 0.5);
        EXPECT_LT(d.error, 0.02 * d.moved) << GetParam() << ": " << specs()[i].name;
    }
}

TEST_P(Presets, SayWhatTheyAre) {
    const OptimizerConfig config = preset(GetParam(), false);
    EXPECT_EQ(config.name, GetParam());
    EXPECT_FALSE(config.description.empty());
    EXPECT_FALSE(config.evidence.empty());
    EXPECT_FALSE(config.paper.empty() && GetParam() != "sgd");
    // What is written out reads back as the same.
    const Json resolved = write_config(config);
    EXPECT_EQ(write_config(read_config<OptimizerConfig>(resolved, "again")), resolved);
}

TEST_P(Presets, GiveTheSameBytesForAnyNumberOfThreads) {
    std::vector<std::vector<float>> first;
    std::vector<std::byte> first_state;
    for (const Backend& backend : backends()) {
        Rig rig(preset(GetParam(), false), specs(), backend.device);
        for (int t = 1; t <= 3; ++t) {
            const Step& s = make_step(t);
            feed(rig, s);
            rig.step(s.scale, s.other_scale, 1, s.loss);
        }
        std::vector<std::vector<float>> weights;
        for (std::size_t i = 0; i < specs().size(); ++i) weights.push_back(rig.weights(i));
        if (first.empty()) first = weights, first_state = rig.state();
        for (std::size_t i = 0; i < specs().size(); ++i)
            EXPECT_TRUE(same_bytes(weights[i], first[i])) << backend.name << " " << specs()[i].name;
        EXPECT_TRUE(same_bytes(rig.state(), first_state)) << backend.name;
    }
}

// A checkpoint after step 3 is weights, state and the number of the step; the trainer's part is the second gradient.
TEST_P(Presets, ResumeBitForBit) {
    Rig whole(preset(GetParam(), false), specs()), resumed(preset(GetParam(), false), specs());
    set_initial_weights(whole);
    const auto take = [](Rig& rig, int t) {
        const Step& s = make_step(t);
        feed(rig, s);
        rig.step(s.scale, s.other_scale, 1, s.loss);
    };
    for (int t = 1; t <= 3; ++t) take(whole, t);
    for (std::size_t i = 0; i < specs().size(); ++i) {
        const std::vector<float> w = whole.weights(i);
        resumed.set_weights(i, Values(w.begin(), w.end()));
    }
    resumed.set_state(whole.state());
    resumed.count = whole.count;
    for (int t = 4; t <= 7; ++t) take(whole, t), take(resumed, t);
    for (std::size_t i = 0; i < specs().size(); ++i)
        EXPECT_TRUE(same_bytes(resumed.weights(i), whole.weights(i))) << specs()[i].name;
    EXPECT_TRUE(same_bytes(resumed.state(), whole.state()));
}

TEST(Readme, HasARowForEachPreset) {
    const std::string readme = read_file(std::string(STEEPEST_SOURCE_DIR) + "/README.md");
    for (const std::string& name : preset_names())
        EXPECT_NE(readme.find("| `" + name + "` |"), std::string::npos) << name;
}

TEST(Zoo, HasAnArmForEachPreset) {
    const std::string sweep = read_file(std::string(STEEPEST_SOURCE_DIR) + "/configs/sweeps/zoo.json");
    for (const std::string& name : preset_names())
        EXPECT_NE(sweep.find("\"optimizer\": \"" + name + "\""), std::string::npos) << name;
}

// A bad step: whatever the gradients hold, neither weights nor state change by a bit, and the next step is a good one.
TEST_P(Presets, DoNothingInABadStep) {
    Rig rig(preset(GetParam(), false), specs());
    const auto feed_with = [&](int t, double poison) {
        Step s = make_step(t);
        for (std::size_t i = 0; poison != 0 && i < specs().size(); ++i) s.gradients[i][1] = s.others[i][2] = poison;
        feed(rig, s);
    };
    set_initial_weights(rig);
    feed_with(1, 0), rig.step(1, 0);
    std::vector<std::vector<float>> weights;
    for (std::size_t i = 0; i < specs().size(); ++i) weights.push_back(rig.weights(i));
    const std::vector<std::byte> state = rig.state();
    for (const double poison : {0.0, double(NAN), double(INFINITY)}) {
        feed_with(2, poison), rig.step(poison == 0 ? 1 : NAN, 1, 0);
        for (std::size_t i = 0; i < specs().size(); ++i)
            EXPECT_TRUE(same_bytes(rig.weights(i), weights[i])) << specs()[i].name << " after " << poison;
        EXPECT_TRUE(same_bytes(rig.state(), state)) << "after " << poison;
    }
    feed_with(3, 0), rig.step();
    for (std::size_t i = 0; i < specs().size(); ++i) {
        for (const float v : rig.weights(i)) ASSERT_TRUE(std::isfinite(v));
        EXPECT_FALSE(same_bytes(rig.weights(i), weights[i]));
    }
}

INSTANTIATE_TEST_SUITE_P(All, Presets, ::testing::ValuesIn(preset_names()), [](const auto& test) {
    std::string name = test.param;
    std::ranges::replace(name, '-', '_');
    return name;
});

}  // namespace
}  // namespace steepest::testing
