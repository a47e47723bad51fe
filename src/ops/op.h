#pragma once
// run(device, op): the one place every op passes through on its way to a backend.
//
// An op is a plain struct: its tensors by name, its numbers, check() for shapes and dtypes, tensors() that lists every
// tensor once, outputs first. A backend is an overload run(Backend&, const Op&), found by overload resolution; an op
// without one does not compile. Outputs never alias inputs unless the op says so.
#include "core/clock.h"
#include "core/device.h"
#include "core/tensor.h"
#include "ops/hooks.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace steepest {

// A mistake of the caller, not of the user.
struct ShapeError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

inline void require(bool ok, std::string_view op, std::string_view what) {
    if (!ok) throw ShapeError(std::string(op) + ": " + std::string(what));
}

inline bool is_float(DType t) { return t == DType::f32 || t == DType::bf16; }

// Memory traffic if every named tensor is touched exactly once: the denominator of a roofline.
template <class Op>
std::int64_t bytes_moved(const Op& op) {
    std::int64_t total = 0;
    op.tensors([&](std::string_view, const auto& t) { total += t.bytes(); });
    return total;
}

template <class Op>
double flops_of(const Op& op) {
    if constexpr (requires { op.flops(); })
        return static_cast<double>(op.flops());
    else
        return 0;
}

template <class Backend, class Op>
void check_finite(Backend& backend, const Op& op) {
    ConstTensor bad;
    std::string_view bad_name;
    op.tensors([&](std::string_view tensor_name, ConstTensor t) {
        if (t && is_float(t.dtype) && !all_finite(backend, t)) bad = t, bad_name = tensor_name;
    });
    if (bad) throw NonFiniteError(Op::name, bad_name, bad.data);
}

template <class Op>
void run(Device device, const Op& op) {
    op.check();
    std::visit(
        [&](auto* backend) {
            const OpHooks& around = hooks(*backend);
            if (!around.profile) {
                run(*backend, op);
            } else {
                // An op's time is the device's, which the host waits for: work of before first, then the op's.
                synchronize(*backend);
                const double start = monotonic_seconds();
                run(*backend, op);
                synchronize(*backend);
                around.profile->add(Op::name, monotonic_seconds() - start, static_cast<double>(bytes_moved(op)),
                                    flops_of(op));
            }
            if (around.check_finite) check_finite(*backend, op);
        },
        device);
}

}  // namespace steepest
