#include "core/random.h"
#include "tests/train/checkpoint_fixture.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// Every call by which a checkpoint comes or goes counts down to the end of the process; 0: never.
int calls_to_live = 0;
void count_down() {
    if (calls_to_live > 0 && --calls_to_live == 0) ::_exit(77);
}

}  // namespace

// In place of the C library's, in this test program.
extern "C" int rename(const char* from, const char* to) noexcept {
    count_down();
    return ::renameat(AT_FDCWD, from, AT_FDCWD, to);
}
extern "C" int fsync(int descriptor) {
    count_down();
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}
extern "C" int unlinkat(int folder, const char* name, int flags) noexcept {
    count_down();
    return static_cast<int>(::syscall(SYS_unlinkat, folder, name, flags));
}

namespace steepest {
namespace {

namespace fs = std::filesystem;
using testing::TinyRun;

class CheckpointCrash : public testing::CheckpointTest {
protected:
    // What must hold whenever the writer is gone: no less than what it knew to be durable, and all of it.
    std::int64_t check(TinyRun& run, std::int64_t durable) {
        const auto state = load(run);
        if (!state) {
            ADD_FAILURE() << "nothing there, but step " << durable << " was durable";
            return durable;
        }
        EXPECT_GE(state->step, durable) << "a durable checkpoint is gone";
        EXPECT_TRUE(run.is_at(state->step)) << "a mixture of steps";
        EXPECT_EQ(*state, TinyRun::state(state->step));
        EXPECT_EQ(warnings(), "") << "something unfinished was taken for a checkpoint";
        return state->step;
    }
};

// Keeping one checkpoint only, so that nothing older can make up for a mistake.
TEST_F(CheckpointCrash, EndedBeforeEveryCall) {
    TinyRun run, other;
    void* shared = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    auto& durable = *static_cast<volatile std::int64_t*>(shared);
    int call = 1, status = 0;
    for (; call < 1000; ++call) {
        fs::remove_all(path("checkpoints"));
        save(run, 1, 1);
        durable = 1;
        const pid_t child = ::fork();
        if (child == 0) {
            calls_to_live = call;
            for (const std::int64_t step : {2, 2}) {
                save(run, step, 1);
                durable = step;
            }
            ::_exit(0);
        }
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        SCOPED_TRACE("call " + std::to_string(call));
        check(other, durable);
        if (HasFailure() || status == 0) break;
        ASSERT_EQ(WEXITSTATUS(status), 77);
        // And the next process carries on.
        save(run, 4, 1);
        EXPECT_EQ(check(other, 4), 4);
        EXPECT_EQ(steps(), std::vector<std::string>{"step_000004"});
    }
    EXPECT_EQ(status, 0) << "the writer never came to its end";
    EXPECT_GT(call, 2 * 11) << "three files and a folder, each synced and renamed, twice: calls were missed";
    ::munmap(shared, sizeof(std::int64_t));
}

// The same with kill -9 at moments that the writer cannot know, in the midst of writing too.
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
        // After one to four checkpoints, and then anywhere within about the time of one, however fast the disk is.
        std::int64_t durable = 0;
        const auto begin = std::chrono::steady_clock::now();
        const int reports = 1 + static_cast<int>(random.below(4, 2 * round));
        for (int i = 0; i < reports; ++i)
            ASSERT_EQ(::read(channel[0], &durable, sizeof durable), ssize_t{sizeof durable});
        const std::chrono::duration<double, std::micro> each = (std::chrono::steady_clock::now() - begin) / reports;
        ::usleep(static_cast<useconds_t>(each.count() * random.uniform(2 * round + 1)));
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
        while (::read(channel[0], &durable, sizeof durable) == ssize_t{sizeof durable}) {
        }
        ::close(channel[0]);
        SCOPED_TRACE("round " + std::to_string(round));
        last = check(other, durable);
    }
}

}  // namespace
}  // namespace steepest
