// mov between registers, of halves of registers, of special registers; address spaces.
#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/select_type.h"

#include <cstring>

namespace gpu_sim {

namespace {

struct Copy {
    template <class T>
    T operator()(T a) const {
        return a;
    }
};

void move_predicate(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    warp.set_predicate(in.operand[0], lanes, warp.truth(in.operand[1]));
}

// {a, b} = d: target is the number of parts, immediate their bytes.
void unpack(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto bytes = std::size_t(in.immediate);
    each_lane(lanes, [&](std::uint32_t lane) {
        std::array<std::byte, 16> whole;
        std::memcpy(whole.data(), warp.at<std::byte>(in.operand[0]) + lane * bytes * in.target, bytes * in.target);
        for (std::uint32_t i = 0; i < in.target; ++i) {
            std::memcpy(warp.at<std::byte>(in.operand[1 + i]) + lane * bytes, whole.data() + i * bytes, bytes);
        }
    });
}

void pack(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto bytes = std::size_t(in.immediate);
    each_lane(lanes, [&](std::uint32_t lane) {
        std::array<std::byte, 16> whole;
        for (std::uint32_t i = 0; i < in.target; ++i) {
            std::memcpy(whole.data() + i * bytes, warp.at<std::byte>(in.operand[1 + i]) + lane * bytes, bytes);
        }
        std::memcpy(warp.at<std::byte>(in.operand[0]) + lane * bytes * in.target, whole.data(), bytes * in.target);
    });
}

using Special = std::uint64_t (*)(Warp&, std::uint32_t lane);
struct Named {
    std::string_view name;
    Special value;
};
constexpr Named kSpecial[] = {
    {"%tid.x", [](Warp& w, std::uint32_t lane) -> std::uint64_t { return w.thread_of(lane).x; }},
    {"%tid.y", [](Warp& w, std::uint32_t lane) -> std::uint64_t { return w.thread_of(lane).y; }},
    {"%tid.z", [](Warp& w, std::uint32_t lane) -> std::uint64_t { return w.thread_of(lane).z; }},
    {"%ntid.x", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.block.x; }},
    {"%ntid.y", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.block.y; }},
    {"%ntid.z", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.block.z; }},
    {"%ctaid.x", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.block().id().x; }},
    {"%ctaid.y", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.block().id().y; }},
    {"%ctaid.z", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.block().id().z; }},
    {"%nctaid.x", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.grid.x; }},
    {"%nctaid.y", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.grid.y; }},
    {"%nctaid.z", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.grid.z; }},
    {"%laneid", [](Warp&, std::uint32_t lane) -> std::uint64_t { return lane; }},
    {"%warpid", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.index(); }},
    {"%smid", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.block().number() % 8; }},
    {"%nsmid", [](Warp&, std::uint32_t) -> std::uint64_t { return 8; }},
    {"%lanemask_eq", [](Warp&, std::uint32_t lane) -> std::uint64_t { return 1u << lane; }},
    {"%lanemask_lt", [](Warp&, std::uint32_t lane) -> std::uint64_t { return (1u << lane) - 1; }},
    {"%lanemask_le", [](Warp&, std::uint32_t lane) -> std::uint64_t { return (2ull << lane) - 1; }},
    {"%lanemask_gt", [](Warp&, std::uint32_t lane) -> std::uint64_t { return kAllLanes & ~((2ull << lane) - 1); }},
    {"%lanemask_ge", [](Warp&, std::uint32_t lane) -> std::uint64_t { return kAllLanes & ~((1ull << lane) - 1); }},
    // Clocks: something that grows.
    {"%clock", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.executed(); }},
    {"%clock64", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.executed(); }},
    {"%globaltimer", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.executed(); }},
    {"%dynamic_smem_size", [](Warp& w, std::uint32_t) -> std::uint64_t { return w.grid().launch.dynamic_shared; }},
};

template <class T>
void move_special(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    T* d = warp.at<T>(in.operand[0]);
    const Special value = kSpecial[in.target].value;
    each_lane(lanes, [&](std::uint32_t lane) { d[lane] = T(value(warp, lane)); });
}

Type type_of_bytes(std::uint32_t bytes) { return bytes == 2 ? Type::b16 : bytes == 4 ? Type::b32 : Type::b64; }

void decode_parts(Decoding& d, Type type, bool packs) {
    const std::vector<std::string_view> parts = d.elements(packs ? 1 : 0);
    const std::uint32_t bytes = bytes_of(type) / std::uint32_t(parts.size());
    if (bytes < 2) d.fail("parts of a register have 16 bits at least");
    d.in.run = packs ? pack : unpack;
    d.in.target = std::uint32_t(parts.size());
    d.in.immediate = bytes;
    d.in.operand[0] = d.value(packs ? 0 : 1, type);
    for (std::size_t i = 0; i < parts.size(); ++i) d.in.operand[1 + i] = d.value(parts[i], type_of_bytes(bytes));
}

void decode_mov(Decoding& d) {
    const Type type = d.take_type();
    if (d.text(1).starts_with('{')) return decode_parts(d, type, true);
    if (d.text(0).starts_with('{')) return decode_parts(d, type, false);
    for (std::uint32_t i = 0; i < std::size(kSpecial); ++i) {
        if (kSpecial[i].name != d.text(1)) continue;
        d.in.run = bytes_of(type) == 8 ? move_special<std::uint64_t> : move_special<std::uint32_t>;
        d.in.target = i;
        d.in.operand[0] = d.value(0, type);
        return;
    }
    take_operands(d, type, 2);
    const std::uint32_t bytes = bytes_of(type);
    using W = std::uint64_t;
    d.in.run = type == Type::pred ? move_predicate
               : bytes == 2       ? map<Copy, std::uint16_t, std::uint16_t>
               : bytes == 4       ? map<Copy, std::uint32_t, std::uint32_t>
                                  : map<Copy, W, W>;
}

// immediate: what is added to the address.
void shift_address(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto by = std::uint64_t(in.immediate);
    for_lanes(
        lanes, warp.at<std::uint64_t>(in.operand[0]), [by](std::uint64_t a) { return a + by; },
        warp.at<std::uint64_t>(in.operand[1]));
}

// cvta.to.shared.u64: of a generic address, within its window.
void decode_cvta(Decoding& d) {
    const bool to = d.take("to");
    const std::string_view space = d.take_any({"global", "shared", "local", "const", "param"});
    d.take("cta");
    d.take_type();
    take_operands(d, Type::u64, 2);
    const std::uint64_t window = space == "shared" ? kSharedWindow : space == "local" ? kLocalWindow : 0;
    d.in.run = shift_address;
    d.in.immediate = std::int64_t(to ? 0 - window : window);
}

void is_space(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto window = std::uint64_t(in.immediate);
    warp.set_predicate(in.operand[0], lanes,
                       lanes_where([=](std::uint64_t a) { return (a & kWindowMask) == window; },
                                   warp.at<std::uint64_t>(in.operand[1])));
}

void decode_isspacep(Decoding& d) {
    const std::string_view space = d.take_any({"global", "shared", "local"});
    d.in.run = is_space;
    d.in.immediate = std::int64_t(space == "shared" ? kSharedWindow : space == "local" ? kLocalWindow : 0);
    d.in.operand[0] = d.predicate(d.text(0));
    d.in.operand[1] = d.value(1, Type::u64);
}

}  // namespace

void add_moves(DecoderTable& table) {
    table["mov"] = decode_mov;
    table["cvta"] = decode_cvta;
    table["isspacep"] = decode_isspacep;
}

}  // namespace gpu_sim
