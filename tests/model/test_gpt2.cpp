// The whole model against a reference in double and its finite differences; the identities that recomputation, chunks
// of the head, micro-batches and thread counts must keep.
#include "tests/close.h"
#include "tests/model/rig.h"
#include "tests/model/rounding.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <string>
#include <vector>

namespace steepest::testing {

namespace {

double norm_of(const std::vector<float>& v) {
    double sum = 0;
    for (const float x : v) sum += double(x) * x;
    return std::sqrt(sum);
}
double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    return std::sqrt(sum);
}
double largest(const std::vector<float>& v) {
    double m = 0;
    for (const float x : v) m = std::max(m, double(std::abs(x)));
    return m;
}
std::vector<double> doubles(const std::vector<float>& v) { return {v.begin(), v.end()}; }

// Every tensor's gradient, element by element, within rounding of another way to the same sums.
void expect_same_gradients(const ModelRig& actual, const ModelRig& expected, double relative) {
    for (std::size_t i = 0; i < expected.specs().size(); ++i)
        expect_close(expected.specs()[i].name, actual.gradient_of(i), doubles(expected.gradient_of(i)),
                     {.absolute = relative * largest(expected.gradient_of(i)), .relative = 0});
}

struct Variant {
    bool tied, bias;
};
Gpt2Config config_of(const Variant& v) {
    Gpt2Config config = micro_gpt2();
    config.tied = v.tied, config.bias = v.bias;
    return config;
}

class Gpt2Variants : public ::testing::TestWithParam<Variant> {};

TEST_P(Gpt2Variants, LossIsThatOfTheReference) {
    const Gpt2Config config = config_of(GetParam());
    const Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(2, config.context, config.vocab);
    ModelRig rig(config, DType::f32, weights, text.B);

    const double reference = Gpt2Reference(sizes_of(config), weights).loss(text.inputs, text.targets, text.T);
    const float scale = 1.0f / float(text.B * text.T), loss = rig.loss(text, scale);
    EXPECT_NEAR(loss, reference * scale, rounding_error(config) * reference * scale);
    EXPECT_EQ(rig.gradient(text, scale), loss);
}

// Four elements of each parameter, and one direction through all of them.
TEST_P(Gpt2Variants, GradientsAreTheReferencesFiniteDifferences) {
    const Gpt2Config config = config_of(GetParam());
    Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(2, config.context, config.vocab);
    ModelRig rig(config, DType::f32, weights, text.B);
    rig.gradient(text, 1);

    const Gpt2Reference reference(sizes_of(config), weights);
    // Errors of central differences: step^2 / 6 of the third derivative, and 2^-53 loss / step; 1e-8 and 1e-10 here.
    constexpr double kStep = 1e-4;
    const auto slope = [&](const std::string& name, const std::vector<double>& direction) {
        const std::vector<double> start = weights[name];
        const auto loss_at = [&](double step) {
            for (std::size_t i = 0; i < start.size(); ++i) weights[name][i] = start[i] + step * direction[i];
            return reference.loss(text.inputs, text.targets, text.T);
        };
        const double ahead = loss_at(kStep), behind = loss_at(-kStep);
        weights[name] = start;
        return (ahead - behind) / (2 * kStep);
    };

    for (std::size_t i = 0; i < rig.specs().size(); ++i) {
        const ParamSpec& spec = rig.specs()[i];
        const std::vector<float> gradient = rig.gradient_of(i);
        const std::int64_t used = spec.shape.count() - spec.padding_rows * spec.shape.cols();
        std::vector<std::vector<double>> directions;
        for (std::uint64_t k = 0; k < 4; ++k) {
            directions.emplace_back(gradient.size());
            directions.back()[Random(1, spec.name).below(used, k)] = 1;
        }
        directions.push_back(normal(spec.shape.count(), spec.name + "/direction", 1 / std::sqrt(double(used))));
        std::fill(directions.back().begin() + used, directions.back().end(), 0.0);

        std::vector<double> ours, expected;
        for (const std::vector<double>& d : directions) {
            ours.push_back(std::inner_product(d.begin(), d.end(), gradient.begin(), 0.0));
            expected.push_back(slope(spec.name, d));
        }
        expect_close(spec.name, ours, expected,
                     {.absolute = rounding_error(config) * largest(gradient), .relative = 0});
    }
}

TEST_P(Gpt2Variants, PaddingRowsGetNoGradient) {
    const Gpt2Config config = config_of(GetParam());
    const Text text = random_text(2, config.context, config.vocab);
    for (const DType compute : {DType::f32, DType::bf16}) {
        ModelRig rig(config, compute, bent_weights(config), text.B);
        rig.gradient(text, 1);
        rig.gradient(text, 1, true);
        for (std::size_t i = 0; i < rig.specs().size(); ++i) {
            const ParamSpec& spec = rig.specs()[i];
            const std::vector<float> gradient = rig.gradient_of(i);
            const std::int64_t padding = spec.padding_rows * spec.shape.cols();
            EXPECT_TRUE(std::all_of(gradient.end() - padding, gradient.end(), [](float g) { return g == 0; }))
                << spec.name;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Micro, Gpt2Variants,
                         ::testing::Values(Variant{true, true}, Variant{false, true}, Variant{true, false},
                                           Variant{false, false}),
                         [](const auto& variant) {
                             return std::string(variant.param.tied ? "Tied" : "Untied") +
                                    (variant.param.bias ? "Biases" : "NoBiases");
                         });

// Wide and long enough that every kernel cuts its work into pieces.
TEST(Gpt2, ThreadCountsDoNotMatter) {
    Gpt2Config config = micro_gpt2();
    config.width = 96, config.heads = 3, config.context = 70, config.vocab = 300, config.head_rows = 100;
    const Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(3, config.context, config.vocab);
    for (const DType compute : {DType::f32, DType::bf16}) {
        std::vector<float> first;
        for (const Backend& backend : backends()) {
            ModelRig rig(config, compute, weights, text.B, backend.device);
            std::vector<float> all = {rig.gradient(text, 1)};
            const std::vector<float> gradients = rig.gradients();
            all.insert(all.end(), gradients.begin(), gradients.end());
            if (first.empty()) first = all;
            EXPECT_TRUE(same_bytes(first, all)) << backend.name << " " << name_of(compute);
        }
    }
}

TEST(Gpt2, RecomputationChangesNoBit) {
    Gpt2Config config = micro_gpt2();
    config.layers = 3;
    const Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(2, config.context, config.vocab);
    for (const DType compute : {DType::f32, DType::bf16}) {
        config.recompute = "none";
        ModelRig plain(config, compute, weights, text.B);
        const float loss = plain.gradient(text, 1);
        for (const std::string level : {"cheap", "block"}) {
            config.recompute = level;
            ModelRig rig(config, compute, weights, text.B);
            for (int repeat = 0; repeat < 2; ++repeat) {
                EXPECT_EQ(rig.gradient(text, 1), loss) << level;
                EXPECT_TRUE(same_bytes(rig.gradients(), plain.gradients())) << level << " " << name_of(compute);
            }
        }
    }
}

TEST(Gpt2, RecomputationSavesMemory) {
    Gpt2Config config = micro_gpt2();
    config.layers = 6;
    std::vector<std::int64_t> bytes;
    for (const std::string level : {"none", "cheap", "block"}) {
        config.recompute = level;
        Gpt2 model(config, DType::f32);
        Layout layout;
        model.plan(layout, 8);
        bytes.push_back(layout.bytes());
    }
    EXPECT_LT(bytes[1], bytes[0]);
    EXPECT_LT(bytes[2], bytes[1]);
}

// A chunk's rows are the same sums; the head's weight gradient and the loss add them up in another order.
TEST(Gpt2, ChunksOfTheHeadChangeRoundingAlone) {
    Gpt2Config config = micro_gpt2();
    const Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(2, config.context, config.vocab);
    for (const bool tied : {true, false}) {
        config.tied = tied, config.head_rows = 0;
        Gpt2Weights all = weights;
        if (!tied) all["lm_head.weight"] = weights.at("wte.weight");
        ModelRig whole(config, DType::f32, all, text.B);
        const float loss = whole.gradient(text, 1);
        for (const int rows : {1, 5, 18, 100}) {
            config.head_rows = rows;
            ModelRig rig(config, DType::f32, all, text.B);
            EXPECT_NEAR(rig.gradient(text, 1), loss, rounding_error(config) * loss) << rows;
            expect_same_gradients(rig, whole, rounding_error(config));
        }
    }
}

TEST(Gpt2, MicroBatchesAccumulate) {
    Gpt2Config config = micro_gpt2();
    const Text text = random_text(4, config.context, config.vocab), first = text.slice(0, 3), second = text.slice(3, 1);
    for (const bool tied : {true, false}) {
        config.tied = tied, config.head_rows = 5;
        const Gpt2Weights weights = bent_weights(config);
        const float scale = 1.0f / float(text.B * text.T);
        ModelRig whole(config, DType::f32, weights, text.B), parts(config, DType::f32, weights, 3);
        const float loss = whole.gradient(text, scale);
        parts.gradient(first, scale);
        EXPECT_NEAR(parts.gradient(second, scale, true), loss, rounding_error(config) * loss);
        expect_same_gradients(parts, whole, rounding_error(config));

        EXPECT_NEAR((parts.loss(first, scale), parts.loss(second, scale, true)), loss, rounding_error(config) * loss);
        // Without accumulation nothing is left of the calls before.
        ModelRig fresh(config, DType::f32, weights, 3);
        parts.gradient(second, scale), fresh.gradient(second, scale);
        EXPECT_TRUE(same_bytes(parts.gradients(), fresh.gradients()));
    }
}

// Weights round once, and a block stores eight tensors a token on the way there and eight on the way back; each store
// adds a rounding of a root mean square of u / sqrt(3) to all that follows, and three of those are let pass.
TEST(Gpt2, Bf16IsTheSameModelToItsPrecision) {
    const Gpt2Config config = micro_gpt2();
    const Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(4, config.context, config.vocab);
    const float scale = 1.0f / float(text.B * text.T);
    ModelRig exact(config, DType::f32, weights, text.B), rounded(config, DType::bf16, weights, text.B);
    const double stores = config.layers * (8 + 8 + 4) + 6, error = 3 * std::sqrt(stores / 3) * kBf16;

    // Of a row's loss; the mean is better, the more so the more rows.
    const float loss = exact.gradient(text, scale);
    EXPECT_NEAR(rounded.gradient(text, scale), loss, error * loss / std::sqrt(double(text.B * text.T)));
    for (std::size_t i = 0; i < exact.specs().size(); ++i) {
        const std::vector<float> g = rounded.gradient_of(i), expected = exact.gradient_of(i);
        EXPECT_LE(distance(g, expected), error * norm_of(expected)) << exact.specs()[i].name;
    }
}

TEST(Gpt2, NextTokenLogitsAreTheLastRowOfTheReference) {
    for (const bool tied : {true, false}) {
        Gpt2Config config = micro_gpt2();
        config.tied = tied;
        const Gpt2Weights weights = bent_weights(config);
        const Text text = random_text(1, config.context, config.vocab);
        ModelRig rig(config, DType::f32, weights, 1);
        for (const std::size_t t : {std::size_t{1}, std::size_t{4}, std::size_t(config.context)}) {
            const std::vector<double> prompt(text.inputs.begin(), text.inputs.begin() + t);
            const std::vector<double> all = Gpt2Reference(sizes_of(config), weights).logits(prompt, t);
            const std::vector<double> expected(all.end() - config.vocab, all.end());
            std::vector<float> logits = rig.next_token_logits(prompt);
            logits.resize(config.vocab);
            double size = 0;
            for (const double x : expected) size = std::max(size, std::abs(x));
            expect_close("logits", logits, expected, {.absolute = rounding_error(config) * size, .relative = 0});
        }
    }
}

// A short sequence in memory planned for long ones.
TEST(Gpt2, ShorterSequencesUseTheFirstPositions) {
    const Gpt2Config config = micro_gpt2();
    const Gpt2Weights weights = bent_weights(config);
    const Text text = random_text(2, 5, config.vocab);
    ModelRig rig(config, DType::f32, weights, 2);
    const double reference = Gpt2Reference(sizes_of(config), weights).loss(text.inputs, text.targets, text.T);
    EXPECT_NEAR(rig.gradient(text, 1), reference, rounding_error(config) * reference);
    const std::vector<float> positions = rig.gradient_of(1);
    const auto used = positions.begin() + text.T * config.width;
    EXPECT_TRUE(std::all_of(used, positions.end(), [](float g) { return g == 0; }));
    EXPECT_TRUE(std::any_of(positions.begin(), used, [](float g) { return g != 0; }));
}

// Two for each multiplication and addition: a layer's four products have 12 C^2 weights, T (T + 1) / 2 pairs of
// positions have a score and a weighted value of C each, the head Vp C; the backward pass is two forward passes.
TEST(Gpt2, CountsOperations) {
    Gpt2Config config;
    config.layers = 1, config.heads = 1, config.width = 2, config.context = 3, config.vocab = 100;
    const std::int64_t layer = 3 * 12 * 2 * 2, scores = 6 * 2 + 6 * 2, head = 3 * 128 * 2;
    EXPECT_EQ(Gpt2(config, DType::f32).gradient_flops(5), 5 * 3 * 2 * (layer + scores + head));
}

}  // namespace

}  // namespace steepest::testing
