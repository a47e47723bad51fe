// f16 and bf16, alone or two in a register. Computed in double, where sums and products of halves are exact but for
// rare ties of fma with far apart exponents, then rounded once.
#include "tests/gpu_sim/machine/floating.h"
#include "tests/gpu_sim/machine/select_type.h"

namespace gpu_sim {

namespace {

// The significand has `bits` bits, the smallest normal exponent is `least`: rounds to that grid.
double on_grid(double x, int bits, int least, Rounding mode) {
    if (x == 0 || !std::isfinite(x)) return x;
    const int exponent = std::max(std::ilogb(x), least) - (bits - 1);
    const double scaled = std::scalbn(x, -exponent);
    double rounded = 0;
    switch (mode) {
        case Rounding::kNearest:
            rounded = std::nearbyint(scaled);
            break;
        case Rounding::kZero:
            rounded = std::trunc(scaled);
            break;
        case Rounding::kDown:
            rounded = std::floor(scaled);
            break;
        case Rounding::kUp:
            rounded = std::ceil(scaled);
            break;
    }
    return std::copysign(std::scalbn(rounded, exponent), x);
}

struct Bf16 {
    static double load(std::uint16_t bits) { return from_bf16(bits); }
    static std::uint16_t store(double x) { return to_bf16(x); }
};
struct F16 {
    static double load(std::uint16_t bits) { return from_f16(bits); }
    static std::uint16_t store(double x) { return to_f16(x); }
};

struct Add {
    double operator()(double a, double b) const { return a + b; }
};
struct Subtract {
    double operator()(double a, double b) const { return a - b; }
};
struct Multiply {
    double operator()(double a, double b) const { return a * b; }
};
struct MultiplyAdd {
    double operator()(double a, double b, double c) const { return a * b + c; }
};
struct Minimum {
    double operator()(double a, double b) const {
        if (a != a || b != b) return a != a ? b : a;
        return a < b || (a == b && std::signbit(a)) ? a : b;
    }
};
struct Maximum {
    double operator()(double a, double b) const {
        if (a != a || b != b) return a != a ? b : a;
        return a > b || (a == b && std::signbit(b)) ? a : b;
    }
};
template <class F>
struct OrNan {
    double operator()(double a, double b) const { return a != a || b != b ? double(NAN) : F{}(a, b); }
};
struct Exp2 {
    double operator()(double a) const { return std::exp2(a); }
};
struct Tanh {
    double operator()(double a) const { return std::tanh(a); }
};
template <class F>
struct Rectified {
    template <class... S>
    double operator()(S... s) const {
        const double y = F{}(s...);
        return y != y || y > 0 ? y : 0;
    }
};

template <class H, class F>
struct One {
    template <class... S>
    std::uint16_t operator()(S... s) const {
        return H::store(F{}(H::load(s)...));
    }
};
template <class H, class F>
struct Two {
    template <class... S>
    std::uint32_t operator()(S... s) const {
        const std::uint32_t low = One<H, F>{}(std::uint16_t(s)...);
        return low | std::uint32_t{One<H, F>{}(std::uint16_t(s >> 16)...)} << 16;
    }
};

template <class F, int N>
Handler half(Type type) {
    constexpr auto pick = []<class Op, class T>() -> Handler {
        if constexpr (N == 1) return map<Op, T, T>;
        if constexpr (N == 2) return map<Op, T, T, T>;
        if constexpr (N == 3) return map<Op, T, T, T, T>;
    };
    switch (type) {
        case Type::f16:
            return pick.template operator()<One<F16, F>, std::uint16_t>();
        case Type::bf16:
            return pick.template operator()<One<Bf16, F>, std::uint16_t>();
        case Type::f16x2:
            return pick.template operator()<Two<F16, F>, std::uint32_t>();
        case Type::bf16x2:
            return pick.template operator()<Two<Bf16, F>, std::uint32_t>();
        default:
            return nullptr;
    }
}

// Only signs change.
template <class T, bool Absolute>
struct Sign {
    T operator()(T x) const {
        constexpr T signs = T(0x80008000u);
        return Absolute ? T(x & ~signs) : T(x ^ signs);
    }
};

}  // namespace

std::uint16_t to_bf16(double x, Rounding mode) {
    if (std::isnan(x)) return 0x7fff;
    const double rounded = on_grid(x, 8, -126, mode);
    return std::uint16_t(std::bit_cast<std::uint32_t>(float(rounded)) >> 16);
}

std::uint16_t to_f16(double x, Rounding mode) {
    if (std::isnan(x)) return 0x7fff;
    const double rounded = on_grid(x, 11, -14, mode);
    const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    const double magnitude = std::fabs(rounded);
    if (magnitude > 65504) {
        const bool infinite = std::isinf(x) || mode == Rounding::kNearest || (mode == Rounding::kUp && !sign) ||
                              (mode == Rounding::kDown && sign);
        return std::uint16_t(sign | (infinite ? 0x7c00 : 0x7bff));
    }
    if (magnitude < 0x1p-14) return std::uint16_t(sign | std::uint16_t(magnitude * 0x1p24));
    const int exponent = std::ilogb(magnitude);
    const auto mantissa = std::uint16_t(std::scalbn(magnitude, 10 - exponent) - 1024);
    return std::uint16_t(sign | (exponent + 15) << 10 | mantissa);
}

void decode_half(Decoding& d, Type type) {
    d.take("approx");
    // Halves flush only where the instruction says so, and for bf16 that is no difference but in subnormals of float.
    d.take("ftz");
    const bool nan = d.take("NaN"), rectified = d.take("relu");
    if (take_rounding(d) != Rounding::kNearest) d.fail("halves are rounded to nearest only");
    const std::string_view base = d.base();
    const bool two = bytes_of(type) == 4;
    if (base == "add") d.in.run = half<Add, 2>(type);
    if (base == "sub") d.in.run = half<Subtract, 2>(type);
    if (base == "mul") d.in.run = half<Multiply, 2>(type);
    if (base == "fma") d.in.run = rectified ? half<Rectified<MultiplyAdd>, 3>(type) : half<MultiplyAdd, 3>(type);
    if (base == "min") d.in.run = nan ? half<OrNan<Minimum>, 2>(type) : half<Minimum, 2>(type);
    if (base == "max") d.in.run = nan ? half<OrNan<Maximum>, 2>(type) : half<Maximum, 2>(type);
    if (base == "ex2") d.in.run = half<Exp2, 1>(type);
    if (base == "tanh") d.in.run = half<Tanh, 1>(type);
    if (base == "abs") {
        d.in.run = two ? map<Sign<std::uint32_t, true>, std::uint32_t, std::uint32_t>
                       : map<Sign<std::uint16_t, true>, std::uint16_t, std::uint16_t>;
    }
    if (base == "neg") {
        d.in.run = two ? map<Sign<std::uint32_t, false>, std::uint32_t, std::uint32_t>
                       : map<Sign<std::uint16_t, false>, std::uint16_t, std::uint16_t>;
    }
    take_operands(d, type, d.operands());
}

}  // namespace gpu_sim
