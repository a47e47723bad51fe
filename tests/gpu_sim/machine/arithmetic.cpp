// Integer arithmetic, and the opcodes that exist for integers, floats and halves alike.
#include "tests/gpu_sim/machine/floating.h"
#include "tests/gpu_sim/machine/select_type.h"

#include <limits>

namespace gpu_sim {

namespace {

template <class T>
struct Wider;
template <>
struct Wider<std::uint16_t> : std::type_identity<std::uint32_t> {};
template <>
struct Wider<std::int16_t> : std::type_identity<std::int32_t> {};
template <>
struct Wider<std::uint32_t> : std::type_identity<std::uint64_t> {};
template <>
struct Wider<std::int32_t> : std::type_identity<std::int64_t> {};
template <>
struct Wider<std::uint64_t> : std::type_identity<unsigned __int128> {};
template <>
struct Wider<std::int64_t> : std::type_identity<__int128> {};

// Wraps around, as the hardware does, without the undefined behaviour of signed overflow.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) == 2, std::uint32_t, std::make_unsigned_t<T>>;

template <class T>
struct Add {
    T operator()(T a, T b) const { return T(Wrapping<T>(a) + Wrapping<T>(b)); }
};
template <class T>
struct AddSaturating {
    T operator()(T a, T b) const {
        T sum;
        if (!__builtin_add_overflow(a, b, &sum)) return sum;
        return a < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
    }
};
template <class T>
struct Subtract {
    T operator()(T a, T b) const { return T(Wrapping<T>(a) - Wrapping<T>(b)); }
};
template <class T>
struct MultiplyLow {
    T operator()(T a, T b) const { return T(Wrapping<T>(a) * Wrapping<T>(b)); }
};
template <class T>
struct MultiplyHigh {
    T operator()(T a, T b) const {
        using W = typename Wider<T>::type;
        return T((W(a) * W(b)) >> (8 * sizeof(T)));
    }
};
template <class T>
struct MultiplyAddLow {
    T operator()(T a, T b, T c) const { return T(Wrapping<T>(a) * Wrapping<T>(b) + Wrapping<T>(c)); }
};
template <class T>
struct MultiplyAddHigh {
    T operator()(T a, T b, T c) const { return Add<T>{}(MultiplyHigh<T>{}(a, b), c); }
};
template <class T>
struct MultiplyWide {
    using W = typename Wider<T>::type;
    W operator()(T a, T b) const { return W(a) * W(b); }
    W operator()(T a, T b, W c) const {
        using U = std::make_unsigned_t<W>;
        return W(U(W(a) * W(b)) + U(c));
    }
};
// Division by zero gives all ones on the hardware; lanes that are off divide too, and must not trap.
template <class T>
struct Divide {
    T operator()(T a, T b) const {
        if (b == 0) return T(~T(0));
        if (std::is_signed_v<T> && b == T(-1)) return Subtract<T>{}(0, a);
        return T(a / b);
    }
};
template <class T>
struct Remainder {
    T operator()(T a, T b) const {
        if (b == 0) return a;
        if (std::is_signed_v<T> && b == T(-1)) return 0;
        return T(a % b);
    }
};
template <class T>
struct Minimum {
    T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct Maximum {
    T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T>
struct Absolute {
    T operator()(T a) const { return a < T(0) ? Subtract<T>{}(0, a) : a; }
};
template <class T>
struct Negate {
    T operator()(T a) const { return Subtract<T>{}(0, a); }
};
template <class T>
struct SumOfDifference {
    T operator()(T a, T b, T c) const { return Add<T>{}(c, a < b ? Subtract<T>{}(b, a) : Subtract<T>{}(a, b)); }
};

template <class T>
Handler wide_product(bool add) {
    using W = typename Wider<T>::type;
    return add ? map<MultiplyWide<T>, W, T, T, W> : map<MultiplyWide<T>, W, T, T>;
}

Type wider(Type type) {
    switch (type) {
        case Type::u16:
            return Type::u32;
        case Type::s16:
            return Type::s32;
        case Type::u32:
            return Type::u64;
        default:
            return Type::s64;
    }
}

// mul.wide.s32, mad.wide.u32: a result of twice the width.
void decode_wide(Decoding& d, Type type, bool add) {
    switch (type) {
        case Type::u16:
            d.in.run = wide_product<std::uint16_t>(add);
            break;
        case Type::s16:
            d.in.run = wide_product<std::int16_t>(add);
            break;
        case Type::u32:
            d.in.run = wide_product<std::uint32_t>(add);
            break;
        case Type::s32:
            d.in.run = wide_product<std::int32_t>(add);
            break;
        default:
            d.fail("unknown type of a wide product");
    }
    d.in.operand[0] = d.value(0, wider(type));
    d.in.operand[1] = d.value(1, type);
    d.in.operand[2] = d.value(2, type);
    if (add) d.in.operand[3] = d.value(3, wider(type));
}

Handler integer_handler(Decoding& d, Type type) {
    const std::string_view base = d.base();
    if (base == "add") return d.take("sat") ? for_integers<AddSaturating, 2>(type) : for_integers<Add, 2>(type);
    if (base == "sub") return for_integers<Subtract, 2>(type);
    if (base == "min") return for_integers<Minimum, 2>(type);
    if (base == "max") return for_integers<Maximum, 2>(type);
    if (base == "div") return for_integers<Divide, 2>(type);
    if (base == "rem") return for_integers<Remainder, 2>(type);
    if (base == "abs") return for_integers<Absolute, 1>(type);
    if (base == "neg") return for_integers<Negate, 1>(type);
    if (base == "sad") return for_integers<SumOfDifference, 3>(type);
    const bool high = d.take("hi");
    if (!high) d.take("lo");
    if (base == "mul") return high ? for_integers<MultiplyHigh, 2>(type) : for_integers<MultiplyLow, 2>(type);
    if (base == "mad") return high ? for_integers<MultiplyAddHigh, 3>(type) : for_integers<MultiplyAddLow, 3>(type);
    return nullptr;
}

void decode_arithmetic(Decoding& d) {
    const Type type = d.take_type();
    if (type == Type::f32 || type == Type::f64) return decode_floating(d, type);
    if (is_float(type)) return decode_half(d, type);
    if (d.take("wide")) return decode_wide(d, type, d.base() == "mad");
    d.in.run = integer_handler(d, type);
    take_operands(d, type, d.operands());
}

}  // namespace

void add_arithmetic(DecoderTable& table) {
    for (const char* base :
         {"add", "sub", "mul", "mad", "fma", "div", "rem", "min", "max", "abs", "neg", "sad", "ex2", "tanh"}) {
        table[base] = decode_arithmetic;
    }
}

}  // namespace gpu_sim
