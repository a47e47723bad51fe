#pragma once
// The one clock that durations are taken from: it never jumps.
#include <chrono>

namespace steepest {

// Seconds since some fixed moment.
inline double monotonic_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace steepest
