#include "optim/diagnostics.h"

#include "core/random.h"
#include "ops/elementwise.h"
#include "ops/multiply.h"
#include "ops/norm.h"
#include "optim/sides.h"
#include "optim/tridiagonal.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace steepest {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<float> to_host(Device device, ConstTensor t) {
    std::vector<float> values(static_cast<std::size_t>(t.count()));
    copy_to_host(device, values.data(), t.data, t.bytes());
    return values;
}

double root(double x) { return std::sqrt(std::max(0.0, x)); }

}  // namespace

Diagnostics::Diagnostics(const std::string& group, std::span<const Member> members, DiagnosticsOptions options)
    : group_(group), options_(options), binding_(group, "diagnostics", members) {
    std::vector<Shape> matrices;
    for (std::size_t i = 0; i < binding_.shapes().size(); ++i)
        if (const Shape& shape = binding_.shapes()[i]; shape.rank() == 2)
            matrices_.push_back(i), matrices.push_back(shape);
    grams_ = side_shapes(matrices);
    if (options_.every == 0) return;
    binding_.state("previous_direction", &kept_);
    binding_.number_state("previous_step", &kept_step_);
    binding_.scratch("estimates", binding_.shapes(), &estimates_);
    binding_.scratch("work", binding_.shapes(), &work_);
    for (Scalar* s : {&one_, &noise_scale_}) binding_.scalar("number", s);
    binding_.scalar("step", &step_number_);
    if (matrices.empty()) return;
    polar_.prepare(binding_, "polar", matrices);
    binding_.scratch("gram", grams_, &gram_);
    std::vector<Shape> vectors, parts(grams_.size(), Shape{1, kLanczosSteps});
    for (const Shape& gram : grams_) vectors.push_back({kLanczosSteps + 1, gram[0]});
    binding_.scratch("lanczos", std::move(vectors), &lanczos_);
    binding_.scratch("parts", std::move(parts), &parts_);
}

void Diagnostics::plan_lasting(Layout& scratch) {
    if (options_.every == 0) return;
    scratch.add(group_ + "/diagnostics/readings", &readings_, DType::f32, {row_count, tensors()});
    scratch.add(group_ + "/diagnostics/previous_step", &previous_step_, DType::f32, {1});
    std::int64_t side = 0;
    for (const Shape& gram : grams_) side = std::max(side, gram[0]);
    if (side > 0) scratch.add(group_ + "/diagnostics/start", &start_, DType::f32, {side});
}

void Diagnostics::plan(Layout& state, Layout& scratch, StepScalars& scalars) { binding_.plan(state, scratch, scalars); }

void Diagnostics::bind(Device device, ConstTensor ok, TensorList first) {
    binding_.bind(device);
    binding_.ok = ok;
    first_ = std::move(first);
    if (options_.every == 0) return;
    fill_zero(device, readings_.data, readings_.bytes());
    if (!start_) return;
    // Any fixed vector that no structure of a matrix is orthogonal to.
    const Random random(0, "diagnostics");
    std::vector<float> values;
    for (std::int64_t i = 0; i < start_.count(); ++i)
        values.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i))));
    copy_to_device(device, start_.data, values.data(), start_.bytes());
}

void Diagnostics::begin_step(std::int64_t step) {
    step_ = step;
    if (options_.every == 0) return;
    one_.set(1);
    noise_scale_.set(2 / static_cast<double>(options_.micro_batches));
    step_number_.set(static_cast<double>(step));
}

Tensor Diagnostics::row(int row, std::int64_t count) const {
    return {readings_.as<float>() + row * tensors(), DType::f32, Shape{count}};
}

TensorList Diagnostics::only_matrices(const TensorList& all) const {
    TensorList list;
    for (const std::size_t i : matrices_) list.push_back(all[i]);
    return list;
}

// Overwrites x.
void Diagnostics::sum_sizes(const TensorList& x, Row squares, Row sizes) {
    run(binding_.device, SumOfSquares{.sums = of_tensors(squares), .list = x});
    run(binding_.device, Sign{.x = x, .dual = of_tensors(sizes)});
}

