// atom and red: one lane after another, from a random one on.
#include "tests/gpu_sim/machine/floating.h"
#include "tests/gpu_sim/machine/memory_access.h"

#include <cstring>

namespace gpu_sim {

namespace {

enum class Update : std::uint32_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kExchange, kCompare, kIncrement, kDecrement };
constexpr std::string_view kUpdates[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};

template <class T>
T updated(Update how, T old, T b, T c) {
    switch (how) {
        case Update::kMin:
            return b < old ? b : old;
        case Update::kMax:
            return old < b ? b : old;
        case Update::kExchange:
            return b;
        case Update::kCompare:
            return old == b ? c : old;
        default:
            break;
    }
    if constexpr (std::is_floating_point_v<T>) {
        return old + b;
    } else {
        switch (how) {
            case Update::kAnd:
                return old & b;
            case Update::kOr:
                return old | b;
            case Update::kXor:
                return old ^ b;
            case Update::kIncrement:
                return old >= b ? T(0) : T(old + 1);
            case Update::kDecrement:
                return old == 0 || old > b ? b : T(old - 1);
            default:
                return T(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(b));
        }
    }
}

// Operands: address, d (or none), b, c (or none). target: the update.
template <class T, ptx::Space Space>
void update(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const std::uint32_t first = warp.grid().random.below(kWarp);
    for (std::uint32_t i = 0; i < kWarp; ++i) {
        const std::uint32_t lane = (first + i) % kWarp;
        if (!(lanes >> lane & 1)) continue;
        const std::uint64_t address = address_of(warp, in, in.operand[0], lane);
        Access a{.in = in, .lanes = 1u << lane, .bytes = sizeof(T), .kind = MemoryAccess::kAtomic, .address = {}};
        a.address[lane] = address;
        T old{};
        access<Space>(warp, a, [&](const Run&, std::byte* at) {
            warp.block().atomic(address);
            std::memcpy(&old, at, sizeof old);
            const T b = warp.at<T>(in.operand[2])[lane], c = in.operand[3] ? warp.at<T>(in.operand[3])[lane] : T{};
            const T now = updated(Update(in.target), old, b, c);
            std::memcpy(at, &now, sizeof now);
        });
        if (in.operand[1]) warp.at<T>(in.operand[1])[lane] = old;
    }
}

template <class T>
Handler in_space(ptx::Space space) {
    if (space == ptx::Space::kShared) return update<T, ptx::Space::kShared>;
    if (space == ptx::Space::kGlobal) return update<T, ptx::Space::kGlobal>;
    return update<T, ptx::Space::kGeneric>;
}

void decode_atomic(Decoding& d) {
    const bool returns = d.base() == "atom";
    const ptx::Space space = take_space(d);
    for (std::uint32_t i = 0; i < std::size(kUpdates); ++i) {
        if (d.take(kUpdates[i])) d.in.target = i;
    }
    const Type type = d.take_type();
    for (const char* word : {"relaxed", "acquire", "release", "acq_rel", "gpu", "sys", "noftz", "cta"}) d.take(word);
    switch (type) {
        case Type::b32:
        case Type::u32:
            d.in.run = in_space<std::uint32_t>(space);
            break;
        case Type::s32:
            d.in.run = in_space<std::int32_t>(space);
            break;
        case Type::b64:
        case Type::u64:
            d.in.run = in_space<std::uint64_t>(space);
            break;
        case Type::s64:
            d.in.run = in_space<std::int64_t>(space);
            break;
        case Type::f32:
            d.in.run = in_space<float>(space);
            break;
        case Type::f64:
            d.in.run = in_space<double>(space);
            break;
        default:
            d.fail("unknown type of an atomic");
    }
    std::size_t next = 0;
    if (returns) d.in.operand[1] = d.value(next++, type);
    take_address(d, next++, 0, space);
    d.in.operand[2] = d.value(next++, type);
    if (d.has_operand(next)) d.in.operand[3] = d.value(next, type);
}

}  // namespace

void add_atomics(DecoderTable& table) {
    table["atom"] = decode_atomic;
    table["red"] = decode_atomic;
}

}  // namespace gpu_sim
