// The optimizer's elementwise stages: one kernel that walks a table of tensors, and a stage for each op, which says
// what happens to one element.
//
// Every array is read and written once: AdamEstimate 28 bytes a parameter for some 15 flops, DualEma 20, WeightUpdate
// 14 with a bf16 copy. The limit is the memory. Lanes take four neighbours: 16 bytes of f32, 8 of a bf16 copy.
// Formulas are spelled with fmaf where a product is added, so that bodies and tails, and ops that share a formula,
// agree to the last bit. Scalars are read on the device; those of a tensor or a step once a thread, in the precision of
// the host backend.
#include "kernels/cuda/tensor_table.h"
#include "ops/averaging.h"
#include "ops/elementwise.h"

namespace steepest {

namespace {

using cuda::Floats;
using cuda::TensorTable;

constexpr unsigned bits(std::initializer_list<int> arrays) {
    unsigned mask = 0;
    for (const int a : arrays) mask |= 1u << a;
    return mask;
}

template <class Stage>
constexpr bool kMixed = requires {
    requires Stage::kMayBeBf16;
};
template <class Stage>
constexpr bool kSums = requires(const Stage& stage) {
    stage.summand(0.0f);
};

// A stage: kArrays, and which of them it reads, writes and may find to be bf16. at(entry) gives what is the same for a
// tensor's elements; apply(x, that) turns the elements x[a] that are read into those that are written; summand(x[0]),
// where it has one, is summed up chunk by chunk.
template <class Stage>
__global__ void __launch_bounds__(cuda::kChunkThreads)
    for_each_element(const __grid_constant__ TensorTable<Stage::kArrays> table, const Stage stage, const float* gate,
                     double* sums) {
    if (gate && *gate == 0) return;
    const auto chunk = table.chunk(blockIdx.x);
    const auto& tensor = chunk.tensor;
    const auto constants = stage.at(tensor);
    const auto is_bf16 = [&](int a) { return (Stage::kMixed >> a & 1) && (tensor.bf16_arrays >> a & 1); };
    double sum = 0;
    cuda::each_of_chunk(chunk, [&]<int kCount>(std::int64_t i) {
        Floats<kCount> x[Stage::kArrays];
#pragma unroll
        for (int a = 0; a < Stage::kArrays; ++a)
            if (Stage::kReads >> a & 1) x[a] = cuda::load_floats<kCount>(tensor.data[a], is_bf16(a), i);
#pragma unroll
        for (int j = 0; j < kCount; ++j) {
            float element[Stage::kArrays];
#pragma unroll
            for (int a = 0; a < Stage::kArrays; ++a) element[a] = Stage::kReads >> a & 1 ? x[a].values[j] : 0;
            stage.apply(element, constants);
            if constexpr (kSums<Stage>) sum += static_cast<double>(stage.summand(x[0].values[j]));
#pragma unroll
            for (int a = 0; a < Stage::kArrays; ++a) x[a].values[j] = element[a];
        }
#pragma unroll
        for (int a = 0; a < Stage::kArrays; ++a)
            if ((Stage::kWrites >> a & 1) && tensor.data[a])
                cuda::store_floats<kCount>(tensor.data[a], is_bf16(a), i, x[a]);
    });
    if constexpr (kSums<Stage>) {
        if (!sums) return;
        sum = cuda::block_sum_double(sum);
        if (threadIdx.x == 0) sums[chunk.number] = sum;
    }
}

template <class Stage>
void for_each(Cuda& cuda, const std::array<const TensorList*, Stage::kArrays>& lists, const Stage& stage,
              const ConstTensor& gate, double* sums = nullptr, const float* factors = nullptr) {
    cuda::for_each_table(lists, factors, [&](const auto& table) {
        cuda::launch(cuda, cuda::chunk_grid(table), for_each_element<Stage>, table, stage, cuda::data<float>(gate),
                     sums);
    });
}

// u = gain * G
struct Scale {
    static constexpr int kArrays = 2;  // u, g
    static constexpr unsigned kReads = bits({1}), kWrites = bits({0}), kMixed = bits({});
    const float* gradient_scale;
    float gain;

    __device__ float at(const auto&) const { return *gradient_scale; }
    __device__ void apply(float* x, float factor) const { x[0] = gain * (factor * x[1]); }
};

struct Ema {
    float factor, b1, b2, c1, c2;

    // x: u, m, g.
    __device__ void apply(float* x, float gain) const {
        const float gradient = factor * x[2], old = x[1];
        x[0] = gain * fmaf(b1, old, c1 * gradient);
        x[1] = fmaf(b2, old, c2 * gradient);
    }
};

struct TwoAverages {
    static constexpr int kArrays = 3;  // u, m, g
    static constexpr unsigned kReads = bits({1, 2}), kWrites = bits({0, 1}), kMixed = bits({});
    const float *gradient_scale, *b1, *b2;
    float gain;

