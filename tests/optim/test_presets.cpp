// Every preset of configs/optimizers against the paper's rule in double, 20 steps on the same gradients.
#include "core/file.h"
#include "tests/close.h"
#include "tests/optim/rig.h"
#include "tests/reference/optimizers.h"

#include <filesystem>
#include <functional>
#include <map>
#include <set>

namespace steepest::testing {
namespace {

using Values = std::vector<double>;
using reference::Dense;

constexpr int kSteps = 20;

const std::filesystem::path kPresets = std::filesystem::path(STEEPEST_SOURCE_DIR) / "configs/optimizers";

std::vector<ParamSpec> specs() {
    return {matrix("wide", 48, 96),
            matrix("tall", 96, 24),
            matrix("square", 64, 64),
            vector("bias", 33),
            {.name = "embedding", .shape = {128, 16}, .role = Role::embedding, .init = {}}};
}

// A preset at a constant learning rate; matrices of spectral geometries in fp32 where that is asked for.
OptimizerConfig preset(const std::string& name, bool exact) {
    const std::string file = (kPresets / (name + ".json")).string();
    Json json = parse_json(read_file(file), file);
    json["schedule"] = {{"type", "constant"}};
    for (auto& [group, options] : json["groups"].items())
        if (exact && options.contains("geometry") && options["geometry"].is_object() &&
            options["geometry"]["type"] == "spectral")
            options["geometry"]["precision"] = "fp32";
    return read_config<OptimizerConfig>(json, name);
}

// All of a step's numbers as the device has them: the reference must be fed what the optimizer is fed.
Values rounded(Values values) {
    for (double& v : values) v = static_cast<float>(v);
    return values;
}

struct Step {
    std::vector<Values> gradients, before;  // as given to the optimizer
    float scale, before_scale;

    // As the optimizer sees them.
    Values gradient(std::size_t i) const { return scaled(gradients[i], scale); }
    Values previous(std::size_t i) const { return scaled(before[i], before_scale); }

private:
    static Values scaled(Values v, double factor) {
        for (double& x : v) x *= factor;
        return v;
    }
};

// Norms of 0.2 to 1.5, so that Muon-MVR's clip to 1 is met from both sides.
Step make_step(int t) {
    Step s{.gradients = {},
           .before = {},
           .scale = t % 4 == 0 ? 0.5f : 1,
           .before_scale = t == 1  ? 0
                           : t % 3 ? 1
                                   : 0.8f};
    const auto list = specs();
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string key = list[i].name + std::to_string(t);
        const double size = 0.01 * (0.6 + 0.3 * (t % 5));
        Values g = normal(list[i].shape.count(), key, size), h = normal(list[i].shape.count(), key + "before", size);
        for (std::size_t k = 0; k < g.size(); ++k) h[k] = 0.9 * g[k] + 0.3 * h[k];
        s.gradients.push_back(rounded(g)), s.before.push_back(rounded(h));
    }
    return s;
}

Values initial_weights(std::size_t i) { return rounded(normal(specs()[i].shape.count(), "w" + specs()[i].name, 0.02)); }

// The papers' rules, all parameters of one step.
class Reference {
public:
    virtual ~Reference() = default;
    virtual void step(std::vector<Values>& w, const Step& s) = 0;
    // Of elements whose direction is a sign: how near to 0 its argument came. Empty: no such thing.
    virtual Values margin(std::size_t) const { return {}; }
};

// The same rule for every parameter.
template <class Rule>
class Everywhere final : public Reference {
public:
    explicit Everywhere(const Rule& rule) : rules_(specs().size(), rule) {}
    void step(std::vector<Values>& w, const Step& s) override {
        for (std::size_t i = 0; i < w.size(); ++i) rules_[i].step(w[i], s.gradient(i));
    }
    Values margin(std::size_t i) const override {
        if constexpr (requires { rules_[i].margin; }) return rules_[i].margin;
        return {};
    }

private:
    std::vector<Rule> rules_;
};

// Cutkosky, Mehta 2020, algorithm 1: one momentum and one norm for all parameters together.
class NormalizedSgd final : public Reference {
public:
    NormalizedSgd(double eta, double beta) : eta_(eta), beta_(beta) {}
    void step(std::vector<Values>& w, const Step& s) override {
        m_.resize(w.size());
        double sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const Values g = s.gradient(i);
            m_[i].resize(g.size());
            for (std::size_t k = 0; k < g.size(); ++k) {
                m_[i][k] = beta_ * m_[i][k] + (1 - beta_) * g[k];
                sum += m_[i][k] * m_[i][k];
            }
        }
        for (std::size_t i = 0; i < w.size(); ++i)
            for (std::size_t k = 0; k < w[i].size(); ++k) w[i][k] -= eta_ * m_[i][k] / std::sqrt(sum);
    }

private:
    double eta_, beta_;
    std::vector<Values> m_;
};

