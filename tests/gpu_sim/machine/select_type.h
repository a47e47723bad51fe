#pragma once
// From a type known at run time to a handler instantiated for it.
#include "tests/gpu_sim/machine/decoding.h"
#include "tests/gpu_sim/machine/lanes.h"

#include <type_traits>

namespace gpu_sim {

// Handlers of an operation F<T> with N sources of type T.
template <template <class> class F, int N, class T>
constexpr Handler same_type() {
    if constexpr (N == 1) return map<F<T>, T, T>;
    if constexpr (N == 2) return map<F<T>, T, T, T>;
    if constexpr (N == 3) return map<F<T>, T, T, T, T>;
}

template <template <class> class F, int N>
Handler for_integers(Type type) {
    switch (type) {
        case Type::u16:
        case Type::b16:
            return same_type<F, N, std::uint16_t>();
        case Type::s16:
            return same_type<F, N, std::int16_t>();
        case Type::u32:
        case Type::b32:
            return same_type<F, N, std::uint32_t>();
        case Type::s32:
            return same_type<F, N, std::int32_t>();
        case Type::u64:
        case Type::b64:
            return same_type<F, N, std::uint64_t>();
        case Type::s64:
            return same_type<F, N, std::int64_t>();
        default:
            return nullptr;
    }
}

// Operands 0..n of one type.
inline void take_operands(Decoding& d, Type type, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) d.in.operand[i] = d.value(i, type);
}

}  // namespace gpu_sim
