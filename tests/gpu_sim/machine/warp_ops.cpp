// What the lanes of a warp do together: shuffles, votes, matches, reductions.
#include "tests/gpu_sim/machine/select_type.h"

#include <algorithm>

namespace gpu_sim {

namespace {

// Runs f(lanes, members) for the lanes that name the same members, once all of them are here. The mask is an operand.
template <class F>
void with_members(Warp& warp, const Instruction& in, std::uint32_t lanes, Operand mask, F f) {
    const std::uint32_t* members = warp.at<std::uint32_t>(mask);
    // Those whose partners are missing wait and run the instruction again; the others go on.
    for (std::uint32_t left = lanes; left != 0;) {
        const std::uint32_t one = members[__builtin_ctz(left)];
        std::uint32_t here = 0;
        each_lane(left, [&](std::uint32_t lane) { here |= members[lane] == one ? 1u << lane : 0; });
        if (warp.gather(in, here, one)) f(here);
        left &= ~here;
    }
}

enum class Shuffle : std::uint32_t { kUp, kDown, kButterfly, kIndex };

// Operands: d, p (or none), a, b, c, members. PTX ISA, shfl.sync, its pseudo code.
void shuffle(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    with_members(warp, in, lanes, in.operand[5], [&](std::uint32_t here) {
        std::array<std::uint32_t, kWarp> a;
        std::copy_n(warp.at<std::uint32_t>(in.operand[2]), kWarp, a.begin());
        std::uint32_t inside = 0;
        std::array<std::uint32_t, kWarp> result{};
        each_lane(here, [&](std::uint32_t lane) {
            const std::uint32_t b = warp.at<std::uint32_t>(in.operand[3])[lane] & 31;
            const std::uint32_t c = warp.at<std::uint32_t>(in.operand[4])[lane];
            const std::uint32_t clamp = c & 31, segment = c >> 8 & 31;
            const std::uint32_t most = (lane & segment) | (clamp & ~segment), least = lane & segment;
            std::int32_t from = 0;
            bool ok = false;
            switch (Shuffle(in.target)) {
                case Shuffle::kUp:
                    from = std::int32_t(lane) - std::int32_t(b);
                    ok = from >= std::int32_t(most);
                    break;
                case Shuffle::kDown:
                    from = std::int32_t(lane + b);
                    ok = from <= std::int32_t(most);
                    break;
                case Shuffle::kButterfly:
                    from = std::int32_t(lane ^ b);
                    ok = from <= std::int32_t(most);
                    break;
                case Shuffle::kIndex:
                    from = std::int32_t(least | (b & ~segment));
                    ok = from <= std::int32_t(most);
                    break;
            }
            if (!ok) from = std::int32_t(lane);
            if (!(here >> from & 1)) {
                warp.fault(in, lane, "shuffle from lane " + std::to_string(from) + ", which takes no part in it");
            }
            inside |= ok ? 1u << lane : 0;
            result[lane] = a[std::size_t(from)];
        });
        for_lanes(
            here, warp.at<std::uint32_t>(in.operand[0]), [](std::uint32_t x) { return x; }, result.data());
        if (in.operand[1]) warp.set_predicate(in.operand[1], here, inside);
    });
}

void decode_shfl(Decoding& d) {
    if (!d.take("sync")) d.fail("only shuffles with a member mask are known");
    const std::string_view how = d.take_any({"up", "down", "bfly", "idx"});
    d.in.run = shuffle;
    d.in.target = std::uint32_t(how == "up"     ? Shuffle::kUp
                                : how == "down" ? Shuffle::kDown
                                : how == "bfly" ? Shuffle::kButterfly
                                                : Shuffle::kIndex);
    d.take_type();
    const auto [value, inside] = d.halves(0);
    d.in.operand[0] = d.value(value, Type::b32);
    if (!inside.empty()) d.in.operand[1] = d.predicate(inside);
    for (std::size_t i = 1; i < 5; ++i) d.in.operand[i + 1] = d.value(i, Type::b32);
}

enum class Vote : std::uint32_t { kAll, kAny, kUniform, kBallot };

void vote(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    with_members(warp, in, lanes, in.operand[2], [&](std::uint32_t here) {
        const std::uint32_t yes = warp.truth(in.operand[1]) & here;
        switch (Vote(in.target)) {
            case Vote::kAll:
                return warp.set_predicate(in.operand[0], here, yes == here ? kAllLanes : 0);
            case Vote::kAny:
                return warp.set_predicate(in.operand[0], here, yes ? kAllLanes : 0);
            case Vote::kUniform:
                return warp.set_predicate(in.operand[0], here, yes == here || !yes ? kAllLanes : 0);
            case Vote::kBallot:
                each_lane(here, [&](std::uint32_t lane) { warp.at<std::uint32_t>(in.operand[0])[lane] = yes; });
        }
    });
}

void decode_vote(Decoding& d) {
    if (!d.take("sync")) d.fail("only votes with a member mask are known");
    const std::string_view how = d.take_any({"all", "any", "uni", "ballot"});
    d.in.run = vote;
    d.in.target = std::uint32_t(how == "all"   ? Vote::kAll
                                : how == "any" ? Vote::kAny
                                : how == "uni" ? Vote::kUniform
                                               : Vote::kBallot);
    const Type type = d.take_type();
    d.in.operand[0] = type == Type::pred ? d.predicate(d.text(0)) : d.value(0, type);
    d.in.operand[1] = d.predicate(d.text(1));
    d.in.operand[2] = d.value(2, Type::b32);
}

// Operands: d, p (of match.all, or none), a, members.
template <class T, bool All>
void match(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    with_members(warp, in, lanes, in.operand[3], [&](std::uint32_t here) {
        std::array<T, kWarp> a;
        std::copy_n(warp.at<T>(in.operand[2]), kWarp, a.begin());
        bool all = true;
        each_lane(here, [&](std::uint32_t lane) {
            std::uint32_t same = 0;
            each_lane(here, [&](std::uint32_t other) { same |= a[other] == a[lane] ? 1u << other : 0; });
            all = all && same == here;
            warp.at<std::uint32_t>(in.operand[0])[lane] = same;
        });
        if (!All) return;
        each_lane(here, [&](std::uint32_t lane) { warp.at<std::uint32_t>(in.operand[0])[lane] = all ? here : 0; });
        if (in.operand[1]) warp.set_predicate(in.operand[1], here, all ? kAllLanes : 0);
    });
}

void decode_match(Decoding& d) {
    const bool all = d.take("all");
    if (!all) d.take("any");
    d.take("sync");
    const Type type = d.take_type();
    const bool wide = bytes_of(type) == 8;
    d.in.run = all ? (wide ? match<std::uint64_t, true> : match<std::uint32_t, true>)
                   : (wide ? match<std::uint64_t, false> : match<std::uint32_t, false>);
    const auto [value, p] = d.halves(0);
    d.in.operand[0] = d.value(value, Type::b32);
    if (!p.empty()) d.in.operand[1] = d.predicate(p);
    d.in.operand[2] = d.value(1, type);
    d.in.operand[3] = d.value(2, Type::b32);
}

enum class Reduction : std::uint32_t { kAdd, kMin, kMax, kAnd, kOr, kXor };
constexpr std::string_view kReductions[] = {"add", "min", "max", "and", "or", "xor"};

template <class T>
void reduce(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    with_members(warp, in, lanes, in.operand[2], [&](std::uint32_t here) {
        const T* a = warp.at<T>(in.operand[1]);
        T total = a[__builtin_ctz(here)];
        each_lane(here & (here - 1), [&](std::uint32_t lane) {
            const T x = a[lane];
            switch (Reduction(in.target)) {
                case Reduction::kAdd:
                    total = T(std::uint32_t(total) + std::uint32_t(x));
                    break;
                case Reduction::kMin:
                    total = std::min(total, x);
                    break;
                case Reduction::kMax:
                    total = std::max(total, x);
                    break;
                case Reduction::kAnd:
                    total &= x;
                    break;
                case Reduction::kOr:
                    total |= x;
                    break;
                case Reduction::kXor:
                    total ^= x;
                    break;
            }
        });
        each_lane(here, [&](std::uint32_t lane) { warp.at<T>(in.operand[0])[lane] = total; });
    });
}

void decode_redux(Decoding& d) {
    d.take("sync");
    for (std::uint32_t i = 0; i < std::size(kReductions); ++i) {
        if (d.take(kReductions[i])) d.in.target = i;
    }
    const Type type = d.take_type();
    d.in.run = type == Type::s32 ? reduce<std::int32_t> : reduce<std::uint32_t>;
    take_operands(d, type, 2);
    d.in.operand[2] = d.value(2, Type::b32);
}

void active_mask(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    each_lane(lanes, [&](std::uint32_t lane) { warp.at<std::uint32_t>(in.operand[0])[lane] = lanes; });
}

}  // namespace

void add_warp(DecoderTable& table) {
    table["shfl"] = decode_shfl;
    table["vote"] = decode_vote;
    table["match"] = decode_match;
    table["redux"] = decode_redux;
    table["activemask"] = [](Decoding& d) {
        d.take_type();
        d.in.run = active_mask;
        d.in.operand[0] = d.value(0, Type::b32);
    };
}

}  // namespace gpu_sim
