// cp.async: copies from global to shared memory that land at once or when they are waited for, by the toss of a coin.
#include "tests/gpu_sim/machine/memory_access.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

namespace {

// Operands: shared address, global address, bytes to read (or none). immediate: offset of the global address; target:
// bytes | offset of the shared address << 8.
void copy(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    const std::uint32_t bytes = in.target & 255;
    each_lane(lanes, [&](std::uint32_t lane) {
        const Operand base = in.operand[0];
        std::uint64_t to = in.target >> 8;
        if (base) to += base.negated() ? warp.at<std::uint32_t>(base)[lane] : warp.at<std::uint64_t>(base)[lane];
        if (to % bytes != 0) warp.fault(in, lane, "misaligned address: cp.async to shared memory");
        const std::uint64_t from = address_of(warp, in, in.operand[1], lane);
        if (from % bytes != 0) warp.fault(in, lane, "misaligned address: cp.async from global memory");
        const std::uint32_t asked = in.operand[2] ? warp.at<std::uint32_t>(in.operand[2])[lane] : bytes;
        if (asked > bytes) warp.fault(in, lane, "cp.async reads more than it writes");
        PendingCopy pending{.lane = lane,
                            .group = warp.copy_groups()[lane],
                            .address = std::uint32_t(to),
                            .bytes = bytes,
                            .landed = warp.grid().random.coin(),
                            .value = {}};
        // What is not read becomes zero.
        if (asked > 0) {
            const std::byte* source = warp.global().access(warp, in, lane, from, asked, GlobalAccess::Kind::kRead);
            std::memcpy(pending.value.data(), source, asked);
            if (warp.grid().counters) warp.grid().counters->requested_global_read += asked;
        }
        std::byte* at = warp.shared().begin_copy(warp, in, lane, pending.address, bytes);
        if (pending.landed) std::memcpy(at, pending.value.data(), bytes);
        warp.copies().push_back(pending);
    });
}

void commit(Warp& warp, const Instruction&, std::uint32_t lanes) {
    each_lane(lanes, [&](std::uint32_t lane) { ++warp.copy_groups()[lane]; });
}

void wait(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    warp.land(lanes, std::uint32_t(in.immediate), in.target != 0);
}

void decode_cp(Decoding& d) {
    if (!d.take("async")) d.fail("only cp.async is known");
    if (d.take("commit_group")) {
        d.in.run = commit;
    } else if (d.take("wait_all")) {
        d.in.run = wait;
        d.in.target = 1;
    } else if (d.take("wait_group")) {
        d.in.run = wait;
        d.in.immediate = d.number(0);
    } else {
        if (!d.take("ca") && !d.take("cg")) d.fail("unknown form of cp.async");
        d.ignore_modifiers();
        d.in.run = copy;
        take_address(d, 0, 0, ptx::Space::kShared);
        d.in.target = std::uint32_t(d.number(2)) | std::uint32_t(d.in.immediate) << 8;
        take_address(d, 1, 1, ptx::Space::kGlobal);
        if (d.has_operand(3)) d.in.operand[2] = d.value(3, Type::u32);
    }
}

}  // namespace

void add_async(DecoderTable& table) { table["cp"] = decode_cp; }

}  // namespace gpu_sim
