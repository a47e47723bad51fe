// Which engine multiplies what.
#include "kernels/cpu/gemm_engine.h"

namespace steepest {
namespace cpu {
namespace {

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
const Kernel* avx2_kernel() { return &kAvx2F32; }
const Kernel* avx512_kernel(bool bf16_operands) {
    return bf16_operands && has_avx512_bf16() ? &kAvx512Bf16 : &kAvx512F32;
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
const Kernel* avx2_kernel() { return nullptr; }
const Kernel* avx512_kernel(bool) { return nullptr; }
#endif

}  // namespace

// Where there is AVX-512 our own kernels were measured level with oneDNN in f32 (204 against 203 GF/s in tiles on one
// core, both of 235) and ahead of it in bf16; unlike it they allocate nothing, and their bits do not depend on the
// tile. oneDNN is well ahead with AVX2. On 64-bit Arm Debian's oneDNN has no fast f32 product.
const Kernel* choose_kernel(Engine engine, DType a, DType b) {
    const bool f32_operands = a == DType::f32 && b == DType::f32, bf16_operands = a == DType::bf16 && b == DType::bf16;
    switch (engine) {
        case Engine::baseline:
            return &kBaselineF32;
        case Engine::avx2:
            return avx2_kernel();
        case Engine::avx512:
            return avx512_kernel(bf16_operands);
        case Engine::onednn:
            if (f32_operands) return nullptr;
            break;
        case Engine::automatic:
            break;
    }
    if (has_avx512()) return avx512_kernel(bf16_operands);
    if (has_avx2()) return f32_operands && onednn_available() ? nullptr : avx2_kernel();
    return &kBaselineF32;
}

std::string_view name_of(Engine engine) {
    switch (engine) {
        case Engine::automatic:
            return "automatic";
        case Engine::onednn:
            return "onednn";
        case Engine::avx512:
            return "avx512";
        case Engine::avx2:
            return "avx2";
        case Engine::baseline:
            return "baseline";
    }
    return {};
}

std::string describe(Engine engine, DType operands) {
    const Kernel* kernel = choose_kernel(engine, operands, operands);
    return kernel ? std::string(kernel->name) : "oneDNN " + onednn_version();
}

}  // namespace cpu

bool available(Engine engine) {
    switch (engine) {
        case Engine::onednn:
            return cpu::onednn_available();
        case Engine::avx512:
            return cpu::has_avx512();
        case Engine::avx2:
            return cpu::has_avx2();
        case Engine::automatic:
        case Engine::baseline:
            return true;
    }
    return false;
}

}  // namespace steepest