// A rule for matrices, AdamW for the rest.
class Routed final : public Reference {
public:
    using MatrixRule = std::function<void(Values& w, const Values& g, const Values& before)>;
    Routed(const std::function<MatrixRule(std::int64_t rows, std::int64_t cols)>& make, const reference::AdamW& adamw) {
        for (const ParamSpec& spec : specs())
            if (spec.role == Role::matrix)
                rules_.push_back(make(spec.shape[0], spec.shape[1]));
            else
                rules_.push_back(
                    [rule = adamw](Values& w, const Values& g, const Values&) mutable { rule.step(w, g); });
    }
    void step(std::vector<Values>& w, const Step& s) override {
        for (std::size_t i = 0; i < w.size(); ++i) rules_[i](w[i], s.gradient(i), s.previous(i));
    }

private:
    std::vector<MatrixRule> rules_;
};

template <class Rule>
Routed::MatrixRule plain(Rule rule) {
    return [rule](Values& w, const Values& g, const Values&) mutable { rule.step(w, g); };
}

std::unique_ptr<Reference> make_reference(const std::string& name) {
    using namespace reference;
    if (name == "sgd") return std::make_unique<Everywhere<TorchSgd>>(TorchSgd{0.1, 0.1, 0, false});
    if (name == "sgd-momentum") return std::make_unique<Everywhere<TorchSgd>>(TorchSgd{0.01, 0.1, 0.9, false});
    if (name == "sgd-nesterov") return std::make_unique<Everywhere<TorchSgd>>(TorchSgd{0.01, 0.1, 0.9, true});
    if (name == "normalized-sgd") return std::make_unique<NormalizedSgd>(0.5, 0.9);
    if (name == "signsgd") return std::make_unique<Everywhere<Signum>>(Signum{1e-4, 0.1, 0});
    if (name == "signum") return std::make_unique<Everywhere<Signum>>(Signum{1e-4, 0.1, 0.9});
    if (name == "lion") return std::make_unique<Everywhere<Lion>>(Lion{5e-5, 0.1, 0.9, 0.99});
    const auto routed = [](auto rule, const AdamW& adamw) { return std::make_unique<Routed>(rule, adamw); };
    if (name == "adamw") {
        // Matrices and the embedding decay, the bias does not.
        class Adams final : public Reference {
        public:
            void step(std::vector<Values>& w, const Step& s) override {
                for (std::size_t i = 0; i < w.size(); ++i) rules_[i].step(w[i], s.gradient(i));
            }

        private:
            AdamW decayed_{6e-4, 0.1, 0.9, 0.95, 1e-8}, plain_{6e-4, 0, 0.9, 0.95, 1e-8};
            std::vector<AdamW> rules_{decayed_, decayed_, decayed_, plain_, decayed_};
        };
        return std::make_unique<Adams>();
    }
    if (name == "muon")
        return routed(
            [](auto m, auto n) {
                return plain(KellerMuon{0.02, 0, 0.95, m, n});
            },
            AdamW{3e-4, 0, 0.9, 0.95, 1e-10});
    if (name == "muon-moonlight")
        return routed(
            [](auto m, auto n) {
                return plain(MoonlightMuon{1e-3, 0.1, 0.95, m, n});
            },
            AdamW{1e-3, 0.1, 0.9, 0.95, 1e-8});
    const auto mvr = [](bool exact) {
        return [exact](std::int64_t m, std::int64_t n) -> Routed::MatrixRule {
            return [exact, rule = MuonMvr{3e-3, 0, 0.95, 0.025, m, n}](Values& w, const Values& g,
                                                                       const Values& before) mutable {
                rule.step(w, g, exact ? &before : nullptr);
            };
        };
    };
    const AdamW rest{3e-3, 0, 0.95, 0.99, 1e-8};
    if (name == "muon-mvr1") return routed(mvr(false), rest);
    if (name == "muon-mvr2") return routed(mvr(true), rest);
    return nullptr;
}

std::vector<std::string> preset_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(kPresets))
        names.push_back(entry.path().stem().string());
    std::ranges::sort(names);
    return names;
}

class Presets : public ::testing::TestWithParam<std::string> {};

