// Who goes on at a rung.
#include "sweep/halving.h"
#include "tests/temporary_folder.h"

#include <algorithm>
#include <limits>

namespace steepest::sweep {
namespace {

using Losses = std::map<std::pair<std::size_t, std::size_t>, double>;  // (run, rung)
constexpr double kNever = std::numeric_limits<double>::infinity();

// `points` points of one arm each, `seeds` runs a point.
std::vector<PlannedRun> runs_of(std::size_t arms, std::size_t points, std::size_t seeds) {
    std::vector<PlannedRun> runs;
    for (std::size_t arm = 0; arm < arms; ++arm)
        for (std::size_t point = 0; point < points; ++point)
            for (std::size_t seed = 0; seed < seeds; ++seed) {
                PlannedRun& run = runs.emplace_back();
                run.arm = "a" + std::to_string(arm), run.point = arm * points + point, run.seed = seed;
            }
    return runs;
}
std::vector<Standing> decide(const std::vector<PlannedRun>& runs, const HalvingConfig& config, const Losses& losses) {
    return standings(runs, config, [&](std::size_t run, std::size_t rung) -> std::optional<double> {
        const auto found = losses.find({run, rung});
        return found == losses.end() ? std::nullopt : std::optional(found->second);
    });
}
// One digit a run: the rungs it passed, and an x behind it where it was stopped at the next.
std::string text(const std::vector<Standing>& standings) {
    std::string all;
    for (const Standing& s : standings) all += std::to_string(s.rung) + (s.stopped ? "x " : " ");
    return all;
}

TEST(Halving, TheBetterHalfGoesOnAtEachRung) {
    const auto runs = runs_of(1, 5, 1);
    const HalvingConfig config{.rungs = {0.25, 0.5}, .keep = 0.5};
    Losses losses{{{0, 0}, 5}, {{1, 0}, 2}, {{2, 0}, 3}, {{3, 0}, 4}};
    EXPECT_EQ(text(decide(runs, config, losses)), "0 0 0 0 0 ") << "one has not come";
    losses[{4, 0}] = 1;
    EXPECT_EQ(text(decide(runs, config, losses)), "0x 1 1 0x 1 ") << "half of five, rounded up";
    losses[{1, 1}] = 2, losses[{2, 1}] = 1, losses[{4, 1}] = 3;
    EXPECT_EQ(text(decide(runs, config, losses)), "0x 2 2 0x 1x ");
}

TEST(Halving, SeedsOfAPointShareItsFateAndItsMeanDecides) {
    const auto runs = runs_of(1, 2, 2);
    const HalvingConfig config{.rungs = {0.5}, .keep = 0.5};
    EXPECT_EQ(text(decide(runs, config, {{{0, 0}, 1}, {{1, 0}, 9}, {{2, 0}, 4}, {{3, 0}, 5}})), "0x 0x 1 1 ");
    EXPECT_EQ(text(decide(runs, config, {{{0, 0}, 1}, {{1, 0}, kNever}, {{2, 0}, 4}, {{3, 0}, 5}})), "0x 0x 1 1 ");
    EXPECT_EQ(text(decide(runs, config, {{{0, 0}, 4}, {{1, 0}, 5}, {{2, 0}, 5}, {{3, 0}, 4}})), "1 1 0x 0x ")
        << "a tie goes to the first of the plan";
    EXPECT_EQ(text(decide(runs, config, {{{0, 0}, kNever}, {{1, 0}, 1}, {{2, 0}, kNever}, {{3, 0}, kNever}})),
              "0x 0x 0x 0x ");
}

TEST(Halving, ArmsCompeteWithinThemselvesUnlessAllDo) {
    const auto runs = runs_of(2, 2, 1);
    const Losses losses{{{0, 0}, 1}, {{1, 0}, 2}, {{2, 0}, 8}, {{3, 0}, 7}};
    EXPECT_EQ(text(decide(runs, {.rungs = {0.5}, .keep = 0.5, .among = "arm"}, losses)), "1 0x 0x 1 ");
    EXPECT_EQ(text(decide(runs, {.rungs = {0.5}, .keep = 0.5, .among = "all"}, losses)), "1 1 0x 0x ");
}

TEST(Halving, TheOrderInWhichLossesComeDoesNotMatter) {
    const auto runs = runs_of(1, 8, 2);
    const HalvingConfig config{.rungs = {0.25, 0.5, 0.75}, .keep = 0.6};
    Losses all;
    for (std::size_t run = 0; run < runs.size(); ++run)
        for (std::size_t rung = 0; rung < 3; ++rung) all[{run, rung}] = static_cast<double>((run * 7 + rung * 5) % 11);
    const std::vector<Standing> whole = decide(runs, config, all);
    // Whatever is known, a run has passed no rung that it does not pass in the end, nor was it stopped elsewhere.
    for (std::uint64_t mask = 1; mask < 2000; mask += 7) {
        Losses some;
        std::size_t i = 0;
        for (const auto& [key, loss] : all)
            if ((mask * 2654435761u >> (i++ % 20)) & 3) some[key] = loss;
        const std::vector<Standing> now = decide(runs, config, some);
        for (std::size_t run = 0; run < runs.size(); ++run) {
            EXPECT_LE(now[run].rung, whole[run].rung);
            if (now[run].stopped) {
                EXPECT_TRUE(whole[run].stopped);
                EXPECT_EQ(now[run].rung, whole[run].rung);
            }
        }
    }
}

TEST(Halving, RungsAreAtEvaluations) {
    EXPECT_EQ(rung_steps({.rungs = {0.25, 0.5}}, 100, 10), (std::vector<std::int64_t>{30, 50}));
    EXPECT_EQ(rung_steps({.rungs = {0.3}}, 10, 1), (std::vector<std::int64_t>{3})) << "0.3 * 10 is above 3 in binary";
    EXPECT_EQ(rung_steps({}, 100, 0), (std::vector<std::int64_t>{}));
    using testing::message_of;
    const auto message = [](const HalvingConfig& config, std::int64_t steps, std::int64_t every) {
        return message_of<InputError>([&] { rung_steps(config, steps, every); });
    };
    EXPECT_NE(message({.rungs = {0.5}}, 100, 0).find("evaluation.every is 0"), std::string::npos);
    EXPECT_NE(message({.rungs = {0.9}}, 100, 40).find("not before the end"), std::string::npos);
    EXPECT_NE(message({.rungs = {0.1, 0.2}}, 100, 40).find("which is a rung already"), std::string::npos);
}

}  // namespace
}  // namespace steepest::sweep
