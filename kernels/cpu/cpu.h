#pragma once
// The CPU backend: a thread count, and the one way work is handed out. Kernels cut their work by shape alone, so every
// chunk's arithmetic, and with it every byte of the result, is the same for any number of threads.
#include <omp.h>

#include <cstdint>

namespace steepest {

class Cpu {
public:
    // 0: all cores this process may use.
    explicit Cpu(int threads = 0);
    int threads() const { return threads_; }

    // f(i) for i in [0, n), each exactly once, in any order, handed out dynamically: a static split lost 3x here when one
    // other process was running. f must not throw. Nested calls run serially.
    template <class F>
    void parallel_for(std::int64_t n, F&& f) const {
        if (n <= 1 || threads_ == 1 || omp_in_parallel()) {
            for (std::int64_t i = 0; i < n; ++i) f(i);
            return;
        }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_)
        for (std::int64_t i = 0; i < n; ++i) f(i);
    }

private:
    int threads_;
};

}  // namespace steepest
