// setp, set, selp, slct: comparisons and choices.
#include "tests/gpu_sim/machine/floating.h"
#include "tests/gpu_sim/machine/select_type.h"

namespace gpu_sim {

namespace {

enum class Relation : std::uint8_t { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };
constexpr std::string_view kRelations[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                           "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

template <Relation R>
struct Compare {
    template <class T>
    bool operator()(T a, T b) const {
        // Unordered comparisons hold if an operand is a NaN.
        if constexpr (R == Relation::eq) return a == b;
        if constexpr (R == Relation::ne) return a < b || a > b;
        if constexpr (R == Relation::lt) return a < b;
        if constexpr (R == Relation::le) return a <= b;
        if constexpr (R == Relation::gt) return a > b;
        if constexpr (R == Relation::ge) return a >= b;
        if constexpr (R == Relation::equ) return !(a < b || a > b);
        if constexpr (R == Relation::neu) return a != b;
        if constexpr (R == Relation::ltu) return !(a >= b);
        if constexpr (R == Relation::leu) return !(a > b);
        if constexpr (R == Relation::gtu) return !(a <= b);
        if constexpr (R == Relation::geu) return !(a < b);
        if constexpr (R == Relation::num) return a == a && b == b;
        return a != a || b != b;
    }
};

enum class Join : std::uint32_t { kNone, kAnd, kOr, kXor };

std::uint32_t joined(Join join, std::uint32_t a, std::uint32_t b) {
    switch (join) {
        case Join::kAnd:
            return a & b;
        case Join::kOr:
            return a | b;
        case Join::kXor:
            return a ^ b;
        default:
            return a;
    }
}

// Operands: p, q (or none), a, b, c (or none).
template <Relation R, class T>
void set_predicates(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const std::uint32_t holds = lanes_where(Compare<R>{}, warp.at<T>(in.operand[2]), warp.at<T>(in.operand[3]));
    const auto join = Join(in.target);
    const std::uint32_t with = join == Join::kNone ? 0 : warp.truth(in.operand[4]);
    warp.set_predicate(in.operand[0], lanes, joined(join, holds, with));
    if (in.operand[1]) warp.set_predicate(in.operand[1], lanes, joined(join, ~holds, with));
}

struct LoadHalf {
    bool bfloat;
    float operator()(std::uint16_t x) const { return bfloat ? from_bf16(x) : from_f16(x); }
};
template <Relation R, bool Bfloat>
void set_predicates_half(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto* a = warp.at<std::uint16_t>(in.operand[2]);
    const auto* b = warp.at<std::uint16_t>(in.operand[3]);
    const LoadHalf load{Bfloat};
    const std::uint32_t holds =
        lanes_where([&](std::uint16_t x, std::uint16_t y) { return Compare<R>{}(load(x), load(y)); }, a, b);
    const auto join = Join(in.target);
    const std::uint32_t with = join == Join::kNone ? 0 : warp.truth(in.operand[4]);
    warp.set_predicate(in.operand[0], lanes, joined(join, holds, with));
    if (in.operand[1]) warp.set_predicate(in.operand[1], lanes, joined(join, ~holds, with));
}

template <Relation R>
Handler by_type(Type type) {
    switch (type) {
        case Type::b16:
        case Type::u16:
            return set_predicates<R, std::uint16_t>;
        case Type::s16:
            return set_predicates<R, std::int16_t>;
        case Type::b32:
        case Type::u32:
            return set_predicates<R, std::uint32_t>;
        case Type::s32:
            return set_predicates<R, std::int32_t>;
        case Type::b64:
        case Type::u64:
            return set_predicates<R, std::uint64_t>;
        case Type::s64:
            return set_predicates<R, std::int64_t>;
        case Type::f32:
            return set_predicates<R, float>;
        case Type::f64:
            return set_predicates<R, double>;
        case Type::f16:
            return set_predicates_half<R, false>;
        case Type::bf16:
            return set_predicates_half<R, true>;
        default:
            return nullptr;
    }
}

Handler comparison(std::size_t relation, Type type) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        Handler found = nullptr;
        ((I == relation ? void(found = by_type<Relation(I)>(type)) : void()), ...);
        return found;
    }
    (std::make_index_sequence<std::size(kRelations)>{});
}

// setp.lt.and.s32 p|q, a, b, !c
void decode_setp(Decoding& d) {
    const Type type = d.take_type();
    d.take("ftz");
    std::size_t relation = std::size(kRelations);
    for (std::size_t i = 0; i < std::size(kRelations); ++i) {
        if (d.take(kRelations[i])) relation = i;
    }
    // Unsigned comparisons have names of their own.
    constexpr std::pair<std::string_view, Relation> kUnsigned[] = {
        {"lo", Relation::lt}, {"ls", Relation::le}, {"hi", Relation::gt}, {"hs", Relation::ge}};
    for (const auto& [name, same] : kUnsigned) {
        if (d.take(name)) relation = std::size_t(same);
    }
    if (relation == std::size(kRelations)) d.fail("unknown comparison");
    d.in.run = comparison(relation, type);
    const auto [p, q] = d.halves(0);
    d.in.operand[0] = d.predicate(p);
    if (!q.empty()) d.in.operand[1] = d.predicate(q);
    d.in.operand[2] = d.value(1, type);
    d.in.operand[3] = d.value(2, type);
    const std::string_view join = d.take_any({"and", "or", "xor"});
    if (join.empty()) return;
    d.in.target = std::uint32_t(join == "and" ? Join::kAnd : join == "or" ? Join::kOr : Join::kXor);
    d.in.operand[4] = d.predicate(d.text(3));
}

template <class T>
void choose(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const std::uint32_t p = warp.truth(in.operand[3]);
    T* d = warp.at<T>(in.operand[0]);
    const T *a = warp.at<T>(in.operand[1]), *b = warp.at<T>(in.operand[2]);
#pragma GCC ivdep
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        const T result = (p >> lane & 1) ? a[lane] : b[lane];
        d[lane] = (lanes >> lane & 1) ? result : d[lane];
    }
}

void decode_selp(Decoding& d) {
    const Type type = d.take_type();
    const std::uint32_t bytes = bytes_of(type);
    d.in.run = bytes == 2 ? choose<std::uint16_t> : bytes == 4 ? choose<std::uint32_t> : choose<std::uint64_t>;
    take_operands(d, type, 3);
    d.in.operand[3] = d.predicate(d.text(3));
}

template <class T>
struct BySign {
    T operator()(T a, T b, std::int32_t c) const { return c >= 0 ? a : b; }
    T operator()(T a, T b, float c) const { return c >= 0 ? a : b; }
};

// slct.f32.s32 d, a, b, c
void decode_slct(Decoding& d) {
    d.take("ftz");
    const Type by = d.take_type(), type = d.take_type();
    using U = std::uint32_t;
    using W = std::uint64_t;
    if (by == Type::f32) {
        d.in.run = bytes_of(type) == 8 ? map<BySign<W>, W, W, W, float> : map<BySign<U>, U, U, U, float>;
    } else {
        d.in.run = bytes_of(type) == 8 ? map<BySign<W>, W, W, W, std::int32_t> : map<BySign<U>, U, U, U, std::int32_t>;
    }
    take_operands(d, type, 3);
    d.in.operand[3] = d.value(3, by);
}

}  // namespace

void add_comparisons(DecoderTable& table) {
    table["setp"] = decode_setp;
    table["selp"] = decode_selp;
    table["slct"] = decode_slct;
}

}  // namespace gpu_sim
