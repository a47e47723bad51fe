#pragma once
// What every op test shares: the backends of this binary, tensors between guards, inputs keyed by the test's own name.
#include "core/device.h"
#include "core/random.h"
#include "core/tensor.h"
#include "kernels/cpu/cpu.h"

#include <algorithm>
#include <cstddef>
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

// Every backend and thread count under test: results must not depend on which one ran. The CPU's; or, where the
// environment has STEEPEST_TEST_DEVICE=cuda and this build has it, the first GPU's, twice, since nothing may depend on
// the order in which a GPU takes its work either.
std::vector<Backend> backends();
inline Device the_device() { return backends()[1].device; }
// Whether they are the GPU's.
bool testing_cuda();

// Memory that the ops of those backends and the host can both use. settle() waits for what was run: before the host
// looks, and before memory goes.
std::byte* allocate_for_tests(std::size_t bytes);
void release_for_tests(std::byte* data);
void settle();

template <class T>
struct SharedAllocator {
    using value_type = T;
    T* allocate(std::size_t n) { return reinterpret_cast<T*>(allocate_for_tests(n * sizeof(T))); }
    void deallocate(T* data, std::size_t) { release_for_tests(reinterpret_cast<std::byte*>(data)); }
    bool operator==(const SharedAllocator&) const = default;
};

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

// A tensor between two guard zones. Without values it starts as NaN, so that reading what was never written shows; the
// guards are 0xA5 bytes, so that writing a NaN past the end shows too.
template <class T>
class Guarded {
public:
    explicit Guarded(Shape shape) : shape_(shape), bytes_(shape.count() * sizeof(T) + 2 * kGuard, std::byte{0xA5}) {
        T* to = data();
        std::fill(to, to + shape.count(), stored(std::numeric_limits<double>::quiet_NaN()));
    }
    Guarded(Shape shape, const std::vector<double>& values) : Guarded(shape) {
        T* to = data();
        for (std::int64_t i = 0; i < shape.count(); ++i) to[i] = stored(values[i]);
    }

    Guarded(const Guarded& other) : shape_(other.shape_), bytes_((settle(), other.bytes_)) {}
    Guarded(Guarded&&) = default;
    Guarded& operator=(Guarded other) noexcept {
        std::swap(shape_, other.shape_), bytes_.swap(other.bytes_);
        return *this;
    }

    operator Tensor() { return {bytes_.data() + kGuard, dtype_of<T>(), shape_}; }
    operator ConstTensor() const { return {bytes_.data() + kGuard, dtype_of<T>(), shape_}; }
    Tensor tensor() { return *this; }

    T* data() {
        settle();
        return reinterpret_cast<T*>(bytes_.data() + kGuard);
    }
    const T* data() const {
        settle();
        return reinterpret_cast<const T*>(bytes_.data() + kGuard);
    }
    std::vector<T> values() const { return {data(), data() + shape_.count()}; }
    // The values as stored, rounding included: what a reference must be fed.
    std::vector<double> as_double() const {
        std::vector<double> out(shape_.count());
        const T* from = data();
        for (std::int64_t i = 0; i < shape_.count(); ++i) out[i] = double(from[i]);
        return out;
    }
    bool guards_intact() const {
        settle();
        for (std::size_t i = 0; i < kGuard; ++i)
            if (bytes_[i] != std::byte{0xA5} || bytes_[bytes_.size() - 1 - i] != std::byte{0xA5}) return false;
        return true;
    }

private:
    static constexpr std::size_t kGuard = 256;

    static T stored(double value) {
        if constexpr (std::is_same_v<T, std::int32_t>)
            return value == value ? static_cast<std::int32_t>(value) : -1;
        else
            return T(static_cast<float>(value));
    }

    Shape shape_;
    std::vector<std::byte, SharedAllocator<std::byte>> bytes_;
};

// Bitwise equality, so that a NaN equals itself and -0 differs from 0.
template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace steepest::testing
