#include "data/loader.h"
#include "data/token_hash.h"
#include "tests/data/fixture.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <thread>

namespace steepest {
namespace {

using testing::gather;
using testing::OwnedBatch;

constexpr std::int64_t kContext = 8, kSamples = 37;

class Loaders : public testing::DataTest {
protected:
    // Windows 0..36, of which window i begins with token 8 i; the second shard has a tail of 5 tokens.
    Dataset open() const {
        return Dataset::open(
            {.train = {count_up("a.bin", 0, 20 * kContext + 1), count_up("b.bin", 20 * kContext, 17 * kContext + 6)},
             .validation_fraction = 0},
            Split::train, {.context = kContext, .vocab = 65536, .batch = 4});
    }
};

TEST_F(Loaders, TargetsAreInputsShiftedByOne) {
    const Dataset data = open();
    ASSERT_EQ(data.sample_count(), kSamples);
    const OwnedBatch batch = gather(Loader(data, 1, Order::shuffled), 0, kSamples);
    for (std::size_t i = 0; i < batch.inputs.size(); ++i) EXPECT_EQ(batch.targets[i], batch.inputs[i] + 1);
}

TEST_F(Loaders, SequentialIsTheDataInOrderAgainAndAgain) {
    const Dataset data = open();
    const OwnedBatch batch = gather(Loader(data, 1, Order::sequential), 0, 2 * kSamples);
    for (std::int64_t b = 0; b < 2 * kSamples; ++b) EXPECT_EQ(batch.inputs[b * kContext], b % kSamples * kContext) << b;
}

TEST_F(Loaders, EveryWindowOnceAnEpoch) {
    const Dataset data = open();
    const Loader loader(data, 1, Order::shuffled);
    std::vector<std::int64_t> previous;
    for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
        std::vector<std::int64_t> order(kSamples);
        for (std::int64_t i = 0; i < kSamples; ++i) order[i] = loader.window(epoch * kSamples + i);
        EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), static_cast<std::size_t>(kSamples));
        EXPECT_EQ(*std::max_element(order.begin(), order.end()), kSamples - 1);
        EXPECT_NE(order, previous) << "epochs must differ";
        previous = order;
    }
}

// A batch is a function of its sample numbers: the same later, from another loader over another opening of the files,
// from other threads, and cut into micro-batches of any size, also across the ends of epochs.
TEST_F(Loaders, ABatchIsAPureFunctionOfItsSamples) {
    const Dataset data = open(), again = open();
    const Loader loader(data, 42, Order::shuffled), other(again, 42, Order::shuffled);
    constexpr std::int64_t kBatch = 12, kSteps = 10;  // the first epoch ends in step 3, the second in step 6
    std::vector<OwnedBatch> steps;
    for (std::int64_t s = 0; s < kSteps; ++s) steps.push_back(gather(loader, s * kBatch, kBatch));

    for (std::int64_t s = kSteps - 1; s >= 0; --s) {
        EXPECT_EQ(gather(loader, s * kBatch, kBatch), steps[s]);
        EXPECT_EQ(gather(other, s * kBatch, kBatch), steps[s]);
        for (const std::int64_t micro : {1, 2, 3, 4, 6}) {
            OwnedBatch whole(kBatch, kContext);
            for (std::int64_t m = 0; m < kBatch; m += micro) {
                const OwnedBatch part = gather(other, s * kBatch + m, micro);
                std::ranges::copy(part.inputs, whole.inputs.begin() + m * kContext);
                std::ranges::copy(part.targets, whole.targets.begin() + m * kContext);
            }
            EXPECT_EQ(whole, steps[s]) << "micro-batch " << micro;
        }
    }

    std::vector<OwnedBatch> threaded(kSteps, OwnedBatch(kBatch, kContext));
    std::vector<std::thread> threads;
    for (std::int64_t s = 0; s < kSteps; ++s) threads.emplace_back([&, s] { loader.gather(s * kBatch, threaded[s]); });
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(threaded, steps);
}

TEST_F(Loaders, AnEpochMayEndInsideABatch) {
    const Dataset data = open();
    const Loader loader(data, 3, Order::shuffled);
    const OwnedBatch batch = gather(loader, kSamples - 2, 5);
    for (std::int64_t b = 0; b < 5; ++b) {
        const std::int64_t sample = kSamples - 2 + b;
        EXPECT_EQ(batch.inputs[b * kContext], loader.window(sample) * kContext);
        const OwnedBatch alone = gather(loader, sample, 1);
        EXPECT_TRUE(std::equal(alone.inputs.begin(), alone.inputs.end(), batch.inputs.begin() + b * kContext));
    }
}

TEST_F(Loaders, SeedsMakeOtherOrders) {
    const Dataset data = open();
    EXPECT_NE(gather(Loader(data, 1, Order::shuffled), 0, kSamples),
              gather(Loader(data, 2, Order::shuffled), 0, kSamples));
    EXPECT_EQ(gather(Loader(data, 1, Order::sequential), 0, 4), gather(Loader(data, 2, Order::sequential), 0, 4));
}

// The order is part of what a published curve stands for: it must be the same in every version of the program.
// The windows come from a transcription of Philox, FNV-1a and the Feistel rounds in exact integers (Python).
TEST_F(Loaders, TheOrderNeverChanges) {
    const Dataset data = open();
    const Loader loader(data, 1234, Order::shuffled);
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < 8; ++i) order.push_back(loader.window(i));
    EXPECT_EQ(order, (std::vector<std::int64_t>{28, 3, 1, 25, 5, 17, 29, 9}));
    TokenStreamHash hash;
    hash.add(gather(loader, 0, 100));
    EXPECT_EQ(hash.state(), 15134403489688734522u);
}

}  // namespace
}  // namespace steepest
