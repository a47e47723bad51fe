#include "problems/synthetic.h"

#include "core/error.h"
#include "problems/nuclear_norm.h"

#include <cmath>

namespace steepest {

namespace {

SyntheticProblem::Values values_of(const Tensor& t) {
    const auto* at = t.as<float>();
    return {at, at + t.count()};
}

}  // namespace

// Copies stay f32 in every precision: the problems are about optimizers, not about rounding.
SyntheticProblem::SyntheticProblem(Shape shape, Init init)
    : specs_{{.name = "w", .shape = shape, .role = Role::matrix, .init = init}} {}

void SyntheticProblem::bind(Device device) {
    if (!std::holds_alternative<Cpu*>(device)) throw InputError("/problem: synthetic problems need /device \"cpu\"");
}

double SyntheticProblem::sum(const Tensor& weights, const MicroBatch& batch, Values& gradient) const {
    const Values w = values_of(weights);
    double total = 0;
    for (std::int64_t b = 0; b < batch.inputs.shape[0]; ++b)
        total +=
            sample(w, Random(noise_seed_, "problem", static_cast<std::uint64_t>(batch.first_sample + b)), gradient);
    return total;
}

void SyntheticProblem::gradient(std::span<const Tensor> weights, const MicroBatch& batch,
                                std::span<const Tensor> gradients, Tensor loss, float scale, bool accumulate) {
    Values g(weights[0].count());
    const double total = scale * sum(weights[0], batch, g);
    float *to = gradients[0].as<float>(), *value = loss.as<float>();
    for (std::size_t i = 0; i < g.size(); ++i) to[i] = static_cast<float>(scale * g[i] + (accumulate ? to[i] : 0));
    *value = static_cast<float>(total + (accumulate ? *value : 0));
}

void SyntheticProblem::loss(std::span<const Tensor> weights, const MicroBatch& batch, Tensor loss, float scale,
                            bool accumulate) {
    Values unused(weights[0].count());
    auto* value = loss.as<float>();
    *value = static_cast<float>(scale * sum(weights[0], batch, unused) + (accumulate ? *value : 0));
}

SyntheticProblem::Exact SyntheticProblem::exact(std::span<const Tensor> weights) const {
    const Values w = values_of(weights[0]);
    Values g(w.size());
    Exact exact{.loss = objective(w, g), .measures = {}};
    double l1 = 0, squares = 0;
    for (const double x : g) l1 += std::abs(x), squares += x * x;
    exact.measures = {{"gradient_l1", l1}, {"gradient_l2", std::sqrt(squares)}};
    if (shape().rank() == 2)
        exact.measures.emplace_back("gradient_nuclear", nuclear_norm(std::move(g), shape().rows(), shape().cols()));
    measure(w, exact.measures);
    return exact;
}

}  // namespace steepest
