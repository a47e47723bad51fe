#include "core/hash.h"
#include "data/inspect.h"
#include "tests/data/fixture.h"

#include <gtest/gtest.h>

namespace steepest {
namespace {

class Inspect : public testing::DataTest {};

TEST_F(Inspect, Text) {
    text("1.txt", "hello\n"), text("2.txt", "well");
    const InspectReport report = inspect({path("*.txt")}, {.top = 2});
    EXPECT_EQ(report.kind, FileKind::text);
    EXPECT_EQ(report.tokens, 12);
    EXPECT_EQ(report.min, '\n');
    EXPECT_EQ(report.max, 256);
    EXPECT_EQ(report.distinct, 7);  // h e l o \n w and the end
    EXPECT_EQ(report.end_of_text_count, 2);
    EXPECT_EQ(report.documents, 2);
    EXPECT_EQ(report.out_of_vocab_count, 0);
    ASSERT_EQ(report.top.size(), 2u);
    EXPECT_EQ(report.top[0].token, 'l');
    EXPECT_EQ(report.top[0].count, 4);
    EXPECT_EQ(report.top[1].token, 'e');  // twice, like the end of text, which comes later
    ASSERT_EQ(report.files.size(), 2u);
    EXPECT_EQ(report.files[0].full_hash, hash64("hello\n"));
    EXPECT_EQ(report.describe(), path("1.txt") + ": text, 6 bytes, 7 tokens, fingerprint " +
                                     to_hex(report.files[0].fingerprint) + ", full hash " + to_hex(hash64("hello\n")) +
                                     "\n" + path("2.txt") + ": text, 4 bytes, 5 tokens, fingerprint " +
                                     to_hex(report.files[1].fingerprint) + ", full hash " + to_hex(hash64("well")) +
                                     "\n" + "tokens            12 in 2 files, full hash " + to_hex(report.full_hash) +
                                     "\n" +
                                     "range             10 to 256, 7 distinct\n"
                                     "end of text       2 times (token 256), 2 documents\n"
                                     "out of vocabulary 0 of tokens not below 257\n"
                                     "most frequent\n"
                                     "  108    4  'l'\n"
                                     "  101    2  'e'\n");
}

// Documents are the same number whether ends of text stand before or after them, and go on from shard to shard.
TEST_F(Inspect, DocumentsOfShards) {
    constexpr std::int32_t kEnd = 50256;
    const auto documents = [&](std::vector<std::int32_t> first, std::vector<std::int32_t> second) {
        write_token_shard(path("a.bin"), first, 50257), write_token_shard(path("b.bin"), second, 50257);
        return inspect({path("a.bin"), path("b.bin")}).documents;
    };
    EXPECT_EQ(documents({kEnd, 1, 2, kEnd, 3}, {3, kEnd, 4}), 3);
    EXPECT_EQ(documents({1, 2, kEnd, 3}, {3, kEnd, 4, kEnd}), 3);
    EXPECT_EQ(documents({kEnd, kEnd}, {kEnd}), 0);
}

TEST_F(Inspect, ReportsEveryTokenOutsideTheVocabulary) {
    count_up("a.bin", 0, 1000);
    const InspectReport unchecked = inspect({path("a.bin")});
    EXPECT_EQ(unchecked.vocab, 0);
    EXPECT_EQ(unchecked.out_of_vocab_count, 0);
    EXPECT_EQ(unchecked.describe().find("out of vocabulary"), std::string::npos);

    const InspectReport report = inspect({path("a.bin")}, {.vocab = 970});
    EXPECT_EQ(report.out_of_vocab_count, 30);
    ASSERT_EQ(report.out_of_vocab.size(), InspectReport::kMaxPositions);
    EXPECT_EQ(report.out_of_vocab[0].token, 970);
    EXPECT_EQ(report.out_of_vocab[0].byte_offset, 1024 + 2 * 970);
    const std::string text = report.describe();
    EXPECT_NE(
        text.find("out of vocabulary 30 of tokens not below 970\n  " + path("a.bin") + ": token 970 at byte 2964\n"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("  and 10 more\n"), std::string::npos) << text;
}

// Longer than one piece of the scan, and the sum of an arithmetic series.
TEST_F(Inspect, ScansAllOfALongShard) {
    std::vector<std::int32_t> tokens;
    for (std::int32_t token = 0; token < 500; ++token) tokens.insert(tokens.end(), token + 1, token);
    write_token_shard(path("a.bin"), tokens, 500);
    const InspectReport report = inspect({path("a.bin")}, {.vocab = 499, .top = 3});
    EXPECT_EQ(report.tokens, 500 * 501 / 2);
    EXPECT_EQ(report.out_of_vocab_count, 500);
    EXPECT_EQ(report.out_of_vocab[0].byte_offset, 1024 + 2 * (499 * 500 / 2));
    EXPECT_EQ(report.distinct, 500);
    ASSERT_EQ(report.top.size(), 3u);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(report.top[i].token, 499 - i);
        EXPECT_EQ(report.top[i].count, 500 - i);
    }
    EXPECT_EQ(report.documents, 1);
}

}  // namespace
}  // namespace steepest
