#pragma once
// What every op test shares: the backends of this binary, tensors between guards, inputs keyed by the test's own name.
#include "core/device.h"
#include "core/random.h"
#include "core/tensor.h"
#include "kernels/cpu/cpu.h"

#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace steepest::testing {

struct Backend {
    std::string name;
    Device device;
};

// Every backend and thread count of this binary: results must not depend on which one ran.
inline std::vector<Backend> backends() {
    static Cpu one(1), two(2), three(3);
    return {{"cpu1", &one}, {"cpu2", &two}, {"cpu3", &three}};
}
inline Device cpu() { return backends()[1].device; }

// Standard normal values, the same on each run of this test and different between tests.
inline std::vector<double> normal(std::int64_t count, std::string_view purpose, double scale = 1) {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string key(purpose);
    if (info) key += std::string("/") + info->test_suite_name() + "." + info->name();
    const Random random(1, key);
    std::vector<double> values(count);
    for (std::int64_t i = 0; i < count; ++i) values[i] = scale * random.normal(i);
    return values;
}

// A tensor on the heap between two guard zones. Without values it starts as NaN, so that reading what was never written
// shows; the guards are 0xA5 bytes, so that writing a NaN past the end shows too. A device address in tests of the CPU.
template <class T>
class Guarded {
public:
    explicit Guarded(Shape shape) : shape_(shape), bytes_(shape.count() * sizeof(T) + 2 * kGuard, std::byte{0xA5}) {
        for (std::int64_t i = 0; i < shape.count(); ++i) set(i, std::numeric_limits<double>::quiet_NaN());
    }
    Guarded(Shape shape, const std::vector<double>& values) : Guarded(shape) {
        for (std::int64_t i = 0; i < shape.count(); ++i) set(i, values[i]);
    }

    operator Tensor() { return {data(), dtype_of<T>(), shape_}; }
    operator ConstTensor() const { return {data(), dtype_of<T>(), shape_}; }
    Tensor tensor() { return *this; }

    T* data() { return reinterpret_cast<T*>(bytes_.data() + kGuard); }
    const T* data() const { return reinterpret_cast<const T*>(bytes_.data() + kGuard); }
    std::vector<T> values() const { return {data(), data() + shape_.count()}; }
    // The values as stored, rounding included: what a reference must be fed.
    std::vector<double> as_double() const {
        std::vector<double> out(shape_.count());
        for (std::int64_t i = 0; i < shape_.count(); ++i) out[i] = double(data()[i]);
        return out;
    }
    bool guards_intact() const {
        for (std::size_t i = 0; i < kGuard; ++i)
            if (bytes_[i] != std::byte{0xA5} || bytes_[bytes_.size() - 1 - i] != std::byte{0xA5}) return false;
        return true;
    }

private:
    static constexpr std::size_t kGuard = 256;

    void set(std::int64_t i, double value) {
        if constexpr (std::is_same_v<T, std::int32_t>)
            data()[i] = value == value ? static_cast<std::int32_t>(value) : -1;
        else
            data()[i] = T(static_cast<float>(value));
    }

    Shape shape_;
    std::vector<std::byte> bytes_;
};

// Bitwise equality, so that a NaN equals itself and -0 differs from 0.
template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace steepest::testing
