// Training on the GPU against training on the CPU: the same data, the same initial weights, 20 steps. Only where a GPU
// is under test, real or simulated.
//
// How far two correct runs may be apart is what rounding makes of a run, and the CPU itself shows that.
//
// In f32, the same run with its tokens in other micro-batches adds the same numbers in another order, and that is all
// the GPU does: each product and reduction is a sum of the same terms in another order. Every step multiplies such
// differences by what training does to them, so each loss, and the weights at the end, may differ by kRoom times what
// the CPU's two runs differ by at most.
//
// In bf16, sums that differ in their last bits round to other activations, so two correct runs are as far from each
// other as two roundings of the f32 run: each is one such distance from it, as the CPU's is.
#include "tests/close.h"
#include "tests/train/run_fixture.h"

#include <cmath>

namespace steepest {
namespace {

// A maximum over 20 losses of one pair of runs is itself random; a factor of 8 is three binary orders, where a wrong
// kernel (a missing bias, a shifted row, bf16 where f32 was meant) is off by ten. From bf16 to f32 there are no binary
// orders to spare: twice the distance.
constexpr double kRoomInF32 = 8, kRoomInBf16 = 2;

struct Trained {
    std::vector<double> losses, weights;
};

class BackendsAgreeTest : public testing::RunTest {
protected:
    static constexpr int kSteps = 20;

    RunConfig micro(const std::string& optimizer, const std::string& compute, const Sets& more) const {
        Sets sets = {"model=micro", "optimizer=" + optimizer, "precision.compute=" + compute,
                     "batch=2",     "evaluation.every=0",     "steps=" + std::to_string(kSteps)};
        sets.insert(sets.end(), more.begin(), more.end());
        return config(sets);
    }
    static Trained steps(const RunConfig& config, Device device) {
        const auto comm = make_single();
        Stepper stepper(config, *comm);
        stepper.allocate(device);
        stepper.runner().parameters().initialize(config.init_seed());
        TokenStreamHash hash;
        Trained trained;
        for (int k = 1; k <= kSteps; ++k) trained.losses.push_back(stepper.step(k, hash).reading.loss);
        for (const NamedTensor& t : stepper.runner().named_weights()) {
            std::vector<float> values(t.tensor.count());
            copy_to_host(device, values.data(), t.tensor.data, t.tensor.bytes());
            trained.weights.insert(trained.weights.end(), values.begin(), values.end());
        }
        return trained;
    }
    static Trained on_cpu(const RunConfig& config) {
        Cpu cpu(1);
        return steps(config, &cpu);
    }
    static Trained on_gpu(const RunConfig& config) {
        cli::Backend gpu = testing::backend_under_test(config, 1);
        return steps(config, gpu.device());
    }
    static double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
        double largest = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double difference = std::abs(a[i] - b[i]);
            if (!(difference <= largest)) largest = difference;  // a NaN stays
        }
        return largest;
    }
    // Of all weights together: a single one may be at a sign's edge.
    static double distance(const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return std::sqrt(sum);
    }

    void expect_agreement(const std::string& optimizer, const std::string& compute) const {
        SCOPED_TRACE(optimizer + " " + compute);
        const Trained cpu = on_cpu(micro(optimizer, compute, {"micro_batch=2"}));
        const bool f32 = compute == "fp32";
        const Trained twin =
            on_cpu(f32 ? micro(optimizer, compute, {"micro_batch=1"}) : micro(optimizer, "fp32", {"micro_batch=2"}));
        const double room = f32 ? kRoomInF32 : kRoomInBf16;
        const double loss_room = room * largest_difference(cpu.losses, twin.losses);
        const double weight_room = room * distance(cpu.weights, twin.weights);
        EXPECT_LT(20 * loss_room, cpu.losses.front() - cpu.losses.back()) << "nothing was learnt that could be lost";

        const Trained gpu = on_gpu(micro(optimizer, compute, {"micro_batch=2"}));
        const double loss = largest_difference(gpu.losses, cpu.losses), weights = distance(gpu.weights, cpu.weights);
        EXPECT_LE(loss, loss_room);
        EXPECT_LE(weights, weight_room);
        std::printf("%-10s %s: losses %.2e of %.2e allowed, weights %.2e of %.2e\n", optimizer.c_str(), compute.c_str(),
                    loss, loss_room, weights, weight_room);
        // Steps launched whole are the steps launched one by one.
        const Trained eager = on_gpu(micro(optimizer, compute, {"micro_batch=2", "cuda.graphs=false"}));
        EXPECT_EQ(gpu.losses, eager.losses);
        EXPECT_EQ(gpu.weights, eager.weights);
    }
};

class BackendsAgree : public BackendsAgreeTest,
                      public ::testing::WithParamInterface<std::tuple<std::string, std::string>> {};

TEST_P(BackendsAgree, OverTwentySteps) {
    if (!testing::testing_cuda()) GTEST_SKIP() << "no GPU is under test: STEEPEST_TEST_DEVICE is not cuda";
    expect_agreement(std::get<0>(GetParam()), std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Train, BackendsAgree,
                         ::testing::Combine(::testing::Values("adamw", "muon", "signsgd", "muon-mvr2"),
                                            ::testing::Values("fp32", "bf16")),
                         [](const auto& instance) {
                             std::string name = std::get<0>(instance.param) + "_" + std::get<1>(instance.param);
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

}  // namespace
}  // namespace steepest
