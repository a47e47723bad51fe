// Logic, shifts, fields and permutations of bits.
#include "tests/gpu_sim/machine/select_type.h"

#include <algorithm>

namespace gpu_sim {

namespace {

struct And {
    template <class T>
    T operator()(T a, T b) const {
        return T(a & b);
    }
};
struct Or {
    template <class T>
    T operator()(T a, T b) const {
        return T(a | b);
    }
};
struct Xor {
    template <class T>
    T operator()(T a, T b) const {
        return T(a ^ b);
    }
};
struct Not {
    template <class T>
    T operator()(T a) const {
        return T(~a);
    }
};
// Shifts by more than the width clear, or leave the sign.
struct ShiftLeft {
    template <class T>
    T operator()(T a, std::uint32_t n) const {
        return n < 8 * sizeof(T) ? T(std::uint64_t(a) << n) : T(0);
    }
};
struct ShiftRight {
    template <class T>
    T operator()(T a, std::uint32_t n) const {
        return T(n < 8 * sizeof(T) ? a >> n : a < 0 ? T(-1) : T(0));
    }
};
template <bool Left, bool Clamp>
struct Funnel {
    std::uint32_t operator()(std::uint32_t low, std::uint32_t high, std::uint32_t n) const {
        n = Clamp ? std::min(n, 32u) : n & 31;
        const std::uint64_t both = std::uint64_t{high} << 32 | low;
        return std::uint32_t(Left ? (both << n) >> 32 : both >> n);
    }
};
struct CountOnes {
    template <class T>
    std::uint32_t operator()(T a) const {
        return std::uint32_t(__builtin_popcountll(a));
    }
};
struct CountZeros {
    template <class T>
    std::uint32_t operator()(T a) const {
        return a == 0 ? std::uint32_t(8 * sizeof(T)) : std::uint32_t(__builtin_clzll(a) - int(64 - 8 * sizeof(T)));
    }
};
struct Reverse {
    template <class T>
    T operator()(T a) const {
        T b = 0;
        for (std::size_t i = 0; i < 8 * sizeof(T); ++i) b = T(b | (a >> i & 1) << (8 * sizeof(T) - 1 - i));
        return b;
    }
};
// Position of the highest bit that differs from the sign; all ones if there is none.
struct FindHighest {
    template <class T>
    std::uint32_t operator()(T a) const {
        const std::make_unsigned_t<T> bits = std::make_unsigned_t<T>(a < 0 ? ~a : a);
        return bits == 0 ? ~0u : 63u - std::uint32_t(__builtin_clzll(bits));
    }
};
struct ExtractField {
    template <class T>
    T operator()(T a, std::uint32_t position, std::uint32_t length) const {
        constexpr std::uint32_t width = 8 * sizeof(T);
        position &= 255, length &= 255;
        if (length == 0) return 0;
        const bool negative = std::is_signed_v<T> && (a >> std::min(position + length - 1, width - 1) & 1);
        using U = std::make_unsigned_t<T>;
        U bits = position < width ? U(U(a) >> position) : U(0);
        // Bits above the operand are its sign, or zero.
        if (length < width) bits = U(bits & ((U(1) << length) - 1));
        const std::uint32_t known = position < width ? std::min(length, width - position) : 0;
        if (negative && known < width) bits = U(bits | ~U(0) << known);
        return T(bits);
    }
};
struct InsertField {
    template <class T>
    T operator()(T a, T b, std::uint32_t position, std::uint32_t length) const {
        constexpr std::uint32_t width = 8 * sizeof(T);
        position &= 255, length &= 255;
        if (position >= width || length == 0) return b;
        const T ones = length >= width ? T(~T(0)) : T((T(1) << length) - 1);
        const T mask = T(ones << position);
        return T((b & ~mask) | (T(a << position) & mask));
    }
};
struct PermuteBytes {
    std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t selectors) const {
        const std::uint64_t bytes = std::uint64_t{b} << 32 | a;
        std::uint32_t result = 0;
        for (std::uint32_t i = 0; i < 4; ++i) {
            const std::uint32_t selector = selectors >> 4 * i;
            std::uint32_t byte = std::uint32_t(bytes >> 8 * (selector & 7)) & 255;
            // The selector's top bit asks for copies of the byte's sign.
            if (selector & 8) byte = byte & 128 ? 255 : 0;
            result |= byte << 8 * i;
        }
        return result;
    }
};
struct LookUp3 {
    std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t table) const {
        std::uint32_t result = 0;
        for (std::uint32_t i = 0; i < 8; ++i) {
            const std::uint32_t row = (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
            result |= table >> i & 1 ? row : 0;
        }
        return result;
    }
};

template <class F, class... Tail>
Handler by_width(Type type) {
    switch (bytes_of(type)) {
        case 2:
            return map<F, std::uint16_t, std::uint16_t, Tail...>;
        case 4:
            return map<F, std::uint32_t, std::uint32_t, Tail...>;
        default:
            return map<F, std::uint64_t, std::uint64_t, Tail...>;
    }
}

template <class F>
Handler two_by_width(Type type) {
    switch (bytes_of(type)) {
        case 2:
            return map<F, std::uint16_t, std::uint16_t, std::uint16_t>;
        case 4:
            return map<F, std::uint32_t, std::uint32_t, std::uint32_t>;
        default:
            return map<F, std::uint64_t, std::uint64_t, std::uint64_t>;
    }
}

template <class F>
void of_predicates(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    warp.set_predicate(in.operand[0], lanes, F{}(warp.truth(in.operand[1]), warp.truth(in.operand[2])));
}
void not_predicate(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    warp.set_predicate(in.operand[0], lanes, ~warp.truth(in.operand[1]));
}

void decode_logic(Decoding& d) {
    const Type type = d.take_type();
    const bool predicates = type == Type::pred;
    const std::string_view base = d.base();
    if (base == "and") d.in.run = predicates ? of_predicates<And> : two_by_width<And>(type);
    if (base == "or") d.in.run = predicates ? of_predicates<Or> : two_by_width<Or>(type);
    if (base == "xor") d.in.run = predicates ? of_predicates<Xor> : two_by_width<Xor>(type);
    if (base == "not") d.in.run = predicates ? not_predicate : by_width<Not>(type);
    take_operands(d, type, d.operands());
}

void decode_shift(Decoding& d) {
    const Type type = d.take_type();
    if (d.base() == "shl") {
        d.in.run = by_width<ShiftLeft, std::uint32_t>(type);
    } else if (!is_signed(type)) {
        d.in.run = by_width<ShiftRight, std::uint32_t>(type);
    } else if (bytes_of(type) == 2) {
        d.in.run = map<ShiftRight, std::int16_t, std::int16_t, std::uint32_t>;
    } else if (bytes_of(type) == 4) {
        d.in.run = map<ShiftRight, std::int32_t, std::int32_t, std::uint32_t>;
    } else {
        d.in.run = map<ShiftRight, std::int64_t, std::int64_t, std::uint32_t>;
    }
    take_operands(d, type, 2);
    d.in.operand[2] = d.value(2, Type::u32);
}

// shf.l.wrap.b32 d, low, high, n
void decode_funnel(Decoding& d) {
    const bool left = d.take("l"), clamp = d.take("clamp");
    if (!left && !d.take("r")) d.fail("a funnel shift without direction");
    if (!clamp) d.take("wrap");
    using U = std::uint32_t;
    if (left) d.in.run = clamp ? map<Funnel<true, true>, U, U, U, U> : map<Funnel<true, false>, U, U, U, U>;
    if (!left) d.in.run = clamp ? map<Funnel<false, true>, U, U, U, U> : map<Funnel<false, false>, U, U, U, U>;
    take_operands(d, d.take_type(), 4);
}

void decode_count(Decoding& d) {
    const Type type = d.take_type();
    const bool wide = bytes_of(type) == 8;
    using U = std::uint32_t;
    if (d.base() == "popc") d.in.run = wide ? map<CountOnes, U, std::uint64_t> : map<CountOnes, U, U>;
    if (d.base() == "clz") d.in.run = wide ? map<CountZeros, U, std::uint64_t> : map<CountZeros, U, U>;
    if (d.base() == "bfind") {
        if (type == Type::u32) d.in.run = map<FindHighest, U, std::uint32_t>;
        if (type == Type::s32) d.in.run = map<FindHighest, U, std::int32_t>;
        if (type == Type::u64) d.in.run = map<FindHighest, U, std::uint64_t>;
        if (type == Type::s64) d.in.run = map<FindHighest, U, std::int64_t>;
    }
    d.in.operand[0] = d.value(0, Type::u32);
    d.in.operand[1] = d.value(1, type);
}

void decode_field(Decoding& d) {
    const Type type = d.take_type();
    const std::size_t values = d.base() == "bfe" ? 2 : 3;
    using U = std::uint32_t;
    if (values == 2) {
        if (type == Type::u32) d.in.run = map<ExtractField, std::uint32_t, std::uint32_t, U, U>;
        if (type == Type::s32) d.in.run = map<ExtractField, std::int32_t, std::int32_t, U, U>;
        if (type == Type::u64) d.in.run = map<ExtractField, std::uint64_t, std::uint64_t, U, U>;
        if (type == Type::s64) d.in.run = map<ExtractField, std::int64_t, std::int64_t, U, U>;
    } else {
        d.in.run = bytes_of(type) == 8 ? map<InsertField, std::uint64_t, std::uint64_t, std::uint64_t, U, U>
                                       : map<InsertField, U, U, U, U, U>;
    }
    take_operands(d, type, values);
    d.in.operand[values] = d.value(values, Type::u32);
    d.in.operand[values + 1] = d.value(values + 1, Type::u32);
}

void decode_words(Decoding& d) {
    using U = std::uint32_t;
    const Type type = d.take_type();
    if (d.base() == "prmt") d.in.run = map<PermuteBytes, U, U, U, U>;
    if (d.base() == "lop3") d.in.run = map<LookUp3, U, U, U, U, U>;
    if (d.base() == "brev") {
        d.in.run = bytes_of(type) == 8 ? map<Reverse, std::uint64_t, std::uint64_t> : map<Reverse, U, U>;
    }
    take_operands(d, type, d.operands());
}

}  // namespace

void add_bits(DecoderTable& table) {
    for (const char* base : {"and", "or", "xor", "not"}) table[base] = decode_logic;
    for (const char* base : {"shl", "shr"}) table[base] = decode_shift;
    for (const char* base : {"popc", "clz", "bfind"}) table[base] = decode_count;
    for (const char* base : {"bfe", "bfi"}) table[base] = decode_field;
    for (const char* base : {"prmt", "lop3", "brev"}) table[base] = decode_words;
    table["shf"] = decode_funnel;
}

}  // namespace gpu_sim
