// ld, st.
#include "tests/gpu_sim/machine/memory_access.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

std::byte* local_bytes(Warp& warp, const Access& a, std::uint32_t lane) {
    const std::uint32_t size = warp.grid().program.local_bytes;
    const std::uint64_t address = a.address[lane];
    if (address > size || a.bytes > size - address) {
        warp.fault(a.in, lane,
                   "local memory out of bounds: byte " + std::to_string(std::int64_t(address)) + " of " +
                       std::to_string(size));
    }
    if (warp.grid().counters) warp.grid().counters->local_bytes += a.bytes;
    return warp.local(lane) + address;
}

std::byte* parameter_bytes(Warp& warp, const Access& a, std::uint32_t lane) {
    const auto& image = warp.grid().launch.parameters;
    if (a.address[lane] + a.bytes > image.size()) warp.fault(a.in, lane, "parameter out of bounds");
    return const_cast<std::byte*>(image.data() + a.address[lane]);
}

std::uint32_t lanes_of_first_window(const Access& a) {
    const std::uint64_t window = a.address[__builtin_ctz(a.lanes)] & kWindowMask;
    std::uint32_t same = 0;
    each_lane(a.lanes, [&](std::uint32_t lane) { same |= (a.address[lane] & kWindowMask) == window ? 1u << lane : 0; });
    return same;
}

std::uint32_t bank_conflicts(const Access& a) {
    constexpr std::uint32_t kBanks = 32;
    if (a.lanes == kAllLanes && consecutive(a)) return 0;
    const std::uint32_t words = std::max(a.bytes / 4, 1u);
    // Wide accesses are done in parts: half a warp at a time for 8 bytes, a quarter for 16.
    const std::uint32_t per_part = kWarp / words;
    std::uint32_t extra = 0;
    for (std::uint32_t begin = 0; begin < kWarp; begin += per_part) {
        // Different words of each bank.
        std::array<std::array<std::uint64_t, kWarp>, kBanks> rows;
        std::array<std::uint32_t, kBanks> count{};
        for (std::uint32_t lane = begin; lane < begin + per_part; ++lane) {
            if (!(a.lanes >> lane & 1)) continue;
            for (std::uint32_t w = 0; w < words; ++w) {
                const std::uint64_t word = a.address[lane] / 4 + w, bank = word % kBanks;
                const auto end = rows[bank].begin() + count[bank];
                if (std::find(rows[bank].begin(), end, word) == end) rows[bank][count[bank]++] = word;
            }
        }
        const std::uint32_t most = *std::max_element(count.begin(), count.end());
        extra += most > 1 ? most - 1 : 0;
    }
    return extra;
}

namespace {

constexpr std::uint32_t kMostBytes = 32;  // a lane: two halves of a v4 of 64 bits

// target: elements, | bytes of an element << 8, | bytes of a register's lane << 16, | sign extends << 24.
struct Shape {
    std::uint32_t elements, bytes, lane;
    bool extends;
};
Shape shape_of(const Instruction& in) {
    return {in.target & 255, in.target >> 8 & 255, in.target >> 16 & 255, (in.target >> 24) != 0};
}

template <ptx::Space Space>
void count_shared(Warp& warp, const Access& a) {
    KernelCounters* counters = warp.grid().counters;
    if (Space != ptx::Space::kShared || !counters) return;
    ++counters->shared_accesses;
    counters->shared_conflicts += bank_conflicts(a);
}

// Between what lies in memory, lane after lane, and a register for each element.
template <class T>
void spread(const Instruction& in, Warp& warp, std::uint32_t lanes, std::uint32_t elements, const std::byte* packed) {
    const T* from = reinterpret_cast<const T*>(packed);
    for (std::uint32_t i = 0; i < elements; ++i) {
        T* to = warp.at<T>(in.operand[1 + i]);
        for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
            to[lane] = (lanes >> lane & 1) ? from[lane * elements + i] : to[lane];
        }
    }
}
template <class T>
void collect(const Instruction& in, Warp& warp, std::uint32_t elements, std::byte* packed) {
    T* to = reinterpret_cast<T*>(packed);
    for (std::uint32_t i = 0; i < elements; ++i) {
        const T* from = warp.at<T>(in.operand[1 + i]);
        for (std::uint32_t lane = 0; lane < kWarp; ++lane) to[lane * elements + i] = from[lane];
    }
}

