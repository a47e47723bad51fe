// Training step by step as PyTorch does it: expected_parity.json holds what scripts/parity_pytorch.py found in double
// for a tiny model whose weights are a formula.
#include "core/config.h"
#include "core/file.h"
#include "core/json.h"
#include "data/token_shard.h"
#include "tests/close.h"
#include "tests/harness.h"
#include "tests/model/rounding.h"
#include "tests/temporary_folder.h"
#include "train/stepper.h"

#include <cmath>
#include <string>
#include <vector>

namespace steepest::testing {

namespace {

// Element i of stream k in [0, 1), 23 bits: murmur3's finalizer.
float mixed(std::uint32_t i, std::uint32_t k) {
    std::uint32_t h = i + (k << 20);
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    h ^= h >> 16;
    return static_cast<float>(h >> 9) * 0x1p-23f;
}

class Parity : public TemporaryFolder {
protected:
    // Results do not depend on threads, and a model this small is faster without.
    static Device cpu() { return backends()[0].device; }

    Parity() {
        write_token_shard(path("tokens.bin"), expected.at("tokens").get<std::vector<std::int32_t>>(),
                          expected.at("model").at("vocab"));
    }

    // One batch is all the data, so every step sees the same tokens.
    struct Run {
        explicit Run(const RunConfig& config) : comm(make_single()), stepper(config, *comm) {
            stepper.allocate(cpu());
            ParameterStore& store = stepper.runner().parameters();
            for (std::size_t k = 0; k < store.specs().size(); ++k) {
                const ParamSpec& spec = store.specs()[k];
                std::vector<float> values(spec.shape.count());
                const std::int64_t used = spec.shape.count() - spec.padding_rows * spec.shape.cols();
                for (std::int64_t i = 0; i < used; ++i)
                    values[i] = mixed(std::uint32_t(i), std::uint32_t(k + 1)) - 0.5f + spec.init.mean;
                copy_to_device(cpu(), store.masters()[k].data, values.data(), store.masters()[k].bytes());
            }
            store.refresh_copies();
        }
        std::vector<float> elements(const Tensor& tensor, const Json& picks) const {
            std::vector<float> all(tensor.count()), picked;
            copy_to_host(cpu(), all.data(), tensor.data, tensor.bytes());
            for (const Json& pick : picks) picked.push_back(all.at(pick.at(0)));
            return picked;
        }
        std::unique_ptr<Communicator> comm;
        Stepper stepper;
        TokenStreamHash hash;
    };
    RunConfig config(const std::string& optimizer, const std::vector<std::string>& sets = {}) const {
        const Json run = {{"model", expected.at("model")},
                          {"optimizer", optimizer},
                          {"data", {{"train", {path("tokens.bin")}}, {"validation_fraction", 0}}},
                          {"batch", expected.at("batch")},
                          {"steps", 10},
                          {"evaluation", {{"every", 0}}}};
        write_file(path("run.json"), run.dump());
        std::vector<std::string> all = {"optimizer.schedule.type=constant"};
        all.insert(all.end(), sets.begin(), sets.end());
        return load_config<RunConfig>(path("run.json"), all);
    }
    static std::vector<double> values_of(const Json& picks) {
        std::vector<double> values;
        for (const Json& pick : picks) values.push_back(pick.at(1));
        return values;
    }

    // Of a step of `run` from the formula's weights and of the losses on the way; `allowed` is of the update, absolute.
    template <class Allowed>
    void expect_steps(Run& run, const Json& numbers, const Allowed& allowed) {
        const std::vector<double> losses = numbers.at("losses").get<std::vector<double>>();
        for (std::size_t step = 1; step <= losses.size(); ++step) {
            const StepReport report = run.stepper.step(std::int64_t(step), run.hash);
            EXPECT_NEAR(report.reading.loss, losses[step - 1], 1e-4 * losses[step - 1]) << "step " << step;
            if (step > 1) continue;
            for (const Parameter& p : run.stepper.runner().parameters().parameters()) {
                const Json& picks = numbers.at("weights").at(p.spec->name);
                expect_close(p.spec->name, run.elements(p.master, picks), values_of(picks),
                             {.absolute = allowed(*p.spec), .relative = 2 * kF32});
            }
        }
    }

    const std::string file = std::string(STEEPEST_SOURCE_DIR) + "/tests/train/expected_parity.json";
    const Json expected = parse_json(read_file(file), file);
};

TEST_F(Parity, LossAndGradients) {
    const RunConfig run_config = config("adamw");
    const double error = rounding_error(run_config.model);
    Run run(run_config);
    run.stepper.oracle().load(1, run.hash), run.stepper.oracle().compute(1);

    const double loss = expected.at("loss");
    EXPECT_NEAR(run.stepper.oracle().read().loss, loss, error * loss);
    double square = 0;
    for (const Parameter& p : run.stepper.runner().parameters().parameters()) {
        const Json& numbers = expected.at("gradients").at(p.spec->name);
        const Json& picks = numbers.at("elements");
        expect_close(p.spec->name, run.elements(p.gradient, picks), values_of(picks),
                     {.absolute = error * numbers.at("largest").get<double>(), .relative = 0});
        std::vector<float> all(p.gradient.count());
        copy_to_host(cpu(), all.data(), p.gradient.data, p.gradient.bytes());
        double sum = 0;
        for (const float g : all) sum += double(g) * g;
        const double norm = numbers.at("norm");
        EXPECT_NEAR(std::sqrt(sum), norm, error * norm) << p.spec->name;
        square += norm * norm;
    }
    EXPECT_NEAR(run.stepper.oracle().read().norm, std::sqrt(square), error * std::sqrt(square));
}

// The elements are those whose gradients are far from zero: there Adam's first step is the rate and a sign, and the
// gradient's rounding does not show; the ratio of the moments has about eight roundings of its own.
TEST_F(Parity, AdamW) {
    const RunConfig run_config = config("adamw");
    Run run(run_config);
    expect_steps(run, expected.at("adamw"),
                 [&](const ParamSpec&) { return 8 * kF32 * run_config.optimizer.groups.at("rest").learning_rate; });
}

// What five steps of Newton-Schulz make of an error in their input, 3.4445 times more each, relative to a matrix of
// norm one: that of the gradient and, each time, that of a product.
TEST_F(Parity, Muon) {
    const RunConfig run_config = config("muon", {"optimizer.groups.matrices.geometry.precision=fp32"});
    Run run(run_config);
    const auto& groups = run_config.optimizer.groups;
    expect_steps(run, expected.at("muon"), [&](const ParamSpec& spec) {
        if (spec.role != Role::matrix) return 8 * kF32 * groups.at("rest").learning_rate;
        const auto rows = double(spec.shape.rows()), cols = double(spec.shape.cols());
        const double input = rounding_error(run_config.model) + 5 * std::sqrt(std::max(rows, cols)) * kF32;
        return groups.at("matrices").learning_rate * std::sqrt(std::max(1.0, rows / cols)) * std::pow(3.4445, 5) *
               input;
    });
}

}  // namespace

}  // namespace steepest::testing
