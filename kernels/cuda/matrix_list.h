#pragma once
// Many matrices of any sizes in one launch: what a kernel is told of each, and which of them a block works on.
#include "kernels/cuda/gpu.h"

#include <algorithm>

namespace steepest::cuda {

constexpr int kMostMatrices = 128;  // in one launch: what kernel parameters hold

template <class Item>
struct MatrixList {
    Item list[kMostMatrices];
    std::int32_t starts[kMostMatrices + 1];  // of each one's blocks
    std::int32_t size;
};

// The matrix of a block, and the block's number in it.
template <class Item>
struct Place {
    const Item& item;
    std::int64_t block;
};
template <class Item>
__device__ inline Place<Item> place(const MatrixList<Item>& matrices, int block) {
    int low = 0, high = matrices.size;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (matrices.starts[middle] <= block)
            low = middle;
        else
            high = middle;
    }
    return {matrices.list[low], block - matrices.starts[low]};
}

// go(matrices, how many blocks) for every list's worth of item(0), item(1), ...; blocks(i) are those of matrix i.
template <class Item>
void for_each_list(std::size_t size, auto&& item, auto&& blocks, auto&& go) {
    MatrixList<Item> matrices;
    for (std::size_t first = 0; first < size; first += kMostMatrices) {
        matrices.size = static_cast<std::int32_t>(std::min<std::size_t>(kMostMatrices, size - first));
        std::int64_t total = 0;
        for (int i = 0; i < matrices.size; ++i) {
            matrices.list[i] = item(first + static_cast<std::size_t>(i));
            matrices.starts[i] = static_cast<std::int32_t>(total);
            total += blocks(first + static_cast<std::size_t>(i));
        }
        matrices.starts[matrices.size] = static_cast<std::int32_t>(total);
        go(matrices, static_cast<unsigned>(total));
    }
}

}  // namespace steepest::cuda
