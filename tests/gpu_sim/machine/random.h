#pragma once
// Random numbers of the schedules: splitmix64 (Steele, Lea, Flood 2014), the same on every machine.
#include <cstdint>

namespace gpu_sim {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    std::uint32_t below(std::uint32_t n) { return std::uint32_t((next() >> 32) * n >> 32); }
    bool coin() { return (next() >> 63) != 0; }

private:
    std::uint64_t state_;
};

}  // namespace gpu_sim
