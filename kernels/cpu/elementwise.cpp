// The optimizer's elementwise stages on the host: chunks of a whole list in parallel, each loop one pass over memory.
//
// All are bound by memory: AdamEstimate reads 16 and writes 12 bytes a parameter for some 15 flops. Outputs may be
// their inputs, element for element, which is what `ivdep` tells the compiler.
#include "ops/elementwise.h"

#include "kernels/cpu/chunks.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/simd.h"
#include "ops/averaging.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace steepest {
namespace {

float value(const ConstTensor& scalar) { return *scalar.as<float>(); }
bool closed(const ConstTensor& gate) { return gate && value(gate) == 0; }

// The elements of a chunk.
float* at(const TensorList& list, const cpu::Chunk& c) { return list[c.tensor].as<float>() + c.begin; }

STEEPEST_SIMD void scale(float* u, const float* g, std::int64_t n, float factor, float gain) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) u[i] = gain * (factor * g[i]);
}

STEEPEST_SIMD void add_scaled(float* x, const float* y, std::int64_t n, float a, float b) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) x[i] = a * x[i] + b * y[i];
}

struct Ema {
    float gradient_scale, b1, b2, gain;
};

STEEPEST_SIMD void dual_ema(float* u, float* m, const float* g, std::int64_t n, Ema s) {
    const float c1 = 1 - s.b1, c2 = 1 - s.b2;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = s.gradient_scale * g[i], old = m[i];
        u[i] = s.gain * (s.b1 * old + c1 * gradient);
        m[i] = s.b2 * old + c2 * gradient;
    }
}

STEEPEST_SIMD void masked_ema(float* u, float* m, const float* g, std::int64_t n, float factor, float beta) {
    const float c = 1 - beta;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float old = m[i], now = g[i] == 0 ? old : beta * old + c * (factor * g[i]);
        m[i] = now, u[i] = now;
    }
}

struct Adam {
    float gradient_scale, b1, b2, m_correction, v_correction, epsilon;
};

// Without an average of gradients.
STEEPEST_SIMD void adam_second(float* u, float* v, const float* g, std::int64_t n, Adam s) {
    const float c2 = 1 - s.b2;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = s.gradient_scale * g[i], second = s.b2 * v[i] + c2 * (gradient * gradient);
        v[i] = second;
        u[i] = gradient / (std::sqrt(second * s.v_correction) + s.epsilon);
    }
}

STEEPEST_SIMD void adam(float* u, float* m, float* v, const float* g, std::int64_t n, Adam s) {
    const float c1 = 1 - s.b1, c2 = 1 - s.b2;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = s.gradient_scale * g[i];
        const float first = s.b1 * m[i] + c1 * gradient, second = s.b2 * v[i] + c2 * (gradient * gradient);
        m[i] = first;
        v[i] = second;
        u[i] = (first * s.m_correction) / (std::sqrt(second * s.v_correction) + s.epsilon);
    }
}

struct Mvr {
    float gradient_scale, other_scale, strength;
};

STEEPEST_SIMD void correct(float* c, const float* other, const float* g, std::int64_t n, Mvr s) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = s.gradient_scale * g[i];
        c[i] = gradient + s.strength * (gradient - s.other_scale * other[i]);
    }
}

STEEPEST_SIMD void correct_and_keep(float* c, float* other, const float* g, std::int64_t n, Mvr s) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float gradient = s.gradient_scale * g[i];
        c[i] = gradient + s.strength * (gradient - s.other_scale * other[i]);
        other[i] = gradient;
    }
}

STEEPEST_SIMD void take_sign(float* x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(x[i] > 0) - static_cast<float>(x[i] < 0);
}

STEEPEST_SIMD void update(float* w, const float* direction, std::int64_t n, float keep, float step) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) w[i] = keep * w[i] - step * direction[i];
}

struct Averages {
    float step, decay, mix, next_mix, share;
};

template <bool kDecayFast>
STEEPEST_INLINE void average(float* w, float* fast, const float* direction, std::int64_t n, Averages s) {
    const float rest = 1 - s.mix, next_rest = 1 - s.next_mix, inverse = 1 / s.mix;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const float y = w[i], z = fast[i], x = (y - rest * z) * inverse;
        const float moved = z - s.decay * (kDecayFast ? z : y) - s.step * direction[i];
        const float averaged = x + s.share * (moved - x);
        fast[i] = moved;
        w[i] = next_rest * moved + s.next_mix * averaged;
    }
}
STEEPEST_SIMD void average_decaying_fast(float* w, float* fast, const float* direction, std::int64_t n, Averages s) {
    average<true>(w, fast, direction, n, s);
}
STEEPEST_SIMD void average_decaying_weights(float* w, float* fast, const float* direction, std::int64_t n, Averages s) {
    average<false>(w, fast, direction, n, s);
}

