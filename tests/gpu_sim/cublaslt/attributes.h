#pragma once
// Reading and writing the fields of descriptors by attribute number, with the sizes that cublasLt.h documents.
#include "tests/gpu_sim/cublaslt/problem.h"

#include <cstddef>
#include <cstring>
#include <span>

namespace gpu_sim {

struct Attribute {
    int number;
    std::size_t offset, bytes;
};

inline const Attribute* find_attribute(std::span<const Attribute> table, int number) {
    for (const Attribute& a : table)
        if (a.number == number) return &a;
    return nullptr;
}

inline cublasStatus_t set_attribute(std::span<const Attribute> table, void* object, int number, const void* from,
                                    std::size_t bytes) {
    const Attribute* a = find_attribute(table, number);
    if (!object || !a || !from || bytes != a->bytes) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(static_cast<std::byte*>(object) + a->offset, from, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

// With no room given (bytes 0), only says how much is needed.
inline cublasStatus_t get_attribute(std::span<const Attribute> table, const void* object, int number, void* to,
                                    std::size_t bytes, std::size_t* written) {
    const Attribute* a = find_attribute(table, number);
    if (!object || !a) return CUBLAS_STATUS_INVALID_VALUE;
    if (written) *written = a->bytes;
    if (bytes == 0) return written ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
    if (!to || bytes < a->bytes) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(to, static_cast<const std::byte*>(object) + a->offset, a->bytes);
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace gpu_sim
