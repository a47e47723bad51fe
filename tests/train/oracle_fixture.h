#pragma once
// An oracle on a problem whose loss and gradient are known in closed form and which writes down what it was asked.
#include "kernels/cpu/cpu.h"
#include "tests/close.h"
#include "tests/data/fixture.h"
#include "train/oracle.h"

#include <cmath>

namespace steepest::testing {

// loss(w; s) = sum over targets of sum_ij (w_ij + offset(s))^2 / 2, so the gradient is w_ij + offset(s) a target.
class Recorder final : public Problem {
public:
    struct Call {
        std::int64_t first_sample, sequences;
        std::vector<float> weights;  // of the first parameter
        const void* into;
        bool accumulate;
    };
    static double offset(std::int64_t sample) { return std::cos(static_cast<double>(sample)); }

    const std::vector<ParamSpec>& parameters() const override { return specs_; }
    void plan(Layout&, std::int64_t) override {}
    void bind(Device) override {}
    void gradient(std::span<const Tensor> weights, const MicroBatch& batch, std::span<const Tensor> gradients,
                  Tensor loss, float scale, bool accumulate) override {
        const std::int64_t B = batch.inputs.shape[0], T = batch.inputs.shape[1];
        const float* first = weights[0].as<float>();
        calls.push_back({batch.first_sample, B, {first, first + weights[0].count()}, gradients[0].data, accumulate});
        double shift = 0;
        for (std::int64_t b = 0; b < B; ++b) shift += offset(batch.first_sample + b);
        for (std::size_t i = 0; i < weights.size(); ++i)
            for (std::int64_t j = 0; j < weights[i].count(); ++j) {
                float& g = gradients[i].as<float>()[j];
                const double mine = scale * double(T) * (double(B) * weights[i].as<float>()[j] + shift);
                g = static_cast<float>((accumulate ? g : 0) + mine);
            }
        *loss.as<float>() = bad ? NAN : 1;
    }
    void loss(std::span<const Tensor> weights, const MicroBatch& batch, Tensor loss, float scale,
              bool accumulate) override {
        const std::int64_t B = batch.inputs.shape[0], T = batch.inputs.shape[1];
        double sum = 0;
        for (std::int64_t b = 0; b < B; ++b)
            for (const Tensor& w : weights)
                for (std::int64_t j = 0; j < w.count(); ++j)
                    sum += std::pow(w.as<float>()[j] + offset(batch.first_sample + b), 2) / 2;
        float& out = *loss.as<float>();
        out = static_cast<float>((accumulate ? out : 0) + scale * double(T) * sum);
        ++losses;
    }
    std::int64_t gradient_flops(std::int64_t) const override { return 1; }
    std::int64_t targets_per_sequence() const override { return 4; }

    std::vector<Call> calls;
    bool bad = false;
    int losses = 0;

private:
    std::vector<ParamSpec> specs_{{"a", {3, 5}, Role::matrix, {.deviation = 1}},
                                  {"b", {7}, Role::bias, {.mean = 1, .deviation = 1}}};
};

// One of several ranks whose peers all have its own gradients.
struct Rank final : Communicator {
    int r, n;
    Rank(int rank_, int size_) : r(rank_), n(size_) {}
    int rank() const override { return r; }
    int size() const override { return n; }
    void start_mean(std::span<const Tensor> tensors) override { exchanged.assign(tensors.begin(), tensors.end()); }
    void finish() override {}
    void broadcast(std::span<const Tensor>, int) override {}
    void barrier() override {}
    TensorList exchanged;
};

constexpr std::int64_t kBatch = 6, kMicro = 2, kSteps = 5;
constexpr float kMaxNorm = 2;

class OracleTest : public DataTest {
protected:
    struct Rig {
        Rig(const std::string& shard, SecondGradient second, int rank = 0, int ranks = 1,
            std::optional<ZerothOrderConfig> zeroth_order = {}, std::optional<PrivacyConfig> privacy = {})
            : dataset(Dataset::open({.train = {shard}, .validation = {}, .validation_fraction = 0}, Split::train,
                                    {.context = 4, .vocab = 65536})),
              loader(dataset, 1, Order::shuffled),
              comm(rank, ranks),
              store(problem.parameters(), DType::f32),
              oracle(problem, store, loader, comm,
                     {.batch = kBatch,
                      .micro_batch = kMicro,
                      .max_norm = kMaxNorm,
                      .second = second,
                      .zeroth_order = zeroth_order,
                      .privacy = privacy,
                      .seed = 5}) {
            store.plan(layouts[0], layouts[1]);
            scalars.add("none");
            oracle.plan(layouts[1], layouts[2], layouts[3], scalars);
            for (const Layout& layout : layouts) buffers.push_back(layout.allocate(&cpu));
            store.bind(&cpu);
            oracle.bind(&cpu);
            scalars.allocate(&cpu);
            store.initialize(1);
        }
        void take(std::int64_t step) {
            oracle.begin_step(step);
            scalars.upload();
            oracle.load(step, hash), oracle.compute(step);
        }
        std::vector<float> weights(std::size_t i) const {
            const float* at = store.masters()[i].as<float>();
            return {at, at + store.masters()[i].count()};
        }
        // Stands in for the optimizer's update.
        void move_weights(std::int64_t step) {
            for (const Tensor& w : store.masters())
                for (std::int64_t j = 0; j < w.count(); ++j)
                    w.as<float>()[j] += static_cast<float>(0.25 * std::sin(double(step * 31 + j)));
        }

        Cpu cpu{2};
        Recorder problem;
        Dataset dataset;
        Loader loader;
        Rank comm;
        ParameterStore store;
        Layout layouts[4];  // weights, gradients, state, scratch
        std::vector<Buffer> buffers;
        StepScalars scalars;
        Oracle oracle;
        TokenStreamHash hash;
    };

    std::string shard() const { return count_up("tokens.bin", 0, 400); }
};

// The mean over the samples [first, first + n) in double, and its norm over all parameters.
struct Expected {
    std::vector<std::vector<double>> gradient;
    double norm = 0;

    Expected(const std::vector<std::vector<float>>& weights, std::int64_t first, std::int64_t n) {
        double shift = 0;
        for (std::int64_t s = first; s < first + n; ++s) shift += Recorder::offset(s);
        for (const auto& w : weights) {
            gradient.emplace_back();
            for (const float x : w) gradient.back().push_back(x + shift / static_cast<double>(n));
            for (const double g : gradient.back()) norm += g * g;
        }
        norm = std::sqrt(norm);
    }
    double factor() const { return norm > kMaxNorm ? kMaxNorm / norm : 1; }
};

inline void expect_gradient(const TensorList& actual, const Expected& expected) {
    ASSERT_EQ(actual.size(), expected.gradient.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const float* at = actual[i].as<float>();
        // Three micro-batches are stored and added: three roundings of partial means no larger than |w| + 1, and the
        // scale 1 / 24 is rounded once for each.
        const double size = 6;
        expect_close("gradient", std::vector<float>(at, at + actual[i].count()), expected.gradient[i],
                     {6 * kF32 * size, 0});
    }
}
inline double value(ConstTensor t) { return *t.as<float>(); }

}  // namespace steepest::testing
