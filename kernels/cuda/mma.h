#pragma once
// The tensor-core and asynchronous-copy instructions of sm_80, one wrapper each. PTX ISA, sections 9.7.14 (mma,
// ldmatrix) and 9.7.9 (cp.async).
//
// Fragments of mma.m16n8k16, with g = lane / 4 and t = lane % 4; each register holds two bf16, the lower column (or k)
// in its lower half:
//   a[0] (g, 2t)   a[1] (g + 8, 2t)   a[2] (g, 2t + 8)   a[3] (g + 8, 2t + 8)    A is 16 x 16, row-major
//   b[0] (k = 2t, n = g)              b[1] (k = 2t + 8, n = g)                   B is 16 x 8, "column-major"
//   c[0], c[1] (g, 2t), (g, 2t + 1)   c[2], c[3] (g + 8, 2t), (g + 8, 2t + 1)    C is 16 x 8, f32
#include <cstdint>
#include <cuda_bf16.h>

namespace steepest::cuda {

// c += a b.
__device__ inline void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};\n"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices of bf16 from shared memory; lane i gives the address of row i % 8 of matrix i / 8, aligned to 16
// bytes. Lane l receives of each matrix elements (l / 4, 2 (l % 4)) and the next.
__device__ inline void load_matrices(std::uint32_t (&r)[4], const __nv_bfloat16* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address));
}
// The same with each matrix transposed: lane l receives elements (2 (l % 4), l / 4) and the one below.
__device__ inline void load_matrices_transposed(std::uint32_t (&r)[4], const __nv_bfloat16* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address));
}

// 16 bytes from global to shared memory behind the threads' back; zeros if not `valid`, and `from` is then not read but
// must still be an address. Both aligned to 16 bytes.
__device__ inline void copy_async(void* to, const void* from, bool valid = true) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
    const int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(from), "r"(bytes) : "memory");
}
// The same of 4 bytes, aligned to 4.
__device__ inline void copy_async_four_bytes(void* to, const void* from, bool valid = true) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
    const int bytes = valid ? 4 : 0;
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(address), "l"(from), "r"(bytes) : "memory");
}
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
// Until at most `kPending` of this thread's newest groups are under way. A barrier must follow before other threads'
// copies are read.
template <int kPending>
__device__ inline void wait_copies() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

// Two floats rounded to bf16, `low` in the lower half.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&pair);
}

}  // namespace steepest::cuda
