#pragma once
// Views of memory somebody else owns: a pointer, a type and a shape. Row-major, dense, last dimension fastest.
#include "core/bf16.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace steepest {

enum class DType : std::uint8_t { f32, bf16, i32 };

constexpr std::int64_t size_of(DType t) { return t == DType::bf16 ? 2 : 4; }
constexpr std::string_view name_of(DType t) { return t == DType::f32 ? "f32" : t == DType::bf16 ? "bf16" : "i32"; }

template <class T>
constexpr DType dtype_of() {
    if constexpr (std::is_same_v<T, float>)
        return DType::f32;
    else if constexpr (std::is_same_v<T, bf16>)
        return DType::bf16;
    else {
        static_assert(std::is_same_v<T, std::int32_t>);
        return DType::i32;
    }
}

// Calls f.template operator()<T>() with the float type that `t` names.
template <class F>
decltype(auto) dispatch_float(DType t, F&& f) {
    assert(t != DType::i32);
    return t == DType::bf16 ? f.template operator()<bf16>() : f.template operator()<float>();
}

// Up to four dimensions. A shape of rank 0 has one element.
class Shape {
public:
    Shape() = default;
    Shape(std::initializer_list<std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
        assert(dims.size() <= dims_.size());
        int i = 0;
        for (const std::int64_t d : dims) dims_[i++] = d;
    }
    int rank() const { return rank_; }
    // Negative indices count from the end.
    std::int64_t operator[](int i) const { return dims_[i < 0 ? rank_ + i : i]; }
    std::int64_t count() const {
        std::int64_t n = 1;
        for (int i = 0; i < rank_; ++i) n *= dims_[i];
        return n;
    }
    // The tensor seen as a matrix of its last dimension's rows.
    std::int64_t rows() const { return rank_ == 0 ? 1 : count() / (dims_[rank_ - 1] ? dims_[rank_ - 1] : 1); }
    std::int64_t cols() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }
    bool operator==(const Shape&) const = default;

private:
    std::array<std::int64_t, 4> dims_{};
    int rank_ = 0;
};

std::string to_string(const Shape& shape);

template <class Pointer>
struct BasicTensor {
    Pointer data = nullptr;
    DType dtype = DType::f32;
    Shape shape;

    BasicTensor() = default;
    BasicTensor(Pointer d, DType t, Shape s) : data(d), dtype(t), shape(s) {}
    template <class Other>
    requires(!std::is_same_v<Other, Pointer> && std::is_convertible_v<Other, Pointer>)
        BasicTensor(const BasicTensor<Other>& t)
        : data(t.data), dtype(t.dtype), shape(t.shape) {}

    explicit operator bool() const { return data != nullptr; }
    std::int64_t count() const { return shape.count(); }
    std::int64_t bytes() const { return data ? count() * size_of(dtype) : 0; }

    template <class T>
    auto as() const {
        assert(dtype == dtype_of<T>());
        return static_cast<std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const T*, T*>>(data);
    }
    // Rows [begin, begin + n) of the tensor seen as a matrix, as a matrix.
    BasicTensor rows(std::int64_t begin, std::int64_t n) const {
        assert(begin >= 0 && begin + n <= shape.rows());
        return {offset(begin * shape.cols()), dtype, Shape{n, shape.cols()}};
    }
    BasicTensor reshaped(Shape s) const {
        assert(s.count() == shape.count());
        return {data, dtype, s};
    }

private:
    Pointer offset(std::int64_t elements) const {
        using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const std::byte, std::byte>;
        return static_cast<Byte*>(data) + elements * size_of(dtype);
    }
};

using Tensor = BasicTensor<void*>;
using ConstTensor = BasicTensor<const void*>;

// What optimizer stages work on: tensors that are treated alike in one call, of any shapes.
using TensorList = std::vector<Tensor>;

}  // namespace steepest
