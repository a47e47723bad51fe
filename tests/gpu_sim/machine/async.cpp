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
    Access to{.in = in, .lanes = lanes, .bytes = bytes, .kind = MemoryAccess::kWrite, .address = {}};
    const Operand base = in.operand[0];
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        to.address[lane] = in.target >> 8;
        if (!base) continue;
        to.address[lane] += base.negated() ? warp.at<std::uint32_t>(base)[lane] : warp.at<std::uint64_t>(base)[lane];
    }
    Access from{.in = in, .lanes = 0, .bytes = bytes, .kind = MemoryAccess::kRead, .address = {}};
    set_addresses(warp, from, in.operand[1]);
    // What is not read becomes zero.
    alignas(64) std::array<std::array<std::byte, 16>, kWarp> values{};
    each_lane(lanes, [&](std::uint32_t lane) {
        const std::uint32_t asked = in.operand[2] ? warp.at<std::uint32_t>(in.operand[2])[lane] : bytes;
        if (asked > bytes) warp.fault(in, lane, "cp.async reads more than it writes");
        if (asked == bytes) from.lanes |= 1u << lane;
        if (asked == bytes || asked == 0) return;
        Access part{.in = in, .lanes = 1u << lane, .bytes = 1, .kind = MemoryAccess::kRead, .address = {}};
        for (std::uint32_t i = 0; i < asked; ++i) {
            part.address[lane] = from.address[lane] + i;
            warp.global().access(warp, part, [&](const Run&, const std::byte* at) { values[lane][i] = *at; });
        }
    });
    const auto take = [&](const Run& run, const std::byte* at) {
        for (std::uint32_t i = 0; i < run.lanes; ++i) {
            std::memcpy(values[run.first + i].data(), at + (run.same ? 0 : i * bytes), bytes);
        }
    };
    if (from.lanes) access<ptx::Space::kGlobal>(warp, from, take);
    access<ptx::Space::kShared>(warp, to, [&](const Run& run, std::byte* at) {
        for (std::uint32_t i = 0; i < run.lanes; ++i) {
            const std::uint32_t lane = run.first + i;
            PendingCopy pending{.lane = lane,
                                .group = warp.copy_groups()[lane],
                                .address = std::uint32_t(to.address[lane]),
                                .bytes = bytes,
                                .landed = warp.grid().random.coin(),
                                .value = values[lane]};
            if (pending.landed) std::memcpy(at + i * bytes, values[lane].data(), bytes);
            warp.copies().push_back(pending);
        }
        warp.shared().begin_copy(std::uint32_t(run.address), run.bytes);
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