    __device__ Ema at(const auto&) const { return {*gradient_scale, *b1, *b2, 1 - *b1, 1 - *b2}; }
    __device__ void apply(float* x, const Ema& ema) const { ema.apply(x, gain); }
};

// The same with one rate and each tensor's own factor.
struct ClippedAverage {
    static constexpr int kArrays = 3;  // u, m, c
    static constexpr unsigned kReads = bits({1, 2}), kWrites = bits({0, 1}), kMixed = bits({});
    const float *sums, *beta;
    float max_norm, gain;

    __device__ Ema at(const auto& tensor) const {
        float factor = 1;
        if (max_norm > 0) factor = 1 / fmaxf(1.0f, sqrtf(sums[tensor.index]) / max_norm);
        return {factor, *beta, *beta, 1 - *beta, 1 - *beta};
    }
    __device__ void apply(float* x, const Ema& ema) const { ema.apply(x, gain); }
};

struct MaskedAverage {
    static constexpr int kArrays = 3;  // u, m, g
    static constexpr unsigned kReads = bits({1, 2}), kWrites = bits({0, 1}), kMixed = bits({});
    const float *gradient_scale, *beta;

    struct Constants {
        float factor, beta, c;
    };
    __device__ Constants at(const auto&) const { return {*gradient_scale, *beta, 1 - *beta}; }
    __device__ void apply(float* x, const Constants& k) const {
        if (x[2] != 0) x[1] = fmaf(k.beta, x[1], k.c * (k.factor * x[2]));
        x[0] = x[1];
    }
};

struct Adam {
    static constexpr int kArrays = 4;  // u, m, v, g
    static constexpr unsigned kReads = bits({1, 2, 3}), kWrites = bits({0, 1, 2}), kMixed = bits({});
    const float *gradient_scale, *b1, *b2, *m_correction, *v_correction;
    float epsilon;

    struct Constants {
        float factor, b1, b2, c1, c2, m_correction, v_correction;
    };
    __device__ Constants at(const auto&) const {
        return {*gradient_scale, *b1, *b2, 1 - *b1, 1 - *b2, *m_correction, *v_correction};
    }
    __device__ void apply(float* x, const Constants& s) const {
        const float gradient = s.factor * x[3];
        x[1] = fmaf(s.b1, x[1], s.c1 * gradient);
        x[2] = fmaf(s.b2, x[2], s.c2 * (gradient * gradient));
        x[0] = (x[1] * s.m_correction) / (sqrtf(x[2] * s.v_correction) + epsilon);
    }
};

// The same without the first average.
struct SecondMoment {
    static constexpr int kArrays = 3;  // u, v, g
    static constexpr unsigned kReads = bits({1, 2}), kWrites = bits({0, 1}), kMixed = bits({});
    const float *gradient_scale, *b2, *v_correction;
    float epsilon;

    struct Constants {
        float factor, b2, c2, v_correction;
    };
    __device__ Constants at(const auto&) const { return {*gradient_scale, *b2, 1 - *b2, *v_correction}; }
    __device__ void apply(float* x, const Constants& s) const {
        const float gradient = s.factor * x[2];
        x[1] = fmaf(s.b2, x[1], s.c2 * (gradient * gradient));
        x[0] = gradient / (sqrtf(x[1] * s.v_correction) + epsilon);
    }
};

template <bool kKeep>
struct Mvr {
    static constexpr int kArrays = 3;  // c, other, g
    static constexpr unsigned kReads = bits({1, 2}), kWrites = kKeep ? bits({0, 1}) : bits({0}), kMixed = bits({});
    const float *gradient_scale, *other_scale, *strength;

    struct Constants {
        float gradient_scale, other_scale, strength;
    };
    __device__ Constants at(const auto&) const { return {*gradient_scale, *other_scale, *strength}; }
    __device__ void apply(float* x, const Constants& s) const {
        const float gradient = s.gradient_scale * x[2];
        x[0] = fmaf(s.strength, fmaf(-s.other_scale, x[1], gradient), gradient);
        x[1] = gradient;
    }
};

struct TakeSign {
    static constexpr int kArrays = 1;
    static constexpr unsigned kReads = bits({0}), kWrites = bits({0}), kMixed = bits({});

