// cvt: between integers, floats and halves, with rounding and saturation.
#include "tests/gpu_sim/machine/floating.h"
#include "tests/gpu_sim/machine/select_type.h"

#include <cstring>
#include <limits>

namespace gpu_sim {

namespace {

// How, in Instruction::target.
enum Flag : std::uint32_t { kSaturate = 16, kFlush = 32, kInteger = 64, kRelu = 128 };

double to_integral(double x, Rounding mode) {
    switch (mode) {
        case Rounding::kZero:
            return std::trunc(x);
        case Rounding::kDown:
            return std::floor(x);
        case Rounding::kUp:
            return std::ceil(x);
        default:
            return std::nearbyint(x);
    }
}

template <class T>
constexpr bool kIsFloat = std::is_floating_point_v<T>;

template <class D, class S>
D converted(S x, std::uint32_t how) {
    const auto mode = Rounding(how & 3);
    if constexpr (kIsFloat<S> && kIsFloat<D>) {
        if constexpr (sizeof(S) == 4) x = how & kFlush ? flushed(x) : x;
        D y;
        if (how & kInteger) {
            y = D(to_integral(double(x), mode));
        } else if constexpr (sizeof(D) == 4) {
            y = round_directed(double(x), 0, mode);
        } else {
            y = D(x);
        }
        if constexpr (sizeof(D) == 4) y = how & kFlush ? flushed(y) : y;
        return how & kSaturate ? saturated(y) : y;
    } else if constexpr (kIsFloat<S>) {
        // A NaN becomes 0, and what is out of range the nearest value.
        if (x != x) return sizeof(D) == 8 ? std::numeric_limits<D>::min() : D(0);
        if constexpr (sizeof(S) == 4) x = how & kFlush ? flushed(x) : x;
        const double y = to_integral(double(x), mode);
        const double limit = std::ldexp(1.0, int(8 * sizeof(D)) - (std::is_signed_v<D> ? 1 : 0));
        if (y >= limit) return std::numeric_limits<D>::max();
        if (y < double(std::numeric_limits<D>::min())) return std::numeric_limits<D>::min();
        return D(y);
    } else if constexpr (kIsFloat<D>) {
        D y;
        if constexpr (sizeof(D) == 4 && sizeof(S) <= 4) {
            y = round_directed(double(x), 0, mode);
        } else {
            y = D(x);
        }
        return how & kSaturate ? saturated(y) : y;
    } else {
        if (!(how & kSaturate)) return D(x);
        const __int128 wide = x;
        if (wide > __int128(std::numeric_limits<D>::max())) return std::numeric_limits<D>::max();
        if (wide < __int128(std::numeric_limits<D>::min())) return std::numeric_limits<D>::min();
        return D(x);
    }
}

// Registers may be wider than the types; immediate: bytes of a lane of source and destination.
template <class D, class S>
void convert(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto from = std::uint32_t(in.immediate & 0xff), to = std::uint32_t(in.immediate >> 8);
    if (from == sizeof(S) && to == sizeof(D)) {
        const std::uint32_t how = in.target;
        for_lanes(
            lanes, warp.at<D>(in.operand[0]), [how](S x) { return converted<D, S>(x, how); },
            warp.at<S>(in.operand[1]));
        return;
    }
    each_lane(lanes, [&](std::uint32_t lane) {
        S x;
        std::memcpy(&x, warp.at<std::byte>(in.operand[1]) + lane * from, sizeof x);
        const D y = converted<D, S>(x, in.target);
        // A narrow integer fills its register, by sign or with zeros.
        std::uint64_t bits = 0;
        if constexpr (kIsFloat<D>) {
            std::memcpy(&bits, &y, sizeof y);
        } else {
            bits = std::uint64_t(std::int64_t(y));
        }
        std::memcpy(warp.at<std::byte>(in.operand[0]) + lane * to, &bits, to);
    });
}

template <class D>
Handler from_type(Type type) {
    switch (type) {
        case Type::u8:
        case Type::b8:
            return convert<D, std::uint8_t>;
        case Type::s8:
            return convert<D, std::int8_t>;
        case Type::u16:
        case Type::b16:
            return convert<D, std::uint16_t>;
        case Type::s16:
            return convert<D, std::int16_t>;
        case Type::u32:
        case Type::b32:
            return convert<D, std::uint32_t>;
        case Type::s32:
            return convert<D, std::int32_t>;
        case Type::u64:
        case Type::b64:
            return convert<D, std::uint64_t>;
        case Type::s64:
            return convert<D, std::int64_t>;
        case Type::f32:
            return convert<D, float>;
        case Type::f64:
            return convert<D, double>;
        default:
            return nullptr;
    }
}

Handler plain(Type to, Type from) {
    switch (to) {
        case Type::u8:
        case Type::b8:
            return from_type<std::uint8_t>(from);
        case Type::s8:
            return from_type<std::int8_t>(from);
        case Type::u16:
        case Type::b16:
            return from_type<std::uint16_t>(from);
        case Type::s16:
            return from_type<std::int16_t>(from);
        case Type::u32:
        case Type::b32:
            return from_type<std::uint32_t>(from);
        case Type::s32:
            return from_type<std::int32_t>(from);
        case Type::u64:
        case Type::b64:
            return from_type<std::uint64_t>(from);
        case Type::s64:
            return from_type<std::int64_t>(from);
        case Type::f32:
            return from_type<float>(from);
        case Type::f64:
            return from_type<double>(from);
        default:
            return nullptr;
    }
}

std::uint16_t half_of(Type type, double x, std::uint32_t how) {
    if ((how & kRelu) && x < 0) x = 0;
    if (how & kSaturate) x = saturated(x);
    const auto mode = Rounding(how & 3);
    return type == Type::bf16 || type == Type::bf16x2 ? to_bf16(x, mode) : to_f16(x, mode);
}

// Any lane as a double, and back; immediate: types and bytes of lanes.
void convert_half(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto to = Type(in.immediate & 0xff), from = Type(in.immediate >> 8 & 0xff);
    each_lane(lanes, [&](std::uint32_t lane) {
        double x = 0;
        switch (from) {
            case Type::f16:
                x = from_f16(warp.at<std::uint16_t>(in.operand[1])[lane]);
                break;
            case Type::bf16:
                x = from_bf16(warp.at<std::uint16_t>(in.operand[1])[lane]);
                break;
            case Type::f32:
                x = warp.at<float>(in.operand[1])[lane];
                break;
            case Type::f64:
                x = warp.at<double>(in.operand[1])[lane];
                break;
            case Type::s16:
                x = warp.at<std::int16_t>(in.operand[1])[lane];
                break;
            case Type::u16:
                x = warp.at<std::uint16_t>(in.operand[1])[lane];
                break;
            case Type::s32:
                x = warp.at<std::int32_t>(in.operand[1])[lane];
                break;
            default:
                x = warp.at<std::uint32_t>(in.operand[1])[lane];
        }
        if (in.target & kInteger) x = to_integral(x, Rounding(in.target & 3));
        if (to == Type::f32) {
            warp.at<float>(in.operand[0])[lane] = float(x);
        } else if (to == Type::f64) {
            warp.at<double>(in.operand[0])[lane] = x;
        } else if (to == Type::s32) {
            warp.at<std::int32_t>(in.operand[0])[lane] = converted<std::int32_t>(x, in.target);
        } else if (to == Type::u32) {
            warp.at<std::uint32_t>(in.operand[0])[lane] = converted<std::uint32_t>(x, in.target);
        } else {
            warp.at<std::uint16_t>(in.operand[0])[lane] = half_of(to, x, in.target);
        }
    });
}

// cvt.rn.bf16x2.f32 d, a, b: a above b.
void convert_pair(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto to = Type(in.immediate);
    const float *high = warp.at<float>(in.operand[1]), *low = warp.at<float>(in.operand[2]);
    std::uint32_t* d = warp.at<std::uint32_t>(in.operand[0]);
    each_lane(lanes, [&](std::uint32_t lane) {
        d[lane] = std::uint32_t{half_of(to, high[lane], in.target)} << 16 | half_of(to, low[lane], in.target);
    });
}

struct ToTf32 {
    std::uint32_t operator()(std::uint32_t x) const {
        // Ties away from zero: half a unit of the shorter significand is added to the magnitude.
        return (x & 0x7f800000u) == 0x7f800000u ? x : (x + 0x1000u) & ~0x1fffu;
    }
};

void decode_cvt(Decoding& d) {
    std::uint32_t how = 0;
    if (d.take("sat")) how |= kSaturate;
    if (d.take("ftz")) how |= kFlush;
    if (d.take("relu")) how |= kRelu;
    if (d.take("rna")) {
        d.in.run = map<ToTf32, std::uint32_t, std::uint32_t>;
        d.take_type();
        if (!d.take("tf32")) d.fail("rna rounds to tf32 only");
        take_operands(d, Type::b32, 2);
        return;
    }
    if (const std::string_view word = d.take_any({"rni", "rzi", "rmi", "rpi"}); !word.empty()) {
        how |= kInteger | std::uint32_t(word == "rzi"   ? Rounding::kZero
                                        : word == "rmi" ? Rounding::kDown
                                        : word == "rpi" ? Rounding::kUp
                                                        : Rounding::kNearest);
    } else {
        how |= std::uint32_t(take_rounding(d));
    }
    const Type from = d.take_type(), to = d.take_type();
    d.in.target = how;
    const auto half = [](Type t) { return t == Type::f16 || t == Type::bf16; };
    if (to == Type::f16x2 || to == Type::bf16x2) {
        d.in.run = convert_pair;
        d.in.immediate = std::int64_t(to);
        d.in.operand = {d.value(0, Type::b32), d.value(1, from), d.value(2, from)};
        return;
    }
    if (half(to) || half(from)) {
        d.in.run = convert_half;
        d.in.immediate = std::int64_t(to) | std::int64_t(from) << 8;
        take_operands(d, to, 1);
        d.in.operand[1] = d.value(1, from);
        return;
    }
    d.in.run = plain(to, from);
    const auto wide = [&](std::size_t i, Type type) {
        const std::uint32_t bytes = d.register_bytes(d.text(i));
        const std::uint32_t lane = bytes ? bytes : std::max(bytes_of(type), 2u);
        const Type as = lane == 2 ? Type::b16 : lane == 4 ? Type::b32 : Type::b64;
        d.in.operand[i] = d.value(i, bytes ? as : type);
        return lane;
    };
    const std::uint32_t to_bytes = wide(0, to), from_bytes = wide(1, from);
    d.in.immediate = std::int64_t{from_bytes} | std::int64_t{to_bytes} << 8;
}

}  // namespace

void add_conversions(DecoderTable& table) { table["cvt"] = decode_cvt; }

}  // namespace gpu_sim
