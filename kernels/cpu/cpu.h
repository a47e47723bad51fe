#pragma once
// The CPU backend: a thread count, and the one way work is handed out. Kernels cut their work by shape alone, so every
// chunk's arithmetic, and with it every byte of the result, is the same for any number of threads.
#include "ops/hooks.h"

#include <cstdint>
#include <omp.h>
#include <string>

namespace steepest {

// What multiplies matrices. `automatic` takes the fastest that this build and this processor have, for each data type;
// the others are for tests and measurements: oneDNN, or our own kernels for AVX-512 (with bf16 instructions where there
// are any), for AVX2, or for the instruction set that every machine of this architecture has.
enum class Engine { automatic, onednn, avx512, avx2, baseline };
bool available(Engine engine);

class Cpu {
public:
    // threads 0: all cores this process may use. Throws InputError if the engine is not available().
    explicit Cpu(int threads = 0, Engine engine = Engine::automatic);
    int threads() const { return threads_; }
    Engine engine() const { return engine_; }
    // Threads, and what multiplies f32 and bf16 matrices, for manifests.
    std::string describe() const;

    // f(i) for i in [0, n), each exactly once, in any order, handed out dynamically: a static split lost 3x here when
    // one other process was running. f must not throw. Nested calls run serially.
    template <class F>
    void parallel_for(std::int64_t n, F&& f) const {
        if (n <= 1 || threads_ == 1 || omp_in_parallel()) {
            for (std::int64_t i = 0; i < n; ++i) f(i);
            return;
        }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_)
        for (std::int64_t i = 0; i < n; ++i) f(i);
    }

    OpHooks hooks;

private:
    int threads_;
    Engine engine_;
};

}  // namespace steepest
