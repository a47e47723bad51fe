// f32 and f64 arithmetic. Sums, products, fma, quotients and roots to nearest are those of IEEE 754, as on the
// hardware; the approximate functions are libm's, rounded once, where a GPU's may be off by some units in the last
// place.
#include "tests/gpu_sim/machine/floating.h"

#include "tests/gpu_sim/machine/select_type.h"

namespace gpu_sim {

namespace {

struct Add {
    template <class T>
    T operator()(T a, T b) const {
        return a + b;
    }
};
struct Subtract {
    template <class T>
    T operator()(T a, T b) const {
        return a - b;
    }
};
struct Multiply {
    template <class T>
    T operator()(T a, T b) const {
        return a * b;
    }
};
struct MultiplyAdd {
    template <class T>
    T operator()(T a, T b, T c) const {
        return std::fma(a, b, c);
    }
};
struct Divide {
    template <class T>
    T operator()(T a, T b) const {
        return a / b;
    }
};
// A NaN loses against a number, and -0 is less than +0.
struct Minimum {
    template <class T>
    T operator()(T a, T b) const {
        if (a != a) return b;
        if (b != b) return a;
        if (a == b) return std::signbit(a) ? a : b;
        return a < b ? a : b;
    }
};
struct Maximum {
    template <class T>
    T operator()(T a, T b) const {
        if (a != a) return b;
        if (b != b) return a;
        if (a == b) return std::signbit(a) ? b : a;
        return a > b ? a : b;
    }
};
template <class F>
struct OrNan {
    template <class T>
    T operator()(T a, T b) const {
        return a != a || b != b ? T(NAN) : F{}(a, b);
    }
};
struct Absolute {
    template <class T>
    T operator()(T a) const {
        return std::fabs(a);
    }
};
struct Negate {
    template <class T>
    T operator()(T a) const {
        return -a;
    }
};
struct SquareRoot {
    template <class T>
    T operator()(T a) const {
        return std::sqrt(a);
    }
};
struct Reciprocal {
    template <class T>
    T operator()(T a) const {
        return T(1) / a;
    }
};
// rcp.approx.ftz.f64: of the upper half of the operand, the upper half of the result; numbers that are not normal count
// as zeros. What follows it in libdevice's code refines it.
struct GrossReciprocal {
    double operator()(double a) const {
        const double upper = upper_half(a);
        const double r = upper_half(1 / (std::fpclassify(upper) == FP_SUBNORMAL ? std::copysign(0.0, upper) : upper));
        return std::fpclassify(r) == FP_SUBNORMAL ? std::copysign(0.0, r) : r;
    }
    static double upper_half(double x) {
        return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & 0xFFFFFFFF00000000u);
    }
};
struct ReciprocalRoot {
    template <class T>
    T operator()(T a) const {
        return T(1.0 / std::sqrt(double(a)));
    }
};
struct Exp2 {
    float operator()(float a) const { return std::exp2(a); }
};
struct Log2 {
    float operator()(float a) const { return std::log2(a); }
};
struct Sine {
    float operator()(float a) const { return std::sin(a); }
};
struct Cosine {
    float operator()(float a) const { return std::cos(a); }
};
struct Tanh {
    float operator()(float a) const { return float(std::tanh(double(a))); }
};
// PTX: the sign of the first operand, the magnitude of the second.
struct CopySign {
    template <class T>
    T operator()(T a, T b) const {
        return std::copysign(b, a);
    }
};
template <class F, bool Flush, bool Saturate>
struct Single {
    template <class... T>
    float operator()(T... x) const {
        float y = Flush ? F{}(flushed(x)...) : F{}(x...);
        if (Flush) y = flushed(y);
        return Saturate ? saturated(y) : y;
    }
};

// To a rounding other than to nearest, by way of a double and the error made there.
template <Rounding Mode>
struct Directed {
    // Two-sum: Knuth, The Art of Computer Programming 2, 4.2.2.
    static float sum(double a, double b) {
        const double s = a + b, t = s - a;
        return round_directed(s, (a - (s - t)) + (b - t), Mode);
    }
    struct Add {
        float operator()(float a, float b) const { return sum(a, b); }
    };
    struct Subtract {
        float operator()(float a, float b) const { return sum(a, -double(b)); }
    };
    struct Multiply {
        float operator()(float a, float b) const { return round_directed(double(a) * b, 0, Mode); }
    };
    struct MultiplyAdd {
        float operator()(float a, float b, float c) const { return sum(double(a) * b, c); }
    };
    // The sign of the remainder tells on which side of the exact value the double lies.
    struct Divide {
        float operator()(float a, float b) const {
            const double q = double(a) / b, r = std::fma(-q, double(b), double(a));
            return round_directed(q, b < 0 ? -r : r, Mode);
        }
    };
    struct SquareRoot {
        float operator()(float a) const {
            const double s = std::sqrt(double(a));
            return round_directed(s, std::fma(-s, s, double(a)), Mode);
        }
    };
    struct Reciprocal {
        float operator()(float a) const { return Divide{}(1.0f, a); }
    };
};

template <class F, class... S>
Handler single(bool flush, bool saturate) {
    if (flush) return saturate ? map<Single<F, true, true>, float, S...> : map<Single<F, true, false>, float, S...>;
    return saturate ? map<Single<F, false, true>, float, S...> : map<Single<F, false, false>, float, S...>;
}

template <Rounding Mode>
Handler directed(std::string_view base, bool flush, bool saturate) {
    using D = Directed<Mode>;
    if (base == "add") return single<typename D::Add, float, float>(flush, saturate);
    if (base == "sub") return single<typename D::Subtract, float, float>(flush, saturate);
    if (base == "mul") return single<typename D::Multiply, float, float>(flush, saturate);
    if (base == "fma" || base == "mad") return single<typename D::MultiplyAdd, float, float, float>(flush, saturate);
    if (base == "div") return single<typename D::Divide, float, float>(flush, saturate);
    if (base == "sqrt") return single<typename D::SquareRoot, float>(flush, saturate);
    if (base == "rcp") return single<typename D::Reciprocal, float>(flush, saturate);
    return nullptr;
}

Handler single_handler(std::string_view base, bool nan, bool flush, bool saturate) {
    if (base == "add") return single<Add, float, float>(flush, saturate);
    if (base == "sub") return single<Subtract, float, float>(flush, saturate);
    if (base == "mul") return single<Multiply, float, float>(flush, saturate);
    if (base == "fma" || base == "mad") return single<MultiplyAdd, float, float, float>(flush, saturate);
    if (base == "div") return single<Divide, float, float>(flush, saturate);
    if (base == "min")
        return nan ? single<OrNan<Minimum>, float, float>(flush, false) : single<Minimum, float, float>(flush, false);
    if (base == "max")
        return nan ? single<OrNan<Maximum>, float, float>(flush, false) : single<Maximum, float, float>(flush, false);
    if (base == "abs") return single<Absolute, float>(flush, false);
    if (base == "neg") return single<Negate, float>(flush, false);
    if (base == "sqrt") return single<SquareRoot, float>(flush, false);
    if (base == "rcp") return single<Reciprocal, float>(flush, false);
    if (base == "rsqrt") return single<ReciprocalRoot, float>(flush, false);
    if (base == "ex2") return single<Exp2, float>(flush, false);
    if (base == "lg2") return single<Log2, float>(flush, false);
    if (base == "sin") return single<Sine, float>(flush, false);
    if (base == "cos") return single<Cosine, float>(flush, false);
    if (base == "tanh") return single<Tanh, float>(flush, false);
    if (base == "copysign") return single<CopySign, float, float>(false, false);
    return nullptr;
}

Handler double_handler(std::string_view base) {
    if (base == "add") return map<Add, double, double, double>;
    if (base == "sub") return map<Subtract, double, double, double>;
    if (base == "mul") return map<Multiply, double, double, double>;
    if (base == "fma" || base == "mad") return map<MultiplyAdd, double, double, double, double>;
    if (base == "div") return map<Divide, double, double, double>;
    if (base == "min") return map<Minimum, double, double, double>;
    if (base == "max") return map<Maximum, double, double, double>;
    if (base == "abs") return map<Absolute, double, double>;
    if (base == "neg") return map<Negate, double, double>;
    if (base == "sqrt") return map<SquareRoot, double, double>;
    if (base == "rcp") return map<Reciprocal, double, double>;
    if (base == "rsqrt") return map<ReciprocalRoot, double, double>;
    if (base == "copysign") return map<CopySign, double, double, double>;
    return nullptr;
}

struct NotANumber {
    template <class T>
    bool operator()(T x) const {
        return std::isnan(x);
    }
};
struct Infinite {
    template <class T>
    bool operator()(T x) const {
        return std::isinf(x);
    }
};
struct Finite {
    template <class T>
    bool operator()(T x) const {
        return std::isfinite(x);
    }
};

template <class F, class T>
void test(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    warp.set_predicate(in.operand[0], lanes, lanes_where(F{}, warp.at<T>(in.operand[1])));
}

// testp.infinite.f32 p, a
void decode_test(Decoding& d) {
    const Type type = d.take_type();
    const bool wide = type == Type::f64;
    if (d.take("notanumber")) {
        d.in.run = wide ? test<NotANumber, double> : test<NotANumber, float>;
    } else if (d.take("infinite")) {
        d.in.run = wide ? test<Infinite, double> : test<Infinite, float>;
    } else if (d.take("finite")) {
        d.in.run = wide ? test<Finite, double> : test<Finite, float>;
    }
    d.in.operand[0] = d.predicate(d.text(0));
    d.in.operand[1] = d.value(1, type);
}

void decode_only_floating(Decoding& d) { decode_floating(d, d.take_type()); }

}  // namespace