TEST_P(Presets, FollowThePapersRule) {
    Rig rig(preset(GetParam(), true), specs());
    const auto rule = make_reference(GetParam());
    ASSERT_NE(rule, nullptr) << "write its rule into tests/reference/optimizers.h";

    std::vector<Values> w, start;
    for (std::size_t i = 0; i < specs().size(); ++i)
        rig.set_weights(i, initial_weights(i)), w.push_back(initial_weights(i));
    start = w;
    for (int t = 1; t <= kSteps; ++t) {
        const Step s = make_step(t);
        for (std::size_t i = 0; i < w.size(); ++i)
            rig.set_gradient(i, s.gradients[i]), rig.set_previous(i, s.before[i]);
        rig.step(s.scale, s.before_scale);
        rule->step(w, s);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        const std::vector<float> found = rig.weights(i);
        const Values margin = rule->margin(i);
        double error = 0, moved = 0, size = 0;
        std::int64_t compared = 0;
        for (std::size_t k = 0; k < w[i].size(); ++k) {
            // Elements of U are about 0.01 and rounded a dozen times; nearer to 0 than that the sign is rounding's.
            if (!margin.empty() && margin[k] < 12 * kF32 * 0.05) continue;
            ++compared;
            error += std::pow(found[k] - w[i][k], 2), moved += std::pow(w[i][k] - start[i][k], 2),
                size += w[i][k] * w[i][k];
        }
        EXPECT_GT(compared, 0.99 * static_cast<double>(w[i].size()));
        // 2e-5 for Newton-Schulz in f32, which is 1e-6 off and up to 6e-6 for square matrices; a rounding of the
        // weights each for decay and step, which add up like a random walk and so to less than this sum.
        EXPECT_LT(std::sqrt(error), 2e-5 * std::sqrt(moved) + 2 * kSteps * kF32 * std::sqrt(size))
            << GetParam() << ": " << specs()[i].name << " moved by " << std::sqrt(moved);
        EXPECT_GT(moved, 0);
    }
}

// As it is run: matrices in bf16. Five iterations round X and B to 2^-8 each, which adds up like a random walk to
// sqrt(10) 2^-8 = 1.2e-2 of a step.
TEST_P(Presets, FollowThePapersRuleInTheirOwnPrecision) {
    Rig rig(preset(GetParam(), false), specs());
    const auto rule = make_reference(GetParam());
    ASSERT_NE(rule, nullptr);
    std::vector<Values> w;
    for (std::size_t i = 0; i < specs().size(); ++i)
        rig.set_weights(i, initial_weights(i)), w.push_back(initial_weights(i));
    const std::vector<Values> start = w;
    for (int t = 1; t <= 5; ++t) {
        const Step s = make_step(t);
        for (std::size_t i = 0; i < w.size(); ++i)
            rig.set_gradient(i, s.gradients[i]), rig.set_previous(i, s.before[i]);
        rig.step(s.scale, s.before_scale);
        rule->step(w, s);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        const std::vector<float> found = rig.weights(i);
        double error = 0, moved = 0;
        for (std::size_t k = 0; k < w[i].size(); ++k)
            error += std::pow(found[k] - w[i][k], 2), moved += std::pow(w[i][k] - start[i][k], 2);
        EXPECT_LT(std::sqrt(error), 0.02 * std::sqrt(moved)) << GetParam() << ": " << specs()[i].name;
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
            const Step s = make_step(t);
            for (std::size_t i = 0; i < specs().size(); ++i)
                rig.set_gradient(i, s.gradients[i]), rig.set_previous(i, s.before[i]);
            rig.step(s.scale, s.before_scale);
        }
        std::vector<std::vector<float>> weights;
        for (std::size_t i = 0; i < specs().size(); ++i) weights.push_back(rig.weights(i));
        if (first.empty()) first = weights, first_state = rig.state();
        for (std::size_t i = 0; i < specs().size(); ++i)
            EXPECT_TRUE(same_bytes(weights[i], first[i])) << backend.name << " " << specs()[i].name;
        EXPECT_TRUE(same_bytes(rig.state(), first_state)) << backend.name;
    }
}

// A bad step: whatever the gradients hold, neither weights nor state change by a bit, and the next step is a good one.
TEST_P(Presets, DoNothingInABadStep) {
    Rig rig(preset(GetParam(), false), specs());
    const auto feed = [&](int t, double poison) {
        const Step s = make_step(t);
        for (std::size_t i = 0; i < specs().size(); ++i) {
            Values g = s.gradients[i], h = s.before[i];
            if (poison != 0) g[1] = h[2] = poison;
            rig.set_gradient(i, g), rig.set_previous(i, h);
        }
    };
    for (std::size_t i = 0; i < specs().size(); ++i) rig.set_weights(i, initial_weights(i));
    feed(1, 0), rig.step(1, 0);
    std::vector<std::vector<float>> weights;
    for (std::size_t i = 0; i < specs().size(); ++i) weights.push_back(rig.weights(i));
    const std::vector<std::byte> state = rig.state();
    for (const double poison : {0.0, double(NAN), double(INFINITY)}) {
        feed(2, poison), rig.step(poison == 0 ? 1 : NAN, 1, 0);
        for (std::size_t i = 0; i < specs().size(); ++i)
            EXPECT_TRUE(same_bytes(rig.weights(i), weights[i])) << specs()[i].name << " after " << poison;
        EXPECT_TRUE(same_bytes(rig.state(), state)) << "after " << poison;
    }
    feed(3, 0), rig.step();
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
