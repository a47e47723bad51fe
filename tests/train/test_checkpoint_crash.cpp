#include "core/random.h"
#include "tests/train/checkpoint_fixture.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace steepest {
namespace {

using testing::TinyRun;
using CheckpointCrash = testing::CheckpointTest;

// A process that does nothing but write checkpoints, each step twice, is killed at moments it cannot know. What it had
// been told was durable must be there, whole, and so must whatever newer one is found.
TEST_F(CheckpointCrash, KilledAtAnyMoment) {
    TinyRun run(20000), other(20000);
    const Random random(1, "crash");
    std::int64_t last = 0;
    for (int round = 0; round < 20; ++round) {
        int channel[2];
        ASSERT_EQ(::pipe(channel), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(channel[0]);
            try {
                for (std::int64_t step = last + 1;; ++step)
                    for (int again = 0; again < 2; ++again) {
                        save(run, step, 2);
                        if (::write(channel[1], &step, sizeof step) != sizeof step) ::_exit(2);
                    }
            } catch (...) {
                ::_exit(1);
            }
        }
        ::close(channel[1]);
        // Not before the first one is there: killing a process that has not begun shows nothing.
        std::int64_t durable = 0;
        ASSERT_EQ(::read(channel[0], &durable, sizeof durable), ssize_t{sizeof durable});
        ::usleep(static_cast<useconds_t>(random.below(30000, round)));
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
        while (::read(channel[0], &durable, sizeof durable) == ssize_t{sizeof durable}) {
        }
        ::close(channel[0]);

        const auto state = load(other);
        ASSERT_TRUE(state.has_value());
        EXPECT_GE(state->step, durable) << "a durable checkpoint is gone";
        EXPECT_TRUE(other.is_at(state->step)) << "a mixture, round " << round;
        EXPECT_EQ(*state, TinyRun::state(state->step));
        EXPECT_EQ(warnings(), "") << "a half-written one was taken for a checkpoint, round " << round;
        last = state->step;
    }
}

}  // namespace
}  // namespace steepest
