#include "train/loss_differences.h"

#include "ops/elementwise.h"
#include "ops/finite_difference.h"
#include "ops/gaussian.h"
#include "ops/multiply.h"
#include "train/padding.h"

#include <algorithm>

namespace steepest {

LossDifferences::LossDifferences(const ZerothOrderConfig& config, std::span<const ParamSpec> specs, std::uint64_t seed)
    : config_(config), members_(members_of(specs)), binding_("oracle", "zeroth_order", members_) {
    binding_.seed = seed;
    const auto n = static_cast<std::int64_t>(specs.size());
    binding_.scratch("slopes", &slopes_, DType::f32, {n});
    binding_.scratch("other_loss", &other_loss_, DType::f32, {1});
    binding_.scalar("step", &step_);
    std::vector<Shape> rows, columns, bases, psi;
    for (const ParamSpec& spec : specs) {
        const bool matrix = spec.shape.rank() == 2;
        rows.push_back({matrix ? spec.shape.rows() : 0, 1}), columns.push_back({1, spec.shape.cols()});
        if (!matrix) {
            psi.push_back(spec.shape);
            continue;
        }
        bases.push_back({std::min<std::int64_t>(config.rank, spec.shape.rows()), spec.shape.rows()});
        psi.push_back({bases.back().rows(), spec.shape.cols()});
    }
    if (blocks()) {
        binding_.scratch("rows", std::move(rows), &rows_);
        binding_.scratch("columns", std::move(columns), &columns_);
        return;
    }
    binding_.scalar("period", &period_);
    orthonormal_.prepare(binding_, "parts", bases);
    binding_.scratch("bases", std::move(bases), &bases_);
    binding_.scratch("psi", psi, &psi_);
    binding_.scratch("mean_psi", std::move(psi), &mean_psi_);
}

void LossDifferences::plan(Layout& gradients, Layout& scratch, StepScalars& scalars, const TensorList& copies) {
    Layout no_state;
    binding_.plan(no_state, scratch, scalars);
    copies_.resize(copies.size());
    for (std::size_t i = 0; i < copies.size(); ++i)
        if (copies[i].dtype != DType::f32)
            gradients.add(members_[i].spec->name + "/oracle/moved", &copies_[i], copies[i].dtype, copies[i].shape);
}

void LossDifferences::bind(Device device, const TensorList& masters, const TensorList& copies) {
    binding_.bind(device);
    masters_ = masters;
    weights_ = copies;
}

void LossDifferences::begin_step(std::int64_t step) {
    step_.set(static_cast<double>(step));
    if (!blocks()) period_.set(static_cast<double>((step - 1) / config_.every));
}

ConstTensor LossDifferences::slope() const {
    return blocks() ? ConstTensor(slopes_.data, DType::f32, Shape{1}) : ConstTensor{};
}

void LossDifferences::estimate(const TensorList& into, Tensor loss_at, const Loss& loss) {
    const Device device = binding_.device;
    if (blocks()) {
        for (TensorList* lines : {&rows_, &columns_})
            run(device, Bernoulli{.x = *lines,
                                  .key = binding_.stream(lines == &rows_ ? "rows" : "columns"),
                                  .step = step_.tensor(),
                                  .probability = config_.fraction});
        draw_block(into);
        loss(moved(into, config_.distance), loss_at);
        draw_block(into);
        loss(moved(into, -config_.distance), other_loss_);
        run(device, FiniteDifference{
                        .slopes = slopes_, .plus = loss_at, .minus = other_loss_, .distance = 2 * config_.distance});
        return draw_block(into);
    }
    run(device, Gaussian{.x = bases_, .key = binding_.stream("subspace"), .step = period_.tensor()});
    orthonormal_.replace(device, bases_);
    loss(weights_, loss_at);
    for (int q = 0; q < config_.queries; ++q) {
        run(device,
            Gaussian{.x = psi_, .key = binding_.stream("direction " + std::to_string(q)), .step = step_.tensor()});
        expand(into, psi_);
        loss(moved(into, config_.distance), other_loss_);
        run(device,
            FiniteDifference{.slopes = slopes_, .plus = other_loss_, .minus = loss_at, .distance = config_.distance});
        run(device, AddScaled{.x = mean_psi_,
                              .y = psi_,
                              .a = q == 0 ? 0.0f : 1.0f,
                              .b = 1.0f / static_cast<float>(config_.queries),
                              .factors = slopes_});
    }
    expand(into, mean_psi_);
}

void LossDifferences::draw_block(const TensorList& into) const {
    Multiply crossings{.c = {}, .a = {}, .b = {}};
    Copy vectors{};
    for (std::size_t i = 0; i < into.size(); ++i)
        if (is_matrix(i))
            crossings.c.push_back(into[i]), crossings.a.push_back(rows_[i]), crossings.b.push_back(columns_[i]);
        else
            vectors.to.push_back(into[i]), vectors.from.push_back(columns_[i]);
    if (!crossings.c.empty()) run(binding_.device, crossings);
    if (!vectors.to.empty()) run(binding_.device, vectors);
    clear_padding(binding_.device, members_, into);
}

void LossDifferences::expand(const TensorList& into, const TensorList& psi) const {
    Multiply products{.c = {}, .a = {}, .b = {}, .transpose_a = true};
    Copy vectors{};
    std::size_t basis = 0;
    for (std::size_t i = 0; i < into.size(); ++i)
        if (is_matrix(i))
            products.c.push_back(into[i]), products.a.push_back(bases_[basis++]), products.b.push_back(psi[i]);
        else
            vectors.to.push_back(into[i]), vectors.from.push_back(psi[i]);
    if (!products.c.empty()) run(binding_.device, products);
    if (!vectors.to.empty()) run(binding_.device, vectors);
    clear_padding(binding_.device, members_, into);
}

const TensorList& LossDifferences::moved(const TensorList& into, double distance) {
    run(binding_.device, AddScaled{.x = into, .y = masters_, .a = static_cast<float>(distance), .b = 1});
    moved_ = into;
    Copy rounded{};
    for (std::size_t i = 0; i < into.size(); ++i)
        if (copies_[i]) rounded.to.push_back(moved_[i] = copies_[i]), rounded.from.push_back(into[i]);
    if (!rounded.to.empty()) run(binding_.device, rounded);
    return moved_;
}

}  // namespace steepest
