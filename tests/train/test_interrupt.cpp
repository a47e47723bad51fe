#include "train/interrupt.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace steepest {
namespace {

// What became of a process that ran `f`: its exit code, or minus the signal that ended it.
int outcome(auto&& f) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(f());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(Interrupt, TheFirstSignalIsAFlag) {
    for (const int signal : {SIGINT, SIGTERM})
        EXPECT_EQ(outcome([&] {
                      const InterruptGuard guard;
                      if (guard.requested()) return 90;
                      std::raise(signal);
                      return guard.requested() ? guard.signal() : 91;
                  }),
                  signal);
}

TEST(Interrupt, AfterItOnlyCtrlCKills) {
    for (const int first : {SIGINT, SIGTERM}) {
        EXPECT_EQ(outcome([&] {
                      const InterruptGuard guard;
                      std::raise(first), std::raise(SIGINT);
                      return 90;
                  }),
                  -SIGINT);
        EXPECT_EQ(outcome([&] {
                      const InterruptGuard guard;
                      std::raise(first), std::raise(SIGTERM), std::raise(SIGTERM);
                      return guard.requested() ? 0 : 90;
                  }),
                  0);
    }
}

volatile std::sig_atomic_t seen = 0;
void mark(int) { seen = seen + 1; }

TEST(Interrupt, HandlersFromBeforeComeBack) {
    const int result = outcome([] {
        std::signal(SIGINT, mark);
        {
            const InterruptGuard outer;
            { const InterruptGuard inner; }
            std::raise(SIGINT);
            if (seen != 0 || !outer.requested()) return 90;
        }
        std::raise(SIGINT);
        if (seen != 1) return 91;
        const InterruptGuard fresh;
        return fresh.requested() ? 92 : 0;
    });
    EXPECT_EQ(result, 0);
}

TEST(Interrupt, WhatWasIgnoredStaysIgnored) {
    const int result = outcome([] {
        std::signal(SIGINT, SIG_IGN);
        const InterruptGuard guard;
        std::raise(SIGINT), std::raise(SIGINT);
        if (guard.requested()) return 90;
        std::raise(SIGTERM);
        std::raise(SIGINT);
        return guard.signal() == SIGTERM ? 0 : 91;
    });
    EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace steepest
