#include "report/table.h"
#include "report/text_plot.h"

#include <cmath>
#include <gtest/gtest.h>
#include <sstream>

namespace steepest::report {
namespace {

TEST(LossLimits, IgnoreTheFirstHugeLosses) {
    const std::vector<Line> lines = {{{0, 10, 50, 100}, {11, 3, 2.5, 2}}, {{0, 10, 100}, {11, 4, NAN}}};
    const Limits limits = loss_limits(lines);
    EXPECT_DOUBLE_EQ(limits.low, 2 - 0.04 * 2);
    EXPECT_DOUBLE_EQ(limits.high, 4 + 0.04 * 2);
}

TEST(LossLimits, ShowEverythingWhereItCostsLittle) {
    const Limits limits = loss_limits(std::vector<Line>{{{0, 50, 100}, {4, 3.9, 2}}});
    EXPECT_DOUBLE_EQ(limits.high, 4 + 0.04 * 2);
    EXPECT_DOUBLE_EQ(limits.low, 2 - 0.04 * 2);
}

TEST(LossLimits, ALossThatRoseAndFellEarlyDoesNotHideTheLowest) {
    EXPECT_LT(loss_limits(std::vector<Line>{{{0, 5, 50, 100}, {11, 1, 3, 2}}}).low, 1);
}

TEST(LossLimits, OfNothingAndOfOneValue) {
    EXPECT_EQ(loss_limits({}).low, 0);
    EXPECT_EQ(loss_limits(std::vector<Line>{{{1}, {NAN}}}).high, 1);
    const Limits one = loss_limits(std::vector<Line>{{{0, 1}, {3, 3}}});
    EXPECT_EQ(one.low, 2.5);
    EXPECT_EQ(one.high, 3.5);
}

TEST(Ticks, AreRoundAndWithin) {
    EXPECT_EQ(ticks({0, 400}, 5), (std::vector<double>{0, 100, 200, 300, 400}));
    EXPECT_EQ(ticks({1.92, 4.08}, 5), (std::vector<double>{2, 2.5, 3, 3.5, 4}));
    EXPECT_EQ(tick_decimals(std::vector<double>{2, 2.5, 3}), 1);
    EXPECT_EQ(tick_decimals(std::vector<double>{2, 2.05}), 2);
    EXPECT_EQ(tick_decimals(std::vector<double>{0, 100}), 0);
    EXPECT_EQ(ticks({5, 5}, 4), std::vector<double>{5});
}

std::vector<TextSeries> two_lines() { return {{"falls", {{0, 10}, {10, 0}}}, {"rises", {{0, 10}, {0, 10}}}}; }

// The two diagonals; 40 cells less the numbers, the labels and the axis.
TEST(TextPlot, InLetters) {
    EXPECT_EQ(text_plot(two_lines(), {.width = 40, .height = 12, .x_label = "step", .y_label = "loss"}),
              " loss\n"
              "10 +aa                        bb b rises\n"
              "   |  aaaa                bbbb\n"
              "   |      aaaa        bbbb\n"
              "   |          aaaabbbb\n"
              "   |          bbbbaaaa\n"
              "   |      bbbb        aaaa\n"
              "   |  bbbb                aaaa   a falls\n"
              " 0 +bb                        aa\n"
              "   ++-------------+------------+\n"
              "    0             5           10\n"
              "                step\n");
}

TEST(TextPlot, InBrailleAndColourHasEqualWidths) {
    std::istringstream text(text_plot(two_lines(), {.width = 60, .height = 10, .braille = true, .x_label = "step"}));
    int rows = 0;
    for (std::string line; std::getline(text, line); ++rows) EXPECT_LE(display_width(line), 60) << line;
    EXPECT_EQ(rows, 10);
    const std::string coloured = text_plot(two_lines(), {.width = 60, .height = 10, .colour = true, .braille = true});
    std::string plain;
    for (std::size_t i = 0; i < coloured.size(); ++i) {
        if (coloured[i] == '\x1b')
            i = coloured.find('m', i);
        else
            plain += coloured[i];
    }
    // Colours are switched back off in every line.
    EXPECT_NE(coloured.find("\x1b[0m\n"), std::string::npos);
    EXPECT_NE(plain.find("⠉"), std::string::npos);
}

TEST(TextPlot, NothingFiniteOnePointAndManyCurves) {
    EXPECT_NE(text_plot({}, {}), "");
    EXPECT_NE(text_plot(std::vector<TextSeries>{{"a", {{0, 1}, {NAN, NAN}}}, {"b", {{NAN}, {1}}}}, {}), "");
    EXPECT_NE(text_plot(std::vector<TextSeries>{{"a", {{5}, {2}}}}, {}).find('a'), std::string::npos);
    std::vector<TextSeries> many;
    for (int i = 0; i < 60; ++i) many.push_back({"run" + std::to_string(i), {{0, 1}, {9, 1.0 + i}}});
    const std::string text = text_plot(many, {});
    EXPECT_NE(text.find("run0"), std::string::npos) << "the lowest has its label";
    EXPECT_EQ(text.find("run59"), std::string::npos);
}

}  // namespace
}  // namespace steepest::report
