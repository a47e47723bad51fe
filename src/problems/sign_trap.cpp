// A convex function on which signs of subgradients, and so polar factors, get nowhere near the minimum: Karimireddy et
// al. 2019, arXiv:1901.09847, section 3, on the diagonal of a matrix, as arXiv:2605.08980 carries it over to Muon.
//   f(x) = |x_1 + x_2| / 2 + |x_1 - x_2|,   x = (1, 1/2) + the diagonal of W;   no noise
// Subgradients have signs (+, -) or (-, +), so x_1 + x_2 stays 3/2 and f at least 3/4.
#include "problems/synthetic.h"

#include <cmath>

namespace steepest {

namespace {

class SignTrap final : public SyntheticProblem {
public:
    using Options = NoOptions;
    explicit SignTrap(Options) : SyntheticProblem({2, 2}, {}) {}

    std::int64_t gradient_flops(std::int64_t samples) const override { return 8 * samples; }

private:
    double objective(const Values& w, Values& gradient) const override {
        const double sum = 1.5 + w[0] + w[3], difference = 0.5 + w[0] - w[3];
        const double of_sum = sum > 0 ? 0.5 : -0.5, of_difference = difference > 0 ? 1 : -1;
        gradient[0] += of_sum + of_difference, gradient[3] += of_sum - of_difference;
        return std::abs(sum) / 2 + std::abs(difference);
    }
    double sample(const Values& w, const Random&, Values& gradient) const override { return objective(w, gradient); }
};

const Register<SyntheticProblem, SignTrap> registered("sign_trap", "a convex function whose signs lead nowhere");

}  // namespace

}  // namespace steepest
