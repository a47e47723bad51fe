// Random numbers on the host: every one is a function of its place, so chunks are drawn in any order.
#include "ops/gaussian.h"

#include "kernels/cpu/chunks.h"

namespace steepest {

namespace {

// Every element is value(random, its index).
template <class Op, class F>
void draw(Cpu& cpu, const Op& op, F&& value) {
    const Random random(op.key, static_cast<std::uint64_t>(*op.step.template as<float>()));
    cpu::for_each_chunk(cpu, op.x, [&](const cpu::Chunk& c) {
        float* x = op.x[c.tensor].template as<float>() + c.begin;
        const std::uint64_t first = (std::uint64_t{c.tensor} << 33) + static_cast<std::uint64_t>(c.begin);
        for (std::int64_t i = 0; i < c.count; ++i) x[i] = value(random, first + static_cast<std::uint64_t>(i));
    });
}

}  // namespace

void run(Cpu& cpu, const Gaussian& op) {
    draw(cpu, op, [&](const Random& random, std::uint64_t index) {
        return op.scale * static_cast<float>(random.normal(index));
    });
}

void run(Cpu& cpu, const Bernoulli& op) {
    draw(cpu, op, [&](const Random& random, std::uint64_t index) {
        return random.uniform(index) < op.probability ? 1.0f : 0.0f;
    });
}

}  // namespace steepest