STEEPEST_SIMD void average_point(float* to, const float* y, const float* z, std::int64_t n, float mix) {
    const float rest = 1 - mix, inverse = 1 / mix;
    for (std::int64_t i = 0; i < n; ++i) to[i] = (y[i] - rest * z[i]) * inverse;
}

STEEPEST_SIMD void convert(float* to, const bf16* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = float(from[i]);
}

STEEPEST_SIMD void convert(bf16* to, const float* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = bf16(from[i]);
}

template <class T>
void convert(T* to, const T* from, std::int64_t n) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
}

// to[i] = from[i] on elements [begin, begin + count).
void convert(const Tensor& to, const ConstTensor& from, std::int64_t begin, std::int64_t count) {
    dispatch_float(to.dtype, [&]<class To>() {
        dispatch_float(from.dtype, [&]<class From>() { convert(to.as<To>() + begin, from.as<From>() + begin, count); });
    });
}

}  // namespace

void run(Cpu& cpu, const DualEma& op) {
    if (closed(op.gate)) return;
    const float gradient_scale = value(op.gradient_scale);
    if (op.m.empty()) {
        cpu::for_each_chunk(
            cpu, op.u, [&](const cpu::Chunk& c) { scale(at(op.u, c), at(op.g, c), c.count, gradient_scale, op.gain); });
        return;
    }
    const Ema s{gradient_scale, value(op.b1), value(op.b2), op.gain};
    cpu::for_each_chunk(cpu, op.u,
                        [&](const cpu::Chunk& c) { dual_ema(at(op.u, c), at(op.m, c), at(op.g, c), c.count, s); });
}

void run(Cpu& cpu, const AdamEstimate& op) {
    if (closed(op.gate)) return;
    const bool both = !op.m.empty();
    const Adam s{.gradient_scale = value(op.gradient_scale),
                 .b1 = both ? value(op.b1) : 0,
                 .b2 = value(op.b2),
                 .m_correction = both ? value(op.m_correction) : 1,
                 .v_correction = value(op.v_correction),
                 .epsilon = op.epsilon};
    cpu::for_each_chunk(cpu, op.u, [&](const cpu::Chunk& c) {
        if (both)
            adam(at(op.u, c), at(op.m, c), at(op.v, c), at(op.g, c), c.count, s);
        else
            adam_second(at(op.u, c), at(op.v, c), at(op.g, c), c.count, s);
    });
}

void run(Cpu& cpu, const MvrCorrect& op) {
    if (closed(op.gate)) return;
    const Mvr s{value(op.gradient_scale), value(op.other_scale), value(op.strength)};
    cpu::for_each_chunk(cpu, op.c, [&](const cpu::Chunk& c) {
        if (op.keep_gradient)
            correct_and_keep(at(op.c, c), at(op.other, c), at(op.g, c), c.count, s);
        else
            correct(at(op.c, c), at(op.other, c), at(op.g, c), c.count, s);
    });
}

void run(Cpu& cpu, const ClippedEma& op) {
    if (closed(op.gate)) return;
    const float beta = value(op.beta);
    cpu::for_each_chunk(cpu, op.u, [&](const cpu::Chunk& c) {
        float factor = 1;
        if (op.max_norm > 0) factor = 1 / std::max(1.0f, std::sqrt(op.sums.as<float>()[c.tensor]) / op.max_norm);
        dual_ema(at(op.u, c), at(op.m, c), at(op.c, c), c.count, {factor, beta, beta, op.gain});
    });
}

void run(Cpu& cpu, const MaskedEma& op) {
    if (closed(op.gate)) return;
    cpu::for_each_chunk(cpu, op.u, [&](const cpu::Chunk& c) {
        masked_ema(at(op.u, c), at(op.m, c), at(op.g, c), c.count, value(op.gradient_scale), value(op.beta));
    });
}

