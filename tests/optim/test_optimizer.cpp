// The pipeline as a whole: groups, plans, every combination of stages, splitting, saving.
#include "core/file.h"
#include "tests/close.h"
#include "tests/optim/rig.h"

#include <filesystem>
#include <functional>
#include <set>

namespace steepest::testing {
namespace {

using Values = std::vector<double>;

std::string error_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}
std::string groups_error(const std::string& groups, const std::vector<ParamSpec>& specs) {
    return error_of([&] { Optimizer(optimizer_from(R"({"groups": {)" + groups + "}}"), specs); });
}

const std::string kPlain = R"("learning_rate": 1, "estimator": "dual_ema")";

std::vector<ParamSpec> small_model() {
    return {{.name = "wte.weight", .shape = {16, 4}, .role = Role::embedding, .init = {}},
            matrix("h.0.attn.c_attn.weight", 12, 4, 3),
            vector("h.0.attn.c_attn.bias", 12),
            vector("ln_f.weight", 4, Role::gain)};
}

TEST(Groups, AnOverlapNamesTheParameterAndBothGroups) {
    EXPECT_EQ(
        groups_error(R"("a": {"match": {"roles": ["matrix", "embedding"]}, )" + kPlain +
                         R"(}, "b": {"match": {"names": ["h.*.weight"]}, )" + kPlain + R"(}, "c": {"match": "rest", )" +
                         kPlain + "}",
                     small_model()),
        "optimizer: parameter \"h.0.attn.c_attn.weight\" (matrix, shape (12, 4)) belongs to two groups, \"a\" and "
        "\"b\"");
}

TEST(Groups, AnOrphanIsNamed) {
    EXPECT_EQ(
        groups_error(R"("a": {"match": {"roles": ["matrix", "embedding"]}, )" + kPlain +
                         R"(}, "b": {"match": {"roles": ["gain"]}, )" + kPlain + "}",
                     small_model()),
        "optimizer: parameter \"h.0.attn.c_attn.bias\" (bias, shape (12)) belongs to no group; there are: a, b; a "
        "group with \"match\": \"rest\" would take it");
}

TEST(Groups, AnEmptyGroupIsNamed) {
    EXPECT_EQ(
        groups_error(
            R"("a": {"match": {"roles": ["head"]}, )" + kPlain + R"(}, "b": {"match": "rest", )" + kPlain + "}",
            small_model()),
        "optimizer group \"a\" is empty: no parameter is left for match {\"roles\":[\"head\"],\"names\":[]}; null in "
        "its place drops the group");
}

TEST(Groups, StagesForMatricesRefuseVectorsByName) {
    EXPECT_EQ(groups_error(R"("a": {"match": "rest", )" + kPlain + R"(, "geometry": "spectral"})", small_model()),
              "optimizer group \"a\": geometry \"spectral\" needs matrices; found parameter \"h.0.attn.c_attn.bias\" "
              "(bias, shape (12))");
    EXPECT_EQ(
        groups_error(R"("a": {"match": "rest", )" + kPlain + R"j(, "scaling": "sqrt(rows/cols)"})j", small_model()),
        "optimizer group \"a\": scaling \"sqrt(rows/cols)\" needs matrices; found parameter "
        "\"h.0.attn.c_attn.bias\" (bias, shape (12))");
    EXPECT_EQ(
        groups_error(R"("a": {"match": "rest", )" + kPlain + R"(, "split_qkv": true})", {matrix("w", 10, 4, 3)}),
        "optimizer group \"a\": split_qkv wants 3 equal blocks of rows; found parameter \"w\" (matrix, shape (10, "
        "4))");
}

TEST(Groups, MistakesOfTheConfigAreFoundByItsReader) {
    EXPECT_NE(groups_error(R"("a": {"match": "rest", )" + kPlain + R"(}, "b": {"match": "rest", )" + kPlain + "}", {})
                  .find("/groups/b/match: group \"a\" takes the rest already"),
              std::string::npos);
    EXPECT_NE(groups_error(R"("a": {"match": {"roles": ["matrx"]}, )" + kPlain + "}", {})
                  .find("/groups/a/match/roles/0: \"matrx\" is not one of"),
              std::string::npos);
    EXPECT_NE(groups_error(R"("a": {"match": {}, )" + kPlain + "}", {}).find("/groups/a/match: takes no parameter"),
              std::string::npos);
    EXPECT_NE(groups_error(R"("a": {"match": "all", )" + kPlain + "}", {})
                  .find("/groups/a/match: expected \"rest\" or an object with roles and names, found \"all\""),
              std::string::npos);
    EXPECT_NE(groups_error(R"("a": {"match": "rest", "learning_rate": 1})", {}).find("/groups/a/estimator: missing"),
              std::string::npos);
    EXPECT_NE(groups_error("", {}).find("/groups: empty"), std::string::npos);
    // A config that no reader has seen.
    EXPECT_NE(error_of([] { Optimizer({}, small_model()); }).find("/groups: empty"), std::string::npos);
}

TEST(Groups, NamesAreStarPatterns) {
    const ParamSpec spec = matrix("h.10.mlp.c_fc.weight", 4, 4);
    EXPECT_TRUE(Match({}, {"h.*.mlp.*"}).takes(spec));
    EXPECT_TRUE(Match({"matrix"}, {"x", "h.1?.*"}).takes(spec));
    EXPECT_FALSE(Match({"bias"}, {"h.*"}).takes(spec));
    EXPECT_FALSE(Match({}, {"h.?.mlp.*"}).takes(spec));
    EXPECT_FALSE(Match({}, {"h.*.mlp"}).takes(spec));
    EXPECT_FALSE(Match::everything_else().takes(spec));
}

TEST(Optimizer, AssignmentsAreTheTableOfParameters) {
    const Optimizer optimizer(optimizer_from(R"j({"lr_scale": 0.5, "groups": {
            "matrices": {"match": {"roles": ["matrix"]}, "learning_rate": 0.02, "weight_decay": 0.1, "split_qkv": true,
                         "estimator": "mvr", "geometry": "spectral", "scaling": "0.2*sqrt(max(rows, cols))"},
            "rest": {"match": "rest", "learning_rate": 0.001, "estimator": "adam"}}})j"),
                              small_model());
    const std::vector<AssignmentRow> rows = optimizer.assignments();
    ASSERT_EQ(rows.size(), 4u);
    EXPECT_EQ(rows[0].parameter, "wte.weight");
    EXPECT_EQ(rows[0].group, "rest");
    EXPECT_EQ(rows[0].formula, "adam -> identity -> none");
    EXPECT_EQ(rows[0].state_bytes, 2 * 64 * 4);
    EXPECT_EQ(rows[1].parameter, "h.0.attn.c_attn.weight");
    EXPECT_EQ(rows[1].shape, "3 x (4, 4)");
    EXPECT_EQ(rows[1].formula, "mvr -> spectral -> 0.2*sqrt(max(rows, cols))");
    EXPECT_DOUBLE_EQ(rows[1].learning_rate, 0.01);
    EXPECT_DOUBLE_EQ(rows[1].weight_decay, 0.1);
    EXPECT_DOUBLE_EQ(rows[1].scale, 0.4);
    EXPECT_EQ(rows[1].state_bytes, 2 * 48 * 4);
    EXPECT_EQ(rows[3].shape, "(4)");
}