void Diagnostics::nuclear_norms(const TensorList& all, Row to) {
    if (matrices_.empty()) return;
    run(binding_.device, Copy{.to = work_, .from = all});
    polar_.replace(binding_.device, only_matrices(work_), of_matrices(to));
}

void Diagnostics::see_gradients(const TensorList& gradients) {
    run(binding_.device, Copy{.to = work_, .from = gradients});
    sum_sizes(work_, gradient_squares, gradient_sizes);
    nuclear_norms(gradients, gradient_nuclear);
    if (first_.empty()) return;
    // 2 (F - G / micro_batches), F being the first micro-batch's part of G: its size does not matter.
    run(binding_.device, MvrCorrect{.c = first_,
                                    .other = gradients,
                                    .g = first_,
                                    .gradient_scale = one_.tensor(),
                                    .other_scale = noise_scale_.tensor(),
                                    .strength = one_.tensor(),
                                    .keep_gradient = false});
    sum_sizes(first_, noise_squares, noise_sizes);
}

void Diagnostics::see_estimates(const TensorList& estimates) {
    run(binding_.device, Copy{.to = estimates_, .from = estimates});
    nuclear_norms(estimates, estimate_nuclear);
}

void Diagnostics::see_directions(const TensorList& directions, const TensorList& weights) {
    const Device device = binding_.device;
    run(device, Dot{.sums = of_tensors(inner), .a = estimates_, .b = directions});
    run(device, SumOfSquares{.sums = of_tensors(direction_squares), .list = directions});
    run(device, SumOfSquares{.sums = of_tensors(weight_squares), .list = weights});
    run(device, Dot{.sums = of_tensors(previous_inner), .a = kept_, .b = directions});
    run(device, SumOfSquares{.sums = of_tensors(previous_squares), .list = kept_});
    run(device, Copy{.to = {previous_step_}, .from = {kept_step_}});
    if (!matrices_.empty()) singular_values(directions);
}

void Diagnostics::keep_directions(const TensorList& directions) {
    run(binding_.device, Copy{.to = kept_, .from = directions, .gate = binding_.ok});
    const ConstTensor now = step_number_.tensor();
    run(binding_.device, Copy{.to = {kept_step_},
                              .from = {Tensor(const_cast<void*>(now.data), now.dtype, now.shape)},
                              .gate = binding_.ok});
}

// Lanczos' method on the Gram matrices of the shorter sides, all at once, each vector made orthogonal to all before:
// the diagonals q_k A q_k, and squares of the norms of what is left, whose roots are beside them.
void Diagnostics::singular_values(const TensorList& directions) {
    const Device device = binding_.device;
    const TensorList d = only_matrices(directions);
    multiply(device, SideProduct{.h = gram_, .x = d, .y = d});
    run(device, SumOfSquares{.sums = of_matrices(gram_squares), .list = gram_});

    const auto vectors = [&](std::int64_t first, std::int64_t count) {
        TensorList list;
        for (const Tensor& t : lanczos_) list.push_back(t.rows(first, count));
        return list;
    };
    TensorList start;
    for (const Shape& gram : grams_) start.emplace_back(start_.data, DType::f32, Shape{1, gram[0]});
    run(device, Copy{.to = vectors(0, 1), .from = start});
    run(device, SumOfSquares{.sums = of_matrices(others), .list = vectors(0, 1)});
    run(device, Normalize{.x = vectors(0, 1), .sums = of_matrices(others)});
    for (int k = 0; k < kLanczosSteps; ++k) {
        const TensorList q = vectors(k, 1), next = vectors(k + 1, 1), all = vectors(0, k + 1);
        TensorList parts;
        for (const Tensor& t : parts_) parts.emplace_back(t.data, DType::f32, Shape{1, k + 1});
        run(device, Multiply{.c = next, .a = q, .b = gram_});
        run(device, Dot{.sums = of_matrices(diagonals + k), .a = next, .b = q});
        for (int pass = 0; pass < 2; ++pass) {
            run(device, Multiply{.c = parts, .a = next, .b = all, .transpose_b = true});
            run(device, Multiply{.c = next, .a = parts, .b = all, .d = next, .alpha = -1});
        }
        run(device, SumOfSquares{.sums = of_matrices(others + k), .list = next});
        run(device, Normalize{.x = next, .sums = of_matrices(others + k)});
    }
}

