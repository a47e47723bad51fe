// Microbenchmarks of single ops over sizes, with Google Benchmark: what `steepest bench ops` sums up for one model,
// apart. Not a test: figures are for people, who compare them with the machine's bandwidth and peak.
//
//     build/release/tests/bench_ops --benchmark_filter=Linear
//     build/release/tests/bench_ops --gpu      # on the first GPU
#include "core/memory.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cuda/devices.h"
#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/orthogonalize.h"

#include <benchmark/benchmark.h>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <string_view>
#include <vector>

namespace steepest {
namespace {

std::unique_ptr<CudaBackend> gpu;  // or none: the CPU

Device device() {
    if (gpu) return gpu->device();
    static Cpu cpu;
    return &cpu;
}

template <class T>
void fill(const Tensor& t, const std::vector<T>& values) {
    copy_to_device(device(), t.data, values.data(), t.bytes());
}

// Planned tensors of small ordinary values: denormals and infinities have speeds of their own.
class Memory {
public:
    Tensor* plan(DType dtype, Shape shape) {
        layout_.add("", &slots_.emplace_back(), dtype, shape);
        return &slots_.back();
    }
    void allocate() {
        buffer_ = layout_.allocate(device());
        for (const Tensor& t : slots_)
            if (t.dtype != DType::i32)
                dispatch_float(t.dtype, [&]<class T>() {
                    std::vector<T> values(t.count());
                    for (std::int64_t i = 0; i < t.count(); ++i)
                        values[i] = T(static_cast<float>(i * 37 % 101 - 50) * 0.01f);
                    fill(t, values);
                });
    }

private:
    Layout layout_;
    std::deque<Tensor> slots_;
    Buffer buffer_;
};

// A GPU runs behind the host, so it is waited for within the time; once in some calls, lest the wait be what is timed.
template <class Op>
void repeat(benchmark::State& state, const Op& op) {
    const int calls_at_once = gpu ? 16 : 1;
    run(device(), op);
    synchronize(device());
    while (state.KeepRunningBatch(calls_at_once)) {
        for (int i = 0; i < calls_at_once; ++i) run(device(), op);
        synchronize(device());
    }
    const double calls = static_cast<double>(state.iterations());
    state.counters["GB/s"] =
        benchmark::Counter(calls * static_cast<double>(bytes_moved(op)) * 1e-9, benchmark::Counter::kIsRate);
    if (flops_of(op) > 0)
        state.counters["GFLOP/s"] = benchmark::Counter(calls * flops_of(op) * 1e-9, benchmark::Counter::kIsRate);
}

DType dtype(const benchmark::State& state) { return state.range(0) ? DType::bf16 : DType::f32; }

// Rows, inputs, outputs.
void LinearShapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"bf16", "N", "C", "O"})->UseRealTime()->Unit(benchmark::kMillisecond);
    for (const int bf16 : {0, 1})
        for (const std::int64_t width : {128, 256, 768})
            for (const std::int64_t factor : {1, 3, 4}) b->Args({bf16, 1024, width, factor * width});
}

void Linear(benchmark::State& state) {
    Memory memory;
    Tensor *y = memory.plan(dtype(state), {state.range(1), state.range(3)}),
           *x = memory.plan(dtype(state), {state.range(1), state.range(2)}),
           *w = memory.plan(dtype(state), {state.range(3), state.range(2)});
    memory.allocate();
    repeat(state, LinearForward{.y = *y, .x = *x, .weight = *w});
}
BENCHMARK(Linear)->Apply(LinearShapes);

void LinearInputGradient(benchmark::State& state) {
    Memory memory;
    Tensor *dy = memory.plan(dtype(state), {state.range(1), state.range(3)}),
           *dx = memory.plan(dtype(state), {state.range(1), state.range(2)}),
           *w = memory.plan(dtype(state), {state.range(3), state.range(2)});
    memory.allocate();
    repeat(state, LinearBackwardInput{.dx = *dx, .dy = *dy, .weight = *w});
}
BENCHMARK(LinearInputGradient)->Apply(LinearShapes);

void LinearWeightGradient(benchmark::State& state) {
    Memory memory;
    Tensor *dy = memory.plan(dtype(state), {state.range(1), state.range(3)}),
           *x = memory.plan(dtype(state), {state.range(1), state.range(2)}),
           *dw = memory.plan(DType::f32, {state.range(3), state.range(2)}),
           *db = memory.plan(DType::f32, {state.range(3)});
    memory.allocate();
    repeat(state, LinearBackwardWeight{.dweight = *dw, .dbias = *db, .dy = *dy, .x = *x, .accumulate = true});
}
BENCHMARK(LinearWeightGradient)->Apply(LinearShapes);

void AttentionShapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"bf16", "T"})->UseRealTime()->Unit(benchmark::kMillisecond);
    b->ArgsProduct({{0, 1}, {64, 256, 1024}});
}

// Twelve heads of 64, four sequences: GPT-2 124M.
struct AttentionTensors {
    explicit AttentionTensors(const benchmark::State& state) {
        const std::int64_t T = state.range(1);
        for (Tensor** t : {&out, &dout}) *t = memory.plan(dtype(state), {4, T, 768});
        for (Tensor** t : {&qkv, &dqkv}) *t = memory.plan(dtype(state), {4, T, 3 * 768});
        lse = memory.plan(DType::f32, {4, 12, T});
        memory.allocate();
        run(device(), AttentionForward{.out = *out, .lse = *lse, .qkv = *qkv, .heads = 12});
    }
    Memory memory;
    Tensor *out, *dout, *qkv, *dqkv, *lse;
};

void Attention(benchmark::State& state) {
    const AttentionTensors t(state);
    repeat(state, AttentionForward{.out = *t.out, .lse = *t.lse, .qkv = *t.qkv, .heads = 12});
}
BENCHMARK(Attention)->Apply(AttentionShapes);

void AttentionGradient(benchmark::State& state) {
    const AttentionTensors t(state);
    repeat(state, AttentionBackward{
                      .dqkv = *t.dqkv, .dout = *t.dout, .out = *t.out, .lse = *t.lse, .qkv = *t.qkv, .heads = 12});
}
BENCHMARK(AttentionGradient)->Apply(AttentionShapes);

void AdamEstimates(benchmark::State& state) {
    Memory memory;
    Tensor *g = memory.plan(DType::f32, {state.range(0)}), *m = memory.plan(DType::f32, {state.range(0)}),
           *v = memory.plan(DType::f32, {state.range(0)}), *half = memory.plan(DType::f32, {1});
    memory.allocate();
    fill(*half, std::vector<float>{0.5f});
    fill(*v, std::vector<float>(v->count(), 0.01f));
    repeat(state, AdamEstimate{.u = {*g},
                               .m = {*m},
                               .v = {*v},
                               .g = {*g},
                               .gradient_scale = *half,
                               .b1 = *half,
                               .b2 = *half,
                               .m_correction = *half,
                               .v_correction = *half,
                               .epsilon = 1e-8f});
}
BENCHMARK(AdamEstimates)->ArgName("elements")->Range(1 << 16, 1 << 26)->UseRealTime()->Unit(benchmark::kMillisecond);

void NewtonSchulz(benchmark::State& state) {
    const std::int64_t rows = state.range(1), cols = state.range(2);
    Memory memory;
    TensorList list;
    std::vector<Tensor*> slots;
    for (int i = 0; i < 4; ++i) slots.push_back(memory.plan(DType::f32, {rows, cols}));
    const std::int64_t bytes =
        Orthogonalize::scratch_bytes(std::vector<Shape>(4, {rows, cols}), dtype(state), 64 << 20);
    Tensor* scratch = memory.plan(DType::f32, {(bytes + 3) / 4});
    memory.allocate();
    for (Tensor* t : slots) list.push_back(*t);
    repeat(state, Orthogonalize{.x = list,
                                .scratch = *scratch,
                                .coefficients = std::vector<std::array<double, 3>>(5, {3.4445, -4.7750, 2.0315}),
                                .compute = dtype(state),
                                .form = state.range(3) ? NewtonSchulzForm::gram : NewtonSchulzForm::x});
}
BENCHMARK(NewtonSchulz)
    ->ArgNames({"bf16", "rows", "cols", "gram"})
    ->ArgsProduct({{0, 1}, {128, 768}, {128, 768, 3072}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace steepest

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    try {
        if (argc == 2 && std::string_view(argv[1]) == "--gpu") {
            steepest::gpu = steepest::open_cuda(0, {});
            benchmark::AddCustomContext("device", steepest::gpu->describe());
        } else if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
            return 2;
        }
        benchmark::RunSpecifiedBenchmarks();
        benchmark::Shutdown();
        steepest::gpu.reset();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_ops: %s\n", error.what());
        return 1;
    }
}
