#include "report/table.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>
#include <stdexcept>
#include <string>

namespace steepest::report {
namespace {

TEST(Table, AlignsColumnsUnderGroupsAndUnits) {
    Table table({{.header = "run", .align = Align::left},
                 {.header = "steps", .group = "to loss 2"},
                 {.header = "s", .unit = "time", .group = "to loss 2"},
                 {.header = "note", .align = Align::left}});
    table.add({"a", "10", "1.25", "x"});
    table.add({"longer", "-", "100", ""});
    EXPECT_EQ(table.text(),
              "         to loss 2\n"
              "        -----------\n"
              "run     steps     s  note\n"
              "               time\n"
              "------  -----  ----  ----\n"
              "a          10  1.25  x\n"
              "longer      -   100\n");
}

TEST(Table, AHeadingWiderThanItsColumnsWidensThem) {
    Table table({{.header = "a", .group = "heading"}, {.header = "b", .group = "heading"}, {.header = "c"}});
    table.add({"1", "2", "3"});
    EXPECT_EQ(table.text(),
              "heading\n"
              "-------\n"
              "  a   b  c\n"
              "---  --  -\n"
              "  1   2  3\n");
}

TEST(Table, WithoutUnitsGroupsOrRows) {
    EXPECT_EQ(Table({{.header = "a"}, {.header = "bc"}}).text(), "a  bc\n-  --\n");
    EXPECT_THROW(Table({{.header = "a"}}).add({"1", "2"}), std::logic_error);
}

TEST(Table, PadsByCellsAndNotByBytes) {
    Table table({{.header = "λ", .align = Align::left}, {.header = "n"}});
    table.add({"naïve", "1"});
    table.add({"東京", "22"});
    EXPECT_EQ(table.text(),
              "λ       n\n"
              "-----  --\n"
              "naïve   1\n"
              "東京   22\n");
}

TEST(DisplayWidth, CountsTerminalCells) {
    EXPECT_EQ(display_width(""), 0);
    EXPECT_EQ(display_width("abc"), 3);
    EXPECT_EQ(display_width("Größe"), 5);
    EXPECT_EQ(display_width("e\xCC\x81"), 1);  // e and a combining acute accent
    EXPECT_EQ(display_width("モデル"), 6);
    EXPECT_EQ(display_width("\xF0\x9F\x9A\x80"), 2);  // a rocket
    EXPECT_EQ(display_width("a\xFF\xC3"), 3);         // no UTF-8: a byte is a cell
    EXPECT_EQ(display_width("\xE6\x9D"), 2);          // cut off within a character
}

TEST(Clip, KeepsWholeCharactersWithinTheWidth) {
    EXPECT_EQ(clip("abcdef", 6), "abcdef");
    EXPECT_EQ(clip("abcdef", 5), "abcd…");
    EXPECT_EQ(clip("東京都", 5), "東京…");
    EXPECT_EQ(clip("東京都", 4), "東…");
    EXPECT_EQ(clip("ab", 1), "…");
}

TEST(Numbers, AsText) {
    EXPECT_EQ(fixed(1.98768, 4), "1.9877");
    EXPECT_EQ(fixed(-0.5, 1), "-0.5");
    EXPECT_EQ(fixed(NAN, 4), "-");
    EXPECT_EQ(fixed(INFINITY, 0), "-");
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(-1234567), "-1,234,567");
    EXPECT_EQ(grouped(-123), "-123");
    EXPECT_EQ(shortest(0.1), "0.1");
    EXPECT_EQ(shortest(NAN), "nan");
    for (const double value : {1.0 / 3, 5.5610337257385254, 2.1e22, 5e-324, std::numeric_limits<double>::max()})
        EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
}

}  // namespace
}  // namespace steepest::report