TEST(Optimizer, StateIsNamedByParameterAndShapedLikeIt) {
    const Rig rig(optimizer_from(R"({"groups": {
            "matrices": {"match": {"roles": ["matrix"]}, "learning_rate": 1, "split_qkv": true, "estimator": "mvr"},
            "rest": {"match": {"roles": ["embedding"]}, "learning_rate": 1, "estimator": "adam"},
            "vectors": {"match": "rest", "learning_rate": 1, "estimator": "dual_ema"}}})"),
                  small_model());
    std::vector<std::string> names;
    for (const Layout::Entry& e : rig.entries) names.push_back(e.name + " " + to_string(e.slot->shape));
    EXPECT_EQ(names, (std::vector<std::string>{"h.0.attn.c_attn.weight/estimator/m (12, 4)",
                                               "h.0.attn.c_attn.weight/estimator/previous_gradient (12, 4)",
                                               "wte.weight/estimator/m (16, 4)", "wte.weight/estimator/v (16, 4)"}));
}

TEST(Optimizer, LearningRatesFollowTheirSchedules) {
    Optimizer optimizer(optimizer_from(R"({"lr_scale": 2, "schedule": {"type": "linear", "final_fraction": 0},
        "groups": {"a": {"match": {"roles": ["matrix"]}, "learning_rate": 0.5, "estimator": "dual_ema"},
                   "b": {"match": "rest", "learning_rate": 0.25, "estimator": "dual_ema",
                         "schedule": {"type": "inverse_power", "power": 1}}}})"),
                        small_model());
    Layout state, scratch;
    StepScalars scalars;
    optimizer.plan(state, scratch, scalars);
    optimizer.begin_step(3, 5);
    const auto rates = optimizer.learning_rates();
    ASSERT_EQ(rates.size(), 2u);
    EXPECT_EQ(rates[0].group, "a");
    EXPECT_DOUBLE_EQ(rates[0].learning_rate, 0.5);
    EXPECT_DOUBLE_EQ(rates[1].learning_rate, 0.5 / 3);
}

