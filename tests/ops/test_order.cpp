// Rows in descending order of inner products, against a stable sort.
#include "ops/order.h"
#include "tests/close.h"
#include "tests/ops/list.h"

#include <algorithm>
#include <deque>
#include <numeric>

namespace steepest {
namespace {

using namespace testing;

const std::vector<std::pair<std::int64_t, std::int64_t>> kMatrices = {{1, 40}, {40, 1}, {33, 70}, {300, 5}, {9, 1030}};

TEST(RowRanks, AreThePlacesOfAStableSort) {
    const auto got = on_all_backends([&](Device device) {
        std::deque<Guarded<float>> all;
        RowRanks op{};
        for (std::size_t i = 0; i < kMatrices.size(); ++i) {
            const auto [rows, cols] = kMatrices[i];
            const Shape shape{rows, cols};
            std::vector<double> x = normal(rows * cols, "x" + std::to_string(i));
            for (std::int64_t c = 0; c < cols; ++c)  // two that are equal
                x[static_cast<std::size_t>((rows - 1) * cols + c)] = x[static_cast<std::size_t>(rows / 3 * cols + c)];
            op.x.push_back(all.emplace_back(shape, x));
            op.y.push_back(all.emplace_back(shape, std::vector<double>(static_cast<std::size_t>(rows * cols), 0.5)));
            op.keys.push_back(all.emplace_back(Shape{rows})), op.ranks.push_back(all.emplace_back(Shape{rows}));
        }
        run(device, op);
        Outputs out;
        for (auto& t : all) {
            EXPECT_TRUE(t.guards_intact());
            out.push_back(t.values());
        }
        return out;
    });
    for (std::size_t i = 0; i < kMatrices.size(); ++i) {
        const auto [rows, cols] = kMatrices[i];
        const std::vector<float>&x = got[4 * i], &keys = got[4 * i + 2], &ranks = got[4 * i + 3];
        std::vector<double> sums(static_cast<std::size_t>(rows));
        std::vector<std::size_t> order(static_cast<std::size_t>(rows));
        for (std::size_t k = 0; k < x.size(); ++k) sums[k / static_cast<std::size_t>(cols)] += 0.5 * double(x[k]);
        expect_close("keys", keys, sums, {1e-12, 1.001 * kF32});
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys[a] > keys[b]; });
        for (std::size_t place = 0; place < order.size(); ++place)
            EXPECT_EQ(ranks[order[place]], static_cast<float>(place)) << i;
    }
}

TEST(Permute, MovesRowsAndColumns) {
    for (const bool by_row : {false, true})
        for (const bool by_column : {false, true}) {
            const auto got = on_all_backends([&](Device device) {
                Guarded<float> from(Shape{3, 4}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23}), to(Shape{3, 4}),
                    rows(Shape{3}, {2, 0, 1}), columns(Shape{4}, {1, 3, 0, 2});
                run(device, Permute{.to = {to},
                                    .from = {from},
                                    .rows = {by_row ? rows.tensor() : Tensor{}},
                                    .columns = {by_column ? columns.tensor() : Tensor{}}});
                EXPECT_TRUE(to.guards_intact());
                return Outputs{to.values()};
            });
            const int rows[] = {2, 0, 1}, columns[] = {1, 3, 0, 2};
            for (int r = 0; r < 3; ++r)
                for (int c = 0; c < 4; ++c)
                    EXPECT_EQ(
                        got[0][static_cast<std::size_t>((by_row ? rows[r] : r) * 4 + (by_column ? columns[c] : c))],
                        static_cast<float>(10 * r + c));
        }
}

TEST(Order, RefusesWhatDoesNotMatch) {
    Guarded<float> x(Shape{3, 4}), other(Shape{4, 3}), three(Shape{3}), four(Shape{4});
    EXPECT_THROW(run(the_device(), RowRanks{.ranks = {four}, .keys = {three}, .x = {x}, .y = {x}}), ShapeError);
    EXPECT_THROW(run(the_device(), Permute{.to = {other}, .from = {x}, .rows = {Tensor{}}, .columns = {Tensor{}}}),
                 ShapeError);
    EXPECT_THROW(run(the_device(), Permute{.to = {other}, .from = {other}, .rows = {three}, .columns = {Tensor{}}}),
                 ShapeError);
}

}  // namespace
}  // namespace steepest
