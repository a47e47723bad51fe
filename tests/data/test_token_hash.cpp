#include "data/token_hash.h"
#include "tests/data/fixture.h"

#include <gtest/gtest.h>
#include <set>

namespace steepest {
namespace {

using testing::gather;
using testing::OwnedBatch;

class TokenHashes : public testing::DataTest {};

TEST_F(TokenHashes, DoesNotDependOnMicroBatchRanksOrResumes) {
    const Dataset data =
        Dataset::open({.train = {count_up("a.bin", 0, 500)}}, Split::train, {.context = 7, .vocab = 65536});
    const Loader loader(data, 9, Order::shuffled);
    constexpr std::int64_t kBatch = 12, kSteps = 8;  // beyond the end of the first epoch
    std::vector<std::uint64_t> expected;
    TokenStreamHash whole;
    for (std::int64_t s = 0; s < kSteps; ++s)
        whole.add(gather(loader, s * kBatch, kBatch)), expected.push_back(whole.state());
    EXPECT_EQ(std::set<std::uint64_t>(expected.begin(), expected.end()).size(), expected.size());

    for (const std::int64_t micro : {1, 3, 6}) {
        TokenStreamHash hash;
        for (std::int64_t s = 0; s < kSteps; ++s) {
            for (std::int64_t m = 0; m < kBatch; m += micro) hash.add(gather(loader, s * kBatch + m, micro));
            EXPECT_EQ(hash.state(), expected[s]);
            hash = TokenStreamHash(hash.state());
        }
    }

    // Three ranks hash their own samples; the hashes are gathered in the order of ranks.
    TokenStreamHash gathered;
    for (std::int64_t s = 0; s < kSteps; ++s) {
        std::vector<std::uint64_t> hashes(kBatch);
        for (std::int64_t rank = 0; rank < 3; ++rank) {
            OwnedBatch mine = gather(loader, s * kBatch + rank * 4, 4);
            sample_hashes(mine, std::span(hashes).subspan(rank * 4, 4));
        }
        gathered.add(hashes);
        EXPECT_EQ(gathered.state(), expected[s]);
    }
}

TEST(TokenHash, SeesOrderInputsAndTargets) {
    const std::vector<std::int32_t> a{1, 2, 3}, b{2, 3, 4}, c{2, 3, 5};
    EXPECT_NE(sample_hash(a, b), sample_hash(a, c));
    EXPECT_NE(sample_hash(a, b), sample_hash(c, b));
    EXPECT_NE(sample_hash(a, b), sample_hash(b, a));
    const std::uint64_t x = sample_hash(a, b), y = sample_hash(b, c);
    EXPECT_NE(chain_hashes(0, std::vector{x, y}), chain_hashes(0, std::vector{y, x}));
    EXPECT_NE(chain_hashes(0, std::vector{x}), chain_hashes(0, std::vector{x, x}));
    EXPECT_NE(chain_hashes(0, std::vector{x}), chain_hashes(1, std::vector{x}));
    EXPECT_EQ(chain_hashes(chain_hashes(5, std::vector{x}), std::vector{y}), chain_hashes(5, std::vector{x, y}));
    EXPECT_EQ(chain_hashes(5, {}), 5u);
}

}  // namespace
}  // namespace steepest