TEST(Optimizer, CountsTheFlopsOfGpt2sMuon) {
    std::vector<ParamSpec> specs;
    constexpr std::int64_t C = 768;
    for (int layer = 0; layer < 12; ++layer)
        for (const auto& [rows, cols] : {std::pair{3 * C, C}, {C, C}, {4 * C, C}, {C, 4 * C}})
            specs.push_back(matrix("h." + std::to_string(layer) + "." + std::to_string(specs.size()), rows, cols));
    const Optimizer muon(one_group(1, R"("estimator": "dual_ema", "geometry": "spectral")"), specs);
    // A step of r x s: 4 r^2 s + 2 r^3. Two of r < s: 4 r^2 s + 10 r^3. For s = 768 five steps, for s = 2304, 3072,
    // 3072 two pairs and a step, in 12 layers; in units of r^3.
    const std::int64_t square = 5 * (4 + 2), wide = 2 * (4 * 11 + 3 * 10) + 4 * 11 + 3 * 2;
    EXPECT_EQ(muon.flops_per_step(), 12 * C * C * C * (square + wide));
}

TEST(Optimizer, CopiesAreTheMastersRounded) {
    const auto config = one_group(0.1, R"("estimator": "dual_ema", "weight_decay": 0.5)");
    Rig rig(config, small_model(), the_device(), DType::bf16);
    for (int t = 0; t < 2; ++t) {
        for (std::size_t i = 0; i < 4; ++i)
            rig.set_gradient(i, normal(rig.specs()[i].shape.count(), rig.specs()[i].name + std::to_string(t)));
        rig.step();
    }
    for (std::size_t i = 0; i < 4; ++i) {
        const std::vector<float> w = rig.weights(i);
        const Tensor copy = rig.copy(i);
        ASSERT_EQ(copy.dtype, i < 2 ? DType::bf16 : DType::f32);
        for (std::size_t k = 0; k < w.size(); ++k) {
            EXPECT_NE(w[k], 0);
            EXPECT_EQ(i < 2 ? float(copy.as<bf16>()[k]) : copy.as<float>()[k], i < 2 ? float(bf16(w[k])) : w[k]);
        }
    }
}

// Splitting c_attn is the same as three parameters, bit for bit, also in what is counted a tensor: clip, norm, scale.
TEST(Optimizer, SplitQkvIsThreeParameters) {
    for (const char* geometry : {R"({"type": "spectral", "precision": "fp32"})", R"("frobenius")", R"("sign")"}) {
        const auto config = one_group(0.1, std::string(R"j("split_qkv": true, "weight_decay": 0.1, "estimator": "mvr",
            "scaling": "sqrt(max(1, rows/cols))", "geometry": )j") +
                                               geometry);
        Rig fused(config, {matrix("qkv", 96, 24, 3)}),
            apart(config, {matrix("q", 32, 24), matrix("k", 32, 24), matrix("v", 32, 24)});
        Rig whole(config, {matrix("qkv", 96, 24)});
        for (int t = 0; t < 3; ++t) {
            Values all;
            for (std::size_t i = 0; i < 3; ++i) {  // of different sizes, so that a shared norm would show
                const Values g =
                    normal(32 * 24, std::to_string(i) + std::to_string(t), 0.01 * static_cast<double>(1 + 5 * i));
                apart.set_gradient(i, g);
                all.insert(all.end(), g.begin(), g.end());
            }
            fused.set_gradient(0, all), whole.set_gradient(0, all);
            fused.step(), apart.step(), whole.step();
        }
        std::vector<float> joined;
        for (std::size_t i = 0; i < 3; ++i) {
            const std::vector<float> w = apart.weights(i);
            joined.insert(joined.end(), w.begin(), w.end());
        }
        EXPECT_TRUE(same_bytes(fused.weights(0), joined)) << geometry;
        EXPECT_FALSE(same_bytes(whole.weights(0), joined)) << geometry;
    }
}

// --- Everything with everything: f(w) = sum (w - target)^2 / 2, from w = 0 ----------------------------------------

class Quadratic {
public:
    explicit Quadratic(const std::vector<ParamSpec>& specs) {
        for (const ParamSpec& s : specs) targets_.push_back(normal(s.shape.count(), "target of " + s.name));
    }
    // The loss at the weights of `rig`; sets its gradients, and those at the weights of the call before.
    double operator()(Rig& rig) {
        double loss = 0;
        std::vector<Values> gradients;
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            const std::vector<float> w = rig.weights(i);
            Values g(w.size());
            for (std::size_t k = 0; k < w.size(); ++k) g[k] = w[k] - targets_[i][k], loss += g[k] * g[k] / 2;
            rig.set_gradient(i, g);
            rig.set_previous(i, last_.empty() ? g : last_[i]);
            gradients.push_back(std::move(g));
        }
        last_ = std::move(gradients);
        return loss;
    }