void run(Cpu& cpu, const Sign& op) {
    const cpu::Chunks chunks(op.x);
    const double* sums = cpu::for_each_chunk_sum(cpu, chunks, [&](const cpu::Chunk& c) {
        float* x = at(op.x, c);
        const double sum = op.dual ? cpu::sum_of_magnitudes(x, c.count) : 0;
        take_sign(x, c.count);
        return sum;
    });
    if (!op.dual) return;
    for (std::size_t t = 0; t < op.x.size(); ++t) {
        double total = 0;
        for (std::int64_t i = chunks.first(t); i < chunks.first(t + 1); ++i) total += sums[i];
        op.dual.as<float>()[t] = static_cast<float>(total);
    }
}

void run(Cpu& cpu, const Normalize& op) {
    const auto factor = [&](std::size_t tensor) {
        const float sum = op.sums.as<float>()[op.sums.count() == 1 ? 0 : tensor];
        if (op.max_norm > 0) return 1 / std::max(1.0f, std::sqrt(sum) / op.max_norm);
        if (sum == 0) return 0.0f;
        return (op.targets ? std::sqrt(op.targets.as<float>()[tensor]) : 1) / std::sqrt(sum);
    };
    cpu::for_each_chunk(cpu, op.x, [&](const cpu::Chunk& c) {
        float* x = at(op.x, c);
        scale(x, x, c.count, factor(c.tensor), 1);
    });
}

void run(Cpu& cpu, const WeightUpdate& op) {
    if (closed(op.gate)) return;
    const double learning_rate = value(op.learning_rate);
    const auto keep = static_cast<float>(1 - learning_rate * value(op.weight_decay));
    cpu::for_each_chunk(cpu, op.weights, [&](const cpu::Chunk& c) {
        float* w = at(op.weights, c);
        const float* direction = at(op.directions, c);
        double length = learning_rate * op.factors[c.tensor];
        if (op.lengths) length *= op.lengths.as<float>()[c.tensor];
        if (op.cut) length *= value(op.cut);
        const auto step = static_cast<float>(length);
        constexpr std::int64_t kPiece = 4096;  // stays in L1 until it is copied
        for (std::int64_t i = 0; i < c.count; i += kPiece) {
            const std::int64_t count = std::min(kPiece, c.count - i);
            update(w + i, direction + i, count, keep, step);
            if (!op.copies.empty() && op.copies[c.tensor])
                convert(op.copies[c.tensor], op.weights[c.tensor], c.begin + i, count);
        }
    });
}

void run(Cpu& cpu, const AveragedUpdate& op) {
    if (closed(op.gate)) return;
    const double rate = value(op.learning_rate);
    cpu::for_each_chunk(cpu, op.weights, [&](const cpu::Chunk& c) {
        const Averages s{.step = static_cast<float>(rate * op.factors[c.tensor]),
                         .decay = static_cast<float>(rate * value(op.weight_decay)),
                         .mix = value(op.mix),
                         .next_mix = value(op.next_mix),
                         .share = value(op.share)};
        (op.decay_fast ? average_decaying_fast : average_decaying_weights)(at(op.weights, c), at(op.fast, c),
                                                                           at(op.directions, c), c.count, s);
        if (!op.copies.empty() && op.copies[c.tensor])
            convert(op.copies[c.tensor], op.weights[c.tensor], c.begin, c.count);
    });
}

void run(Cpu& cpu, const AveragePoint& op) {
    cpu::for_each_chunk(cpu, op.y, [&](const cpu::Chunk& c) {
        constexpr std::int64_t kPiece = 4096;
        float piece[kPiece];
        for (std::int64_t i = 0; i < c.count; i += kPiece) {
            const std::int64_t count = std::min(kPiece, c.count - i);
            average_point(piece, at(op.y, c) + i, at(op.z, c) + i, count, value(op.mix));
            dispatch_float(op.to[c.tensor].dtype,
                           [&]<class T>() { convert(op.to[c.tensor].as<T>() + c.begin + i, piece, count); });
        }
    });
}

void run(Cpu& cpu, const AddScaled& op) {
    if (closed(op.gate)) return;
    cpu::for_each_chunk(cpu, op.x, [&](const cpu::Chunk& c) {
        const float b = op.factors ? op.b * op.factors.as<float>()[c.tensor] : op.b;
        if (op.a == 0)
            scale(at(op.x, c), at(op.y, c), c.count, b, 1);
        else
            add_scaled(at(op.x, c), at(op.y, c), c.count, op.a, b);
    });
}

void run(Cpu& cpu, const Copy& op) {
    if (closed(op.gate)) return;
    cpu::for_each_chunk(cpu, op.to,
                        [&](const cpu::Chunk& c) { convert(op.to[c.tensor], op.from[c.tensor], c.begin, c.count); });
}

}  // namespace steepest
