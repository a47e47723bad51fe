// AMUSE: gradients at y = (1 - b_t) z + b_t x, where b_t grows from beta at the end of the warm-up to 1, so that they
// are taken near the fast point first and at its average in the end; x the plain average.
//   b_t = 1 - ((T - 1) / (t - 1))^power * (1 - beta) for t > T, beta before;   share = 1 / (t + 1)
// arXiv:2605.22432.
#include "core/registry.h"
#include "optim/averaging.h"

#include <cmath>

namespace steepest {

namespace {

class Amuse final : public Averaging {
public:
    struct Options {
        double beta = 0.9, power = 1;
        std::int64_t warmup_steps = 100;

        void fields(auto& f) {
            f("beta", beta, "of the average in the point of gradients, up to the end of the warm-up",
              Range<double>{.low = 0, .high = 1, .open_low = true});
            f("power", power, "how fast that grows to 1", Range<double>{.low = 0});
            f("warmup_steps", warmup_steps, "T above", Range<std::int64_t>{.low = 1});
        }
    };
    explicit Amuse(Options options) : options_(options) {}

    double share(std::int64_t step, const std::function<double(std::int64_t)>&) override {
        return 1 / static_cast<double>(step + 1);
    }
    double mix(std::int64_t step) const override {
        if (step <= options_.warmup_steps) return options_.beta;
        const double part = static_cast<double>(options_.warmup_steps - 1) / static_cast<double>(step - 1);
        return 1 - std::pow(part, options_.power) * (1 - options_.beta);
    }

private:
    Options options_;
};

const Register<Averaging, Amuse> registered("amuse", "schedule-free, with a share of the average that grows to 1");

}  // namespace

}  // namespace steepest
