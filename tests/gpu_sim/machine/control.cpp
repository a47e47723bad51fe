// Branches, calls, exits, barriers, fences.
#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/select_type.h"

namespace gpu_sim {

namespace {

void nothing(Warp&, const Instruction&, std::uint32_t) {}
void branch(Warp& warp, const Instruction& in, std::uint32_t lanes) { warp.branch(lanes, in.target); }
void leave(Warp& warp, const Instruction& in, std::uint32_t lanes) { warp.leave(in, lanes); }
void exit(Warp& warp, const Instruction& in, std::uint32_t lanes) { warp.exit(in, lanes); }
void call(Warp& warp, const Instruction& in, std::uint32_t lanes) { warp.call(in, lanes); }
void fence(Warp& warp, const Instruction&, std::uint32_t) { warp.block().fence(); }
void trap(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    warp.fault(in, std::uint32_t(__builtin_ctz(lanes)), "trap");
}

enum class Vote : std::uint32_t { kNone, kCount, kAnd, kOr };

// Operands: result, barrier, threads, vote. target: the kind of vote; immediate: waits, aligned.
void barrier(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const auto first = std::uint32_t(__builtin_ctz(lanes));
    Block::Arrival arrival;
    arrival.barrier = warp.at<std::uint32_t>(in.operand[1])[first];
    if (in.operand[2]) arrival.expected = warp.at<std::uint32_t>(in.operand[2])[first];
    arrival.waits = (in.immediate & 1) != 0;
    arrival.aligned = (in.immediate & 2) != 0;
    if (Vote(in.target) != Vote::kNone) arrival.votes = warp.truth(in.operand[3]);
    warp.block().arrive(warp, in, lanes, arrival);
}

void decode_barrier(Decoding& d) {
    if (d.take("warp")) d.fail("bar.warp is another instruction");
    d.take("cta");
    const bool reduces = d.take("red"), arrives = d.take("arrive");
    const bool aligned = d.take("aligned") || d.base() == "bar";
    if (!reduces && !arrives && !d.take("sync")) d.fail("unknown barrier");
    d.in.run = barrier;
    d.in.immediate = (arrives ? 0 : 1) | (aligned ? 2 : 0);
    std::size_t next = 0;
    if (reduces) {
        const std::string_view how = d.take_any({"popc", "and", "or"});
        const Type type = d.take_type();
        d.in.target = std::uint32_t(how == "popc" ? Vote::kCount : how == "and" ? Vote::kAnd : Vote::kOr);
        d.in.operand[0] = type == Type::pred ? d.predicate(d.text(0)) : d.value(0, type);
        d.in.operand[3] = d.predicate(d.text(d.operands() - 1));
        next = 1;
    }
    d.in.operand[1] = d.value(next, Type::u32);
    if (d.operands() > next + (reduces ? 2 : 1)) d.in.operand[2] = d.value(next + 1, Type::u32);
}

void warp_barrier(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const std::uint32_t* members = warp.at<std::uint32_t>(in.operand[0]);
    for (std::uint32_t left = lanes; left != 0;) {
        const std::uint32_t one = members[__builtin_ctz(left)];
        std::uint32_t here = 0;
        each_lane(left, [&](std::uint32_t lane) { here |= members[lane] == one ? 1u << lane : 0; });
        if (warp.gather(in, here, one)) warp.synchronised();
        left &= ~here;
    }
}

void decode_bar(Decoding& d) {
    if (!d.take("warp")) return decode_barrier(d);
    d.take("sync");
    d.in.run = warp_barrier;
    d.in.operand[0] = d.value(0, Type::u32);
}

void decode_bra(Decoding& d) {
    d.take("uni");
    d.in.run = branch;
    d.in.target = d.label(d.text(0));
}

void decode_call(Decoding& d) {
    d.take("uni");
    d.in.run = call;
    d.in.target = d.call(0);
}

}  // namespace

void store_vote(Warp& warp, const Instruction& in, std::uint32_t lanes, std::uint32_t votes, std::uint32_t threads) {
    switch (Vote(in.target)) {
        case Vote::kNone:
            return;
        case Vote::kCount:
            each_lane(lanes, [&](std::uint32_t lane) { warp.at<std::uint32_t>(in.operand[0])[lane] = votes; });
            return;
        case Vote::kAnd:
            return warp.set_predicate(in.operand[0], lanes, votes == threads ? kAllLanes : 0);
        case Vote::kOr:
            return warp.set_predicate(in.operand[0], lanes, votes > 0 ? kAllLanes : 0);
    }
}

void add_control(DecoderTable& table) {
    table["bra"] = decode_bra;
    table["call"] = decode_call;
    table["ret"] = [](Decoding& d) { d.take("uni"), d.in.run = leave; };
    table["exit"] = [](Decoding& d) { d.in.run = exit; };
    table["trap"] = [](Decoding& d) { d.in.run = trap; };
    table["bar"] = decode_bar;
    table["barrier"] = decode_barrier;
    for (const char* base : {"membar", "fence"}) {
        table[base] = [](Decoding& d) { d.ignore_modifiers(), d.in.run = fence; };
    }
    // Advice to the hardware.
    for (const char* base : {"nanosleep", "prefetch", "prefetchu", "discard", "griddepcontrol", "applypriority"}) {
        table[base] = [](Decoding& d) { d.ignore_modifiers(), d.in.run = nothing; };
    }
}

}  // namespace gpu_sim
