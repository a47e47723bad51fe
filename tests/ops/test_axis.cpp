// Norms of rows and columns, and division by them.
#include "ops/axis.h"
#include "tests/close.h"
#include "tests/ops/list.h"
#include "tests/reference/axis.h"

#include <deque>

namespace steepest {
namespace {

using namespace testing;

// One row, one column, nothing, more columns than a band, more than a chunk, and sizes that fit no warp.
const std::vector<std::pair<std::int64_t, std::int64_t>> kMatrices = {{1, 40},  {40, 1},  {0, 7},    {33, 70},
                                                                      {5, 300}, {300, 5}, {3, 70001}};

std::vector<double> values_of(std::size_t i) {
    const auto [rows, cols] = kMatrices[i];
    return normal(rows * cols, "x" + std::to_string(i));
}

class Matrices {
public:
    Matrices() {
        for (std::size_t i = 0; i < kMatrices.size(); ++i)
            tensors_.emplace_back(Shape{kMatrices[i].first, kMatrices[i].second}, values_of(i));
    }
    TensorList list() {
        TensorList out;
        for (auto& t : tensors_) out.push_back(t);
        return out;
    }
    std::vector<float> values(std::size_t i) const { return tensors_[i].values(); }
    bool intact() const {
        return std::ranges::all_of(tensors_, [](const auto& t) { return t.guards_intact(); });
    }

private:
    std::deque<Guarded<float>> tensors_;
};

std::int64_t count_along(std::size_t i, Axis axis) {
    return axis == Axis::rows ? kMatrices[i].first : kMatrices[i].second;
}

std::vector<double> rounded(std::vector<double> values) {
    for (double& v : values) v = static_cast<float>(v);
    return values;
}

TEST(AxisSquares, OfRowsAndColumns) {
    for (const Axis axis : {Axis::rows, Axis::columns})
        for (const bool mean : {false, true}) {
            const auto got = on_all_backends([&](Device device) {
                Matrices x;
                std::deque<Guarded<float>> sums;
                TensorList list;
                for (std::size_t i = 0; i < kMatrices.size(); ++i)
                    list.push_back(sums.emplace_back(Shape{count_along(i, axis)}));
                run(device, AxisSquares{.sums = list, .x = x.list(), .axis = axis, .mean = mean});
                Outputs out;
                for (auto& s : sums) {
                    EXPECT_TRUE(s.guards_intact());
                    out.push_back(s.values());
                }
                return out;
            });
            for (std::size_t i = 0; i < kMatrices.size(); ++i) {
                const auto [rows, cols] = kMatrices[i];
                // Sums are in double: the result's rounding, and 1e-3 of it for theirs.
                expect_close(std::to_string(i), got[i],
                             reference::axis_squares(rounded(values_of(i)), rows, cols, axis == Axis::rows, mean),
                             {0, 1.001 * kF32});
            }
        }
}

TEST(DivideByRoots, OfRowsAndColumns) {
    for (const Axis axis : {Axis::rows, Axis::columns})
        for (const auto& [inside, outside] : {std::pair{0.0f, 0.0f}, {0.5f, 0.0f}, {0.0f, 0.25f}}) {
            std::vector<std::vector<double>> values;
            for (std::size_t i = 0; i < kMatrices.size(); ++i) {
                values.push_back(rounded(normal(count_along(i, axis), "v" + std::to_string(i))));
                for (double& v : values.back()) v *= v;
                values.back() = rounded(values.back());
                if (!values.back().empty()) values.back()[0] = 0;
            }
            const auto got = on_all_backends([&](Device device) {
                Matrices x;
                std::deque<Guarded<float>> divisors;
                TensorList list;
                for (const auto& v : values)
                    list.push_back(divisors.emplace_back(Shape{static_cast<std::int64_t>(v.size())}, v));
                run(device,
                    DivideByRoots{.x = x.list(), .values = list, .axis = axis, .inside = inside, .outside = outside});
                EXPECT_TRUE(x.intact());
                Outputs out;
                for (std::size_t i = 0; i < kMatrices.size(); ++i) out.push_back(x.values(i));
                return out;
            });
            for (std::size_t i = 0; i < kMatrices.size(); ++i) {
                const auto [rows, cols] = kMatrices[i];
                std::vector<double> expected = rounded(values_of(i));
                for (std::int64_t k = 0; k < rows * cols; ++k) {
                    double& x = expected[static_cast<std::size_t>(k)];
                    x = reference::divided(
                        x, values[i][static_cast<std::size_t>(axis == Axis::rows ? k / cols : k % cols)],
                        double(inside), double(outside));
                }
                // Of the sum inside, the root, the sum outside, the quotient and the product.
                expect_close(std::to_string(i), got[i], expected, {0, 5 * kF32});
            }
        }
}

TEST(AxisOps, RefuseOtherCounts) {
    Guarded<float> x(Shape{3, 4}), three(Shape{3}), four(Shape{4});
    EXPECT_THROW(run(the_device(), AxisSquares{.sums = {four}, .x = {x}, .axis = Axis::rows}), ShapeError);
    EXPECT_THROW(run(the_device(), DivideByRoots{.x = {x}, .values = {three}, .axis = Axis::columns}), ShapeError);
}

}  // namespace
}  // namespace steepest