GroupDiagnosis Diagnostics::read(const Use& use) const {
    const Device device = binding_.device;
    const std::vector<float> all = to_host(device, readings_);
    const auto lengths = use.lengths ? to_host(device, use.lengths) : std::vector<float>(all.size(), 1);
    const double cut = use.cut ? to_host(device, use.cut)[0] : 1;
    const double kept_step = to_host(device, previous_step_)[0];

    const auto n = static_cast<std::size_t>(tensors()), m = matrices_.size();
    const auto at = [&](int row, std::size_t i) {
        return static_cast<double>(all[static_cast<std::size_t>(row) * n + i]);
    };
    const auto sum = [&](int row, std::size_t count) {
        double total = 0;
        for (std::size_t i = 0; i < count; ++i) total += at(row, i);
        return total;
    };
    const auto lanczos_range = [&](std::size_t k) {
        std::vector<double> diagonal, beside;
        for (int step = 0; step < kLanczosSteps && step < grams_[k][0]; ++step) {
            diagonal.push_back(at(diagonals + step, k)), beside.push_back(root(at(others + step, k)));
            // Nothing but rounding is left: the vectors so far span all that the start has a part in.
            if (!(beside.back() > 1e-6 * std::abs(diagonal.front()))) break;
        }
        return tridiagonal_range(diagonal, beside);
    };
    double elements = 0, squares = 0, cosine = 0;
    for (std::size_t i = 0; i < n; ++i) {
        elements += static_cast<double>(binding_.shapes()[i].count());
        squares += std::pow(use.factors[i] * lengths[i], 2) * at(direction_squares, i);
        cosine +=
            at(previous_inner, i) / root(at(direction_squares, i) * at(previous_squares, i)) / static_cast<double>(n);
    }
    const auto density = [&](Row sizes, Row of_squares) {
        return std::pow(sum(sizes, n), 2) / (elements * sum(of_squares, n));
    };
    const double update = std::abs(use.rate * cut) * std::sqrt(squares / elements),
                 weight = std::sqrt(sum(weight_squares, n) / elements);

    GroupDiagnosis d{group_, {}};
    const auto say = [&](const char* name, double value) { d.values.emplace_back(name, value); };
    say("update_rms", update), say("weight_rms", weight), say("update_to_weight", update / weight);
    say("dual_norm", sum(inner, n));
    if (m > 0) {
        double dual = 0, smallest = INFINITY, largest = 0, deviation = 0, sides = 0, rank = 0;
        for (std::size_t k = 0; k < m; ++k) {
            const std::size_t i = matrices_[k];
            const auto side = static_cast<double>(grams_[k][0]);
            dual += at(inner, i);
            rank += std::pow(at(gradient_nuclear, k), 2) / at(gradient_squares, i) / static_cast<double>(m);
            // Of eigenvalues e: sum (e - 1)^2.
            deviation += at(gram_squares, k) - 2 * at(direction_squares, i) + side, sides += side;
            const auto [low, high] = lanczos_range(k);
            smallest = std::min(smallest, root(low)), largest = std::max(largest, root(high));
        }
        say("dual_to_nuclear", dual / sum(estimate_nuclear, m));
        say("singular_min", smallest), say("singular_max", largest);
        say("orthogonality_error", root(deviation / sides));
        say("gradient_rank", rank);
    }
    say("gradient_density", density(gradient_sizes, gradient_squares));
    if (!first_.empty()) say("noise_density", density(noise_sizes, noise_squares));
    say("cosine", kept_step > 0 && kept_step == static_cast<double>(step_ - 1) ? cosine : kNaN);
    return d;
}

}  // namespace steepest
