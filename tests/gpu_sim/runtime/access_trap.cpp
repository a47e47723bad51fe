// Says so when the host touches device memory, then dies as the program would have on its own.
#include "tests/gpu_sim/runtime/runtime.h"

#include <csignal>
#include <cstdio>
#include <execinfo.h>
#include <unistd.h>

namespace gpu_sim {

namespace {

struct sigaction previous;

void explain(int signal, siginfo_t* info, void*) {
    Runtime& r = runtime();
    for (const auto& device : r.devices) {
        if (!device || !device->memory.owns(info->si_addr)) continue;
        char text[200];
        int length = std::snprintf(text, sizeof text, "gpu_sim: host touched device memory at %p", info->si_addr);
        try {
            const auto range = device->memory.allocation_of(reinterpret_cast<std::uint64_t>(info->si_addr));
            length += std::snprintf(
                text + length, sizeof text - length, " (byte %llu of an allocation of %llu)",
                static_cast<unsigned long long>(reinterpret_cast<std::uint64_t>(info->si_addr) - range.begin),
                static_cast<unsigned long long>(range.bytes));
        } catch (const Fault&) {
            length += std::snprintf(text + length, sizeof text - length, " (in no live allocation)");
        }
        text[length++] = '\n';
        if (write(2, text, length) < 0) break;
        void* frames[32];
        backtrace_symbols_fd(frames, backtrace(frames, 32), 2);
    }
    // The faulting instruction runs again under the former handler.
    sigaction(signal, &previous, nullptr);
}

}  // namespace

void install_access_trap() {
    static const bool installed = [] {
        struct sigaction action {};
        action.sa_sigaction = explain;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        return sigaction(SIGSEGV, &action, &previous) == 0;
    }();
    (void)installed;
}

}  // namespace gpu_sim