void decode_floating(Decoding& d, Type type) {
    const bool flush = d.take("ftz"), saturate = d.take("sat"), nan = d.take("NaN");
    const bool approximate = d.take("approx");
    d.take("full");
    const Rounding rounding = take_rounding(d);
    const std::string_view base = d.base();
    if (type == Type::f64) {
        if (base == "rcp" && approximate && flush)
            d.in.run = map<GrossReciprocal, double, double>;
        else if (rounding == Rounding::kNearest && !flush && !saturate && !nan)
            d.in.run = double_handler(base);
    } else if (rounding == Rounding::kZero) {
        d.in.run = directed<Rounding::kZero>(base, flush, saturate);
    } else if (rounding == Rounding::kDown) {
        d.in.run = directed<Rounding::kDown>(base, flush, saturate);
    } else if (rounding == Rounding::kUp) {
        d.in.run = directed<Rounding::kUp>(base, flush, saturate);
    } else {
        d.in.run = single_handler(base, nan, flush, saturate);
    }
    take_operands(d, type, d.operands());
}

void add_floating(DecoderTable& table) {
    for (const char* base : {"sqrt", "rcp", "rsqrt", "lg2", "sin", "cos", "copysign"}) {
        table[base] = decode_only_floating;
    }
    table["testp"] = decode_test;
}

}  // namespace gpu_sim
