#pragma once
// Products of many matrices of different sizes in one launch, with what follows them fused:
//     to = alpha op(a, b) + beta from + identity I
// each with its own numbers. Sums are f32; the result is rounded once, where it is stored.
#include "kernels/cuda/cuda.h"
#include "ops/op.h"

#include <array>
#include <cstdint>

namespace steepest::cuda {

// `count` matrices of one size: where the first begins in memory, from one to the next, and from row to row; in
// elements. A row begins at a multiple of 16 bytes, and what lies between its end and the next such multiple is read
// and written: zeros stay zeros.
struct Matrices {
    std::int64_t offset = 0, stride = 0;
    int pitch = 0;
};

// What is multiplied. symmetric is a b^T too, with a result that is known to be symmetric: only the tiles on and above
// the diagonal are computed, and mirrored. a^T b and a b^T are there for f32 only.
enum class Form { a_b, at_b, a_bt, symmetric };

struct Product {
    Matrices to, a, b, from;  // from: pitch 0 for none
    int rows = 0, cols = 0;   // of to
    int depth = 0;            // of the sums; 0 leaves beta from + identity I
    int count = 0;
    float alpha = 1, beta = 0, identity = 0;
    int tiles = 0;  // of one matrix; filled in by multiply()
};

struct Products {
    static constexpr int kMost = 16;  // sizes in one launch: as many as the 4 KiB of a kernel's parameters hold

    void* memory;  // aligned to 16 bytes; f32 or bf16
    DType dtype;
    Form form;
    const float* gate = nullptr;  // optional: zero there, and nothing is done
    bool packed = true;           // false: rows begin anywhere, end at their last column and are f32; slower
    int size = 0;
    std::array<Product, kMost> list = {};
};
void multiply(Cuda& cuda, const Products& products);

}  // namespace steepest::cuda
