// ld, st.
#include "tests/gpu_sim/machine/memory_access.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

std::uint32_t bank_conflicts(const std::array<std::uint64_t, kWarp>& addresses, std::uint32_t lanes,
                             std::uint32_t bytes) {
    constexpr std::uint32_t kBanks = 32;
    const std::uint32_t words = std::max(bytes / 4, 1u);
    // Wide accesses are done in parts: half a warp at a time for 8 bytes, a quarter for 16.
    const std::uint32_t per_part = kWarp / words;
    std::uint32_t extra = 0;
    for (std::uint32_t begin = 0; begin < kWarp; begin += per_part) {
        std::array<std::vector<std::uint64_t>, kBanks> rows;
        std::size_t most = 1;
        for (std::uint32_t lane = begin; lane < begin + per_part; ++lane) {
            if (!(lanes >> lane & 1)) continue;
            for (std::uint32_t w = 0; w < words; ++w) {
                const std::uint64_t word = addresses[lane] / 4 + w;
                auto& bank = rows[word % kBanks];
                if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
                most = std::max(most, bank.size());
            }
        }
        extra += std::uint32_t(most - 1);
    }
    return extra;
}

namespace {

// target: elements, | bytes of an element << 8, | bytes of a register's lane << 16, | sign extends << 24.
struct Shape {
    std::uint32_t elements, bytes, lane;
    bool extends;
};
Shape shape_of(const Instruction& in) {
    return {in.target & 255, in.target >> 8 & 255, in.target >> 16 & 255, (in.target >> 24) != 0};
}

void count_shared(Warp& warp, const Instruction& in, std::uint32_t lanes, std::uint32_t bytes) {
    KernelCounters* counters = warp.grid().counters;
    if (!counters) return;
    std::array<std::uint64_t, kWarp> addresses{};
    each_lane(lanes, [&](std::uint32_t lane) { addresses[lane] = address_of(warp, in, in.operand[0], lane); });
    ++counters->shared_accesses;
    counters->shared_conflicts += bank_conflicts(addresses, lanes, bytes);
}

template <ptx::Space Space>
void load(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const Shape s = shape_of(in);
    if (Space == ptx::Space::kShared) count_shared(warp, in, lanes, s.elements * s.bytes);
    each_lane(lanes, [&](std::uint32_t lane) {
        const std::byte* from = bytes_at<Space>(warp, in, lane, address_of(warp, in, in.operand[0], lane),
                                                s.elements * s.bytes, MemoryAccess::kRead);
        for (std::uint32_t i = 0; i < s.elements; ++i, from += s.bytes) {
            std::byte* to = warp.at<std::byte>(in.operand[1 + i]) + lane * s.lane;
            if (s.bytes == 4 && s.lane == 4) {
                std::memcpy(to, from, 4);
                continue;
            }
            // Narrow values fill their register.
            std::uint64_t bits = 0;
            std::memcpy(&bits, from, s.bytes);
            if (s.extends) bits = std::uint64_t(std::int64_t(bits << (64 - 8 * s.bytes)) >> (64 - 8 * s.bytes));
            std::memcpy(to, &bits, s.lane);
        }
    });
}

template <ptx::Space Space>
void store(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const Shape s = shape_of(in);
    if (Space == ptx::Space::kShared) count_shared(warp, in, lanes, s.elements * s.bytes);
    each_lane(lanes, [&](std::uint32_t lane) {
        std::array<std::byte, 32> value;
        for (std::uint32_t i = 0; i < s.elements; ++i) {
            const std::byte* from = warp.at<std::byte>(in.operand[1 + i]) + lane * s.lane;
            if (s.bytes == 4) {
                std::memcpy(value.data() + i * 4, from, 4);
            } else {
                std::memcpy(value.data() + i * s.bytes, from, s.bytes);
            }
        }
        std::byte* to = bytes_at<Space>(warp, in, lane, address_of(warp, in, in.operand[0], lane), s.elements * s.bytes,
                                        MemoryAccess::kWrite, value.data());
        std::memcpy(to, value.data(), s.elements * s.bytes);
    });
}

void decode_transfer(Decoding& d) {
    const bool loads = d.base() != "st";
    ptx::Space space = take_space(d);
    const Type type = d.take_type();
    const std::uint32_t elements = d.take("v4") ? 4 : d.take("v2") ? 2 : 1;
    // Advice about caches and orderings that the machine's order, one block at a time, always satisfies.
    d.ignore_modifiers();
    const std::size_t address = loads ? 1 : 0, values = loads ? 0 : 1;
    space = take_address(d, address, 0, space);
    const std::vector<std::string_view> parts = d.elements(values);
    if (parts.size() != elements) d.fail("another number of registers than the vector has");
    std::uint32_t lane = 0;
    for (const std::string_view part : parts) lane = std::max(lane, d.register_bytes(part));
    if (lane == 0) lane = std::max(bytes_of(type), 2u);
    if (lane < bytes_of(type)) d.fail("a register too narrow for what it holds");
    for (std::size_t i = 0; i < elements; ++i) {
        const Type as = lane == 2 ? Type::b16 : lane == 8 ? Type::b64 : Type::b32;
        d.in.operand[1 + i] = d.value(parts[i], bytes_of(type) == lane ? type : as);
    }
    d.in.target = elements | bytes_of(type) << 8 | lane << 16 | std::uint32_t(is_signed(type)) << 24;
    using enum ptx::Space;
    switch (space) {
        case kGeneric:
            d.in.run = loads ? load<kGeneric> : store<kGeneric>;
            break;
        case kShared:
            d.in.run = loads ? load<kShared> : store<kShared>;
            break;
        case kLocal:
            d.in.run = loads ? load<kLocal> : store<kLocal>;
            break;
        case kParam:
            if (loads) d.in.run = load<kParam>;
            break;
        default:
            d.in.run = loads ? load<kGlobal> : store<kGlobal>;
    }
}

}  // namespace

void add_memory(DecoderTable& table) {
    table["ld"] = decode_transfer;
    table["ldu"] = decode_transfer;
    table["st"] = decode_transfer;
}

}  // namespace gpu_sim