// Narrow values fill their register.
void spread_narrow(const Instruction& in, Warp& warp, std::uint32_t lanes, const Shape& s, const std::byte* packed) {
    each_lane(lanes, [&](std::uint32_t lane) {
        const std::byte* from = packed + lane * s.elements * s.bytes;
        for (std::uint32_t i = 0; i < s.elements; ++i, from += s.bytes) {
            std::uint64_t bits = 0;
            std::memcpy(&bits, from, s.bytes);
            if (s.extends) bits = std::uint64_t(std::int64_t(bits << (64 - 8 * s.bytes)) >> (64 - 8 * s.bytes));
            std::memcpy(warp.at<std::byte>(in.operand[1 + i]) + lane * s.lane, &bits, s.lane);
        }
    });
}
void collect_narrow(const Instruction& in, Warp& warp, const Shape& s, std::byte* packed) {
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        for (std::uint32_t i = 0; i < s.elements; ++i, packed += s.bytes) {
            std::memcpy(packed, warp.at<std::byte>(in.operand[1 + i]) + lane * s.lane, s.bytes);
        }
    }
}

template <ptx::Space Space>
void load(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const Shape s = shape_of(in);
    Access a{.in = in, .lanes = lanes, .bytes = s.elements * s.bytes, .kind = MemoryAccess::kRead, .address = {}};
    set_addresses(warp, a, in.operand[0]);
    count_shared<Space>(warp, a);
    alignas(64) std::byte buffer[kWarp * kMostBytes];
    // One value, as wide as its register, needs no sorting.
    const bool direct = s.elements == 1 && s.bytes == s.lane;
    std::byte* packed = direct ? warp.at<std::byte>(in.operand[1]) : buffer;
    access<Space>(warp, a, [&](const Run& run, const std::byte* from) {
        std::byte* to = packed + run.first * a.bytes;
        if (!run.same) {
            std::memcpy(to, from, run.bytes);
            return;
        }
        for (std::uint32_t i = 0; i < run.lanes; ++i) std::memcpy(to + i * a.bytes, from, a.bytes);
    });
    if (direct) return;
    if (s.bytes != s.lane) return spread_narrow(in, warp, lanes, s, packed);
    if (s.bytes == 4) return spread<std::uint32_t>(in, warp, lanes, s.elements, packed);
    if (s.bytes == 8) return spread<std::uint64_t>(in, warp, lanes, s.elements, packed);
    spread<std::uint16_t>(in, warp, lanes, s.elements, packed);
}

// A parameter at a place that the code names.
void load_parameter(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const Shape s = shape_of(in);
    const auto& image = warp.grid().launch.parameters;
    const auto begin = std::uint64_t(in.immediate);
    if (s.bytes != s.lane || begin + s.elements * s.bytes > image.size()) {
        return load<ptx::Space::kParam>(warp, in, lanes);
    }
    for (std::uint32_t i = 0; i < s.elements; ++i) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, image.data() + begin + i * s.bytes, s.bytes);
        const auto fill = [&]<class T>(T value) {
            T* to = warp.at<T>(in.operand[1 + i]);
            for (std::uint32_t lane = 0; lane < kWarp; ++lane) to[lane] = (lanes >> lane & 1) ? value : to[lane];
        };
        if (s.bytes == 8) fill(bits);
        if (s.bytes == 4) fill(std::uint32_t(bits));
        if (s.bytes == 2) fill(std::uint16_t(bits));
    }
}

template <ptx::Space Space>
void store(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const Shape s = shape_of(in);
    alignas(64) std::byte buffer[kWarp * kMostBytes];
    const std::byte* packed = buffer;
    if (s.elements == 1 && s.bytes == s.lane) {
        packed = warp.at<std::byte>(in.operand[1]);
    } else if (s.bytes == 4 && s.lane == 4) {
        collect<std::uint32_t>(in, warp, s.elements, buffer);
    } else {
        collect_narrow(in, warp, s, buffer);
    }
    Access a{.in = in,
             .lanes = lanes,
             .bytes = s.elements * s.bytes,
             .kind = MemoryAccess::kWrite,
             .values = packed,
             .address = {}};
    set_addresses(warp, a, in.operand[0]);
    count_shared<Space>(warp, a);
    access<Space>(warp, a,
                  [&](const Run& run, std::byte* to) { std::memcpy(to, packed + run.first * a.bytes, run.bytes); });
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
            if (loads) d.in.run = d.in.operand[0] ? load<kParam> : load_parameter;
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
