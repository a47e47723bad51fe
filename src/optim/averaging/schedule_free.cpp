// Schedule-free: gradients at y = (1 - beta) z + beta x, steps of z, x the average of all z weighted by the square of
// the largest learning rate so far and a power of the step.
//   share = w_t / sum of w up to t,   w_t = t^power * (largest rate up to t)^2
// Defazio et al. 2024, arXiv:2405.15682; the weights are those of github.com/facebookresearch/schedule_free.
#include "core/registry.h"
#include "optim/averaging.h"

#include <algorithm>
#include <cmath>

namespace steepest {

namespace {

class ScheduleFree final : public Averaging {
public:
    struct Options {
        double beta = 0.9, power = 0;
        std::string decay_at = "gradient_point";

        void fields(auto& f) {
            f("beta", beta, "of the average in the point at which gradients are taken",
              Range<double>{.low = 0, .high = 1, .open_low = true});
            f("power", power, "of the step in its weight: 0 is the plain average", Range<double>{.low = 0});
            f("decay_at", decay_at, "the point that weight decay is of", OneOf{"gradient_point", "fast_point"});
        }
    };
    explicit ScheduleFree(Options options) : options_(std::move(options)) {}

    bool decays_fast_point() const override { return options_.decay_at == "fast_point"; }
    double mix(std::int64_t) const override { return options_.beta; }
    double share(std::int64_t step, const std::function<double(std::int64_t)>& learning_rate) override {
        // Added up in order, so that a resumed run has the same bits.
        if (step <= last_) last_ = 0, sum_ = largest_ = 0;
        double weight = 0;
        while (last_ < step) {
            ++last_;
            largest_ = std::max(largest_, learning_rate(last_));
            weight = std::pow(static_cast<double>(last_), options_.power) * largest_ * largest_;
            sum_ += weight;
        }
        return sum_ > 0 ? weight / sum_ : 1;
    }

private:
    Options options_;
    std::int64_t last_ = 0;
    double sum_ = 0, largest_ = 0;
};

const Register<Averaging, ScheduleFree> registered("schedule_free",
                                                   "steps of a fast point, gradients near its average");

}  // namespace

}  // namespace steepest