private:
    std::vector<Values> targets_, last_;
};

struct Combination {
    std::string estimator, precondition, geometry, refinement, scaling;

    std::string json() const {
        return R"("estimator": )" + estimator + R"(, "precondition": ")" + precondition + R"(", "geometry": ")" +
               geometry + R"(", "refinement": ")" + refinement + R"(", "scaling": ")" + scaling + '"';
    }
};

std::vector<Combination> combinations() {
    std::vector<std::string> estimators{R"({"type": "mvr", "source": "previous_weights"})",
                                        R"({"type": "dual_ema", "b1": 0.9, "b2": 0.95})"};
    for (const std::string& name : Registry<Estimator>::names()) estimators.push_back('"' + name + '"');
    std::vector<Combination> all;
    for (const std::string& e : estimators)
        for (const std::string& g : Registry<Geometry>::names())
            for (const std::string s : {"none", "0.2*sqrt(max(rows, cols))"}) all.push_back({e, "none", g, "none", s});
    for (const std::string& s : scaling_formulas()) all.push_back({estimators[1], "none", "spectral", "none", s});
    for (const std::string& p : Registry<Transform>::names())
        for (const std::string& g : Registry<Geometry>::names())
            for (const std::string& r : Registry<Transform>::names()) all.push_back({estimators[1], p, g, r, "none"});
    return all;
}

TEST(Optimizer, EveryCombinationDescendsAndResumesBitForBit) {
    std::vector<ParamSpec> specs{matrix("a", 24, 9), matrix("b", 8, 40, 2)};
    ASSERT_GE(combinations().size(), 5u * 4 * 4);
    for (const Combination& c : combinations()) {
        const std::string what = c.json();
        const auto config = one_group(0.01, c.json() + R"(, "split_qkv": true)");
        Rig rig(config, specs), resumed(config, specs);
        Quadratic f(specs), f_resumed(specs);
        const double start = f(rig);
        double loss = start;
        for (int t = 1; t <= 10; ++t) {
            rig.step(1, t == 1 ? 0 : 1);
            if (t == 5) {  // a checkpoint: weights, state, the number of the step, and the trainer's previous weights
                for (std::size_t i = 0; i < specs.size(); ++i) {
                    const std::vector<float> w = rig.weights(i);
                    resumed.set_weights(i, Values(w.begin(), w.end()));
                }
                resumed.set_state(rig.state());
                resumed.count = rig.count;
                f_resumed = f;
            }
            loss = f(rig);
            ASSERT_TRUE(std::isfinite(loss)) << what << " step " << t;
        }
        EXPECT_LT(loss, start) << what;

        for (int t = 6; t <= 10; ++t) f_resumed(resumed), resumed.step();
        for (std::size_t i = 0; i < specs.size(); ++i)
            EXPECT_TRUE(same_bytes(resumed.weights(i), rig.weights(i))) << what;
        EXPECT_TRUE(same_bytes(resumed.state(), rig.state())) << what;
    }
}

TEST(Plugins, AreCalledLikeTheirFiles) {
    const auto files_that_register = [](const std::string& folder) {
        std::set<std::string> names;
        for (const auto& entry :
             std::filesystem::directory_iterator(std::string(STEEPEST_SOURCE_DIR) + "/src/optim/" + folder))
            if (entry.path().extension() == ".cpp" && read_file(entry.path()).find("registered(") != std::string::npos)
                names.insert(entry.path().stem());
        return names;
    };
    const auto names = [](const std::vector<std::string>& list) {
        return std::set<std::string>(list.begin(), list.end());
    };
    EXPECT_EQ(names(Registry<Estimator>::names()), files_that_register("estimator"));
    EXPECT_EQ(names(Registry<Geometry>::names()), files_that_register("geometry"));
    EXPECT_EQ(names(Registry<Transform>::names()), files_that_register("transform"));
    EXPECT_EQ(names(Registry<StepSize>::names()), files_that_register("step_size"));
    EXPECT_EQ(names(Registry<Averaging>::names()), files_that_register("averaging"));
    for (const std::string folder : {"estimator", "geometry", "transform", "step_size", "averaging"})
        EXPECT_GE(files_that_register(folder).size(), 3u) << folder;
}

}  // namespace
}  // namespace steepest::testing
