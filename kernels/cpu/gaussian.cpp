// Normal numbers on the host: every one is a function of its place, so chunks are drawn in any order.
#include "ops/gaussian.h"

#include "kernels/cpu/chunks.h"

namespace steepest {

void run(Cpu& cpu, const Gaussian& op) {
    const Random random(op.key, static_cast<std::uint64_t>(*op.step.as<float>()));
    cpu::for_each_chunk(cpu, op.x, [&](const cpu::Chunk& c) {
        float* x = op.x[c.tensor].as<float>() + c.begin;
        const std::uint64_t first = (std::uint64_t{c.tensor} << 33) + static_cast<std::uint64_t>(c.begin);
        for (std::int64_t i = 0; i < c.count; ++i)
            x[i] = op.scale * static_cast<float>(random.normal(first + static_cast<std::uint64_t>(i)));
    });
}

}  // namespace steepest