    __device__ int at(const auto&) const { return 0; }
    __device__ void apply(float* x, int) const { x[0] = static_cast<float>(x[0] > 0) - static_cast<float>(x[0] < 0); }
    __device__ float summand(float x) const { return fabsf(x); }
};

struct Unit {
    static constexpr int kArrays = 1;
    static constexpr unsigned kReads = bits({0}), kWrites = bits({0}), kMixed = bits({});
    const float *sums, *targets;
    bool shared;
    float max_norm;

    __device__ float at(const auto& tensor) const {
        const float sum = sums[shared ? 0 : tensor.index];
        if (max_norm > 0) return 1 / fmaxf(1.0f, sqrtf(sum) / max_norm);
        if (sum == 0) return 0;
        return (targets ? sqrtf(targets[tensor.index]) : 1) / sqrtf(sum);
    }
    __device__ void apply(float* x, float factor) const { x[0] *= factor; }
};

struct Decay {
    static constexpr int kArrays = 3;  // weight, copy, direction
    static constexpr unsigned kReads = bits({0, 2}), kWrites = bits({0, 1}), kMixed = bits({1});
    const float *learning_rate, *weight_decay, *lengths, *cut;

    struct Constants {
        float keep, step;
    };
    __device__ Constants at(const auto& tensor) const {
        const double rate = *learning_rate;
        double length = rate * tensor.factor;
        if (lengths) length *= lengths[tensor.index];
        if (cut) length *= *cut;
        return {static_cast<float>(1 - rate * *weight_decay), static_cast<float>(length)};
    }
    __device__ void apply(float* x, const Constants& s) const {
        x[0] = fmaf(-s.step, x[2], s.keep * x[0]);
        x[1] = x[0];
    }
};

template <bool kDecayFast>
struct Average {
    static constexpr int kArrays = 4;  // weight, fast, copy, direction
    static constexpr unsigned kReads = bits({0, 1, 3}), kWrites = bits({0, 1, 2}), kMixed = bits({2});
    const float *learning_rate, *weight_decay, *mix, *next_mix, *share;

    struct Constants {
        float step, decay, rest, inverse, next_rest, next_mix, share;
    };
    __device__ Constants at(const auto& tensor) const {
        const double rate = *learning_rate;
        return {static_cast<float>(rate * tensor.factor), static_cast<float>(rate * *weight_decay),
                1 - *mix,  1 / *mix, 1 - *next_mix, *next_mix, *share};
    }
    __device__ void apply(float* x, const Constants& s) const {
        const float y = x[0], z = x[1], average = fmaf(-s.rest, z, y) * s.inverse;
        const float moved = fmaf(-s.step, x[3], fmaf(-s.decay, kDecayFast ? z : y, z));
        x[1] = moved;
        x[0] = fmaf(s.next_mix, fmaf(s.share, moved - average, average), s.next_rest * moved);
        x[2] = x[0];
    }
};

struct Averaged {
    static constexpr int kArrays = 3;  // to, y, z
    static constexpr unsigned kReads = bits({1, 2}), kWrites = bits({0}), kMixed = bits({0});
    const float* mix;

    struct Constants {
        float rest, inverse;
    };
    __device__ Constants at(const auto&) const { return {1 - *mix, 1 / *mix}; }
    __device__ void apply(float* x, const Constants& s) const { x[0] = fmaf(-s.rest, x[2], x[1]) * s.inverse; }
};

template <bool kAdds>
struct Add {
    static constexpr int kArrays = 2;  // x, y
    static constexpr unsigned kReads = kAdds ? bits({0, 1}) : bits({1}), kWrites = bits({0}), kMixed = 0;
    float a, b;
    const float* factors;

    __device__ float at(const auto& tensor) const { return factors ? b * factors[tensor.index] : b; }
    __device__ void apply(float* x, float factor) const {
        if constexpr (kAdds)
            x[0] = fmaf(factor, x[1], a * x[0]);
        else
            x[0] = factor * x[1];
    }
};

struct Convert {
    static constexpr int kArrays = 2;  // to, from
    static constexpr unsigned kReads = bits({1}), kWrites = bits({0}), kMixed = bits({0, 1});

