#include "core/hash.h"

#include <gtest/gtest.h>
#include <limits>
#include <string>

namespace steepest {
namespace {

// Published test values of XXH3-64: the empty input (xxHash specification, also `xxhsum -H3 /dev/null`).
TEST(Hash, KnownAnswer) { EXPECT_EQ(hash64(""), 0x2d06800538d394c2u); }

TEST(Hash, StreamingEqualsOneShotForEveryCut) {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += static_cast<char>(i * 131 % 251);
    // Lengths on both sides of the library's internal limits 16, 128, 240, 256 and 1024.
    for (const std::size_t length : {0, 1, 8, 16, 17, 128, 129, 240, 241, 256, 257, 1024, 1025, 2000}) {
        const std::uint64_t whole = hash64(text.data(), length);
        for (const std::size_t piece : {1, 7, 64, 255, 2000}) {
            Hash64 hash;
            for (std::size_t at = 0; at < length; at += piece)
                hash.update(text.data() + at, std::min(piece, length - at));
            EXPECT_EQ(hash.digest(), whole) << length << " bytes in pieces of " << piece;
        }
    }
}

TEST(Hash, DigestDoesNotEndTheStreamAndCopiesGoOnAlone) {
    Hash64 a;
    a.update("steep", 5);
    EXPECT_EQ(a.digest(), hash64("steep"));
    Hash64 b = a;
    a.update("est", 3), b.update("er", 2);
    EXPECT_EQ(a.digest(), hash64("steepest"));
    EXPECT_EQ(b.digest(), hash64("steeper"));
}

TEST(Hash, NumbersAreEightLittleEndianBytes) {
    EXPECT_EQ(Hash64().update(std::uint64_t{0x0807060504030201}).digest(), hash64("\1\2\3\4\5\6\7\x8"));
}

TEST(Hash, SeedsAndBytesMatter) {
    EXPECT_NE(hash64("a"), hash64("b"));
    EXPECT_NE(hash64("a", 1, 0), hash64("a", 1, 1));
    EXPECT_EQ(Hash64().update(nullptr, 0).digest(), hash64(""));
}

TEST(Hex, ThereAndBack) {
    EXPECT_EQ(to_hex(0), "0000000000000000");
    EXPECT_EQ(to_hex(0x0123456789abcdef), "0123456789abcdef");
    for (const std::uint64_t x : {std::uint64_t{0}, std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()})
        EXPECT_EQ(from_hex(to_hex(x)), x);
    for (const char* bad : {"", "0", "0x23456789abcdef", "0123456789ABCDEF", "0123456789abcde ", "00123456789abcdef"})
        EXPECT_EQ(from_hex(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace steepest
