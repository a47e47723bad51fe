#include "train/interrupt.h"

#include <array>
#include <csignal>
#include <mutex>

namespace steepest {

namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM};

volatile std::sig_atomic_t received = 0;
std::mutex mutex;
int guards = 0;
std::array<struct sigaction, kSignals.size()> before;

void on_signal(int number) {
    received = number;
    struct sigaction fatal {};
    fatal.sa_handler = SIG_DFL;
    for (std::size_t i = 0; i < kSignals.size(); ++i)
        if (kSignals[i] == SIGINT && before[i].sa_handler != SIG_IGN) sigaction(SIGINT, &fatal, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
    const std::lock_guard lock(mutex);
    if (guards++ > 0) return;
    received = 0;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = on_signal;
        // Writes that are under way finish; the other signal waits until both handlers are taken away.
        action.sa_flags = SA_RESTART;
        for (const int s : kSignals) sigaddset(&action.sa_mask, s);
        sigaction(kSignals[i], nullptr, &before[i]);
        if (before[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
    }
}

InterruptGuard::~InterruptGuard() {
    const std::lock_guard lock(mutex);
    if (--guards > 0) return;
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
}

int InterruptGuard::signal() const { return received; }

}  // namespace steepest