    __device__ int at(const auto&) const { return 0; }
    __device__ void apply(float* x, int) const { x[0] = x[1]; }
};

}  // namespace

void run(Cuda& cuda, const DualEma& op) {
    const float* gradient_scale = cuda::data<float>(op.gradient_scale);
    if (op.m.empty()) {
        const Scale stage{.gradient_scale = gradient_scale, .gain = op.gain};
        return for_each(cuda, {&op.u, &op.g}, stage, op.gate);
    }
    const TwoAverages stage{.gradient_scale = gradient_scale,
                            .b1 = cuda::data<float>(op.b1),
                            .b2 = cuda::data<float>(op.b2),
                            .gain = op.gain};
    for_each(cuda, {&op.u, &op.m, &op.g}, stage, op.gate);
}

void run(Cuda& cuda, const AdamEstimate& op) {
    if (op.m.empty()) {
        const SecondMoment second{.gradient_scale = cuda::data<float>(op.gradient_scale),
                                  .b2 = cuda::data<float>(op.b2),
                                  .v_correction = cuda::data<float>(op.v_correction),
                                  .epsilon = op.epsilon};
        return for_each(cuda, {&op.u, &op.v, &op.g}, second, op.gate);
    }
    const Adam stage{.gradient_scale = cuda::data<float>(op.gradient_scale),
                     .b1 = cuda::data<float>(op.b1),
                     .b2 = cuda::data<float>(op.b2),
                     .m_correction = cuda::data<float>(op.m_correction),
                     .v_correction = cuda::data<float>(op.v_correction),
                     .epsilon = op.epsilon};
    for_each(cuda, {&op.u, &op.m, &op.v, &op.g}, stage, op.gate);
}

void run(Cuda& cuda, const MvrCorrect& op) {
    const auto go = [&]<bool kKeep>() {
        const Mvr<kKeep> stage{.gradient_scale = cuda::data<float>(op.gradient_scale),
                               .other_scale = cuda::data<float>(op.other_scale),
                               .strength = cuda::data<float>(op.strength)};
        for_each(cuda, {&op.c, &op.other, &op.g}, stage, op.gate);
    };
    op.keep_gradient ? go.operator()<true>() : go.operator()<false>();
}

void run(Cuda& cuda, const ClippedEma& op) {
    const ClippedAverage stage{.sums = cuda::data<float>(op.sums),
                               .beta = cuda::data<float>(op.beta),
                               .max_norm = op.max_norm,
                               .gain = op.gain};
    for_each(cuda, {&op.u, &op.m, &op.c}, stage, op.gate);
}

void run(Cuda& cuda, const MaskedEma& op) {
    const MaskedAverage stage{.gradient_scale = cuda::data<float>(op.gradient_scale),
                              .beta = cuda::data<float>(op.beta)};
    for_each(cuda, {&op.u, &op.m, &op.g}, stage, op.gate);
}

void run(Cuda& cuda, const Sign& op) {
    double* sums = op.dual ? cuda.scratch<double>(cuda::chunks_of(op.x)) : nullptr;
    for_each(cuda, {&op.x}, TakeSign{}, {}, sums);
    if (op.dual) cuda::sum_chunks_of(cuda, op.x, sums, cuda::data<float>(op.dual));
}

void run(Cuda& cuda, const Normalize& op) {
    const Unit stage{.sums = cuda::data<float>(op.sums),
                     .targets = cuda::data<float>(op.targets),
                     .shared = op.sums.count() == 1,
                     .max_norm = op.max_norm};
    for_each(cuda, {&op.x}, stage, {});
}

void run(Cuda& cuda, const WeightUpdate& op) {
    const Decay stage{.learning_rate = cuda::data<float>(op.learning_rate),
                      .weight_decay = cuda::data<float>(op.weight_decay),
                      .lengths = cuda::data<float>(op.lengths),
                      .cut = cuda::data<float>(op.cut)};
    for_each(cuda, {&op.weights, &op.copies, &op.directions}, stage, op.gate, nullptr, op.factors.data());
}

void run(Cuda& cuda, const AveragedUpdate& op) {
    const auto go = [&]<bool kDecayFast>() {
        const Average<kDecayFast> stage{.learning_rate = cuda::data<float>(op.learning_rate),
                                        .weight_decay = cuda::data<float>(op.weight_decay),
                                        .mix = cuda::data<float>(op.mix),
                                        .next_mix = cuda::data<float>(op.next_mix),
                                        .share = cuda::data<float>(op.share)};
        for_each(cuda, {&op.weights, &op.fast, &op.copies, &op.directions}, stage, op.gate, nullptr,
                 op.factors.data());
    };
    op.decay_fast ? go.operator()<true>() : go.operator()<false>();
}

void run(Cuda& cuda, const AveragePoint& op) {
    for_each(cuda, {&op.to, &op.y, &op.z}, Averaged{.mix = cuda::data<float>(op.mix)}, {});
}

void run(Cuda& cuda, const AddScaled& op) {
    const auto go = [&]<bool kReads>() {
        for_each(cuda, {&op.x, &op.y}, Add<kReads>{op.a, op.b, cuda::data<float>(op.factors)}, op.gate);
    };
    op.a == 0 ? go.operator()<false>() : go.operator()<true>();
}

void run(Cuda& cuda, const Copy& op) { for_each(cuda, {&op.to, &op.from}, Convert{}, op.gate); }

}  // namespace steepest
