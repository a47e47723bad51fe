// What is under test in a build without CUDA: the CPU, with one thread and with several.
#include "tests/harness.h"

namespace steepest::testing {

std::vector<Backend> backends() {
    static Cpu one(1), two(2), three(3);
    return {{"cpu1", &one}, {"cpu2", &two}, {"cpu3", &three}};
}

bool testing_cuda() { return false; }

std::byte* allocate_for_tests(std::size_t bytes) { return new std::byte[bytes]; }
void release_for_tests(std::byte* data) { delete[] data; }
void settle() {}

}  // namespace steepest::testing
