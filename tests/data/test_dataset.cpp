#include "core/error.h"
#include "data/byte_text.h"
#include "data/dataset.h"
#include "tests/data/fixture.h"

#include <gtest/gtest.h>
#include <set>

namespace steepest {
namespace {

using testing::message_of;

class Datasets : public testing::DataTest {};

std::vector<std::int32_t> window(const Dataset& data, std::int64_t i) {
    std::vector<std::int32_t> tokens(data.context() + 1);
    data.read_window(i, tokens.data());
    return tokens;
}

// All tokens of all windows.
std::multiset<std::int32_t> tokens_of(const Dataset& data) {
    std::multiset<std::int32_t> all;
    for (std::int64_t i = 0; i < data.sample_count(); ++i)
        for (const std::int32_t token : window(data, i)) all.insert(token);
    return all;
}

Dataset open(const DataConfig& config, Split split, std::int64_t context, std::int64_t vocab = 65536) {
    return Dataset::open(config, split, {.context = context, .vocab = vocab});
}

std::string refusal(const DataConfig& config, Split split, Dataset::Needs needs) {
    return message_of<InputError>([&] { Dataset::open(config, split, needs); });
}

TEST_F(Datasets, WindowsShareTheirEndsAndDropTheTail) {
    // 12 tokens, T = 4: windows 0..4, 4..8, and 9, 10, 11 are left.
    const DataConfig config{.train = {count_up("a.bin", 0, 12)}, .validation_fraction = 0};
    const Dataset data = open(config, Split::train, 4);
    EXPECT_EQ(data.sample_count(), 2);
    EXPECT_EQ(data.total_tokens(), 12);
    EXPECT_EQ(window(data, 0), (std::vector<std::int32_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(window(data, 1), (std::vector<std::int32_t>{4, 5, 6, 7, 8}));
    // One token more makes the third: 8..12.
    const DataConfig more{.train = {count_up("b.bin", 0, 13)}, .validation_fraction = 0};
    EXPECT_EQ(open(more, Split::train, 4).sample_count(), 3);
}

TEST_F(Datasets, WindowsDoNotSpanShards) {
    const DataConfig config{.train = {count_up("a.bin", 0, 10), count_up("b.bin", 100, 3), count_up("c.bin", 200, 9)},
                            .validation_fraction = 0};
    const Dataset data = open(config, Split::train, 4);
    // b is shorter than a window and has none.
    ASSERT_EQ(data.sample_count(), 4);
    EXPECT_EQ(window(data, 1), (std::vector<std::int32_t>{4, 5, 6, 7, 8}));
    EXPECT_EQ(window(data, 2), (std::vector<std::int32_t>{200, 201, 202, 203, 204}));
    EXPECT_EQ(window(data, 3), (std::vector<std::int32_t>{204, 205, 206, 207, 208}));
}

TEST_F(Datasets, DocumentsAreJoinedByEndOfText) {
    const DataConfig config{.train = {text("1.txt", "ab"), text("2.txt", "c"), text("3.txt", "defg")},
                            .validation_fraction = 0};
    const Dataset data = open(config, Split::train, 3, kByteVocab);
    // a b # c # d e f g #
    ASSERT_EQ(data.sample_count(), 3);
    EXPECT_EQ(tokens_to_bytes(window(data, 0)), "ab<|endoftext|>c");
    EXPECT_EQ(tokens_to_bytes(window(data, 1)), "c<|endoftext|>de");
    EXPECT_EQ(tokens_to_bytes(window(data, 2)), "efg<|endoftext|>");
}

// No token of one split is in the other, whatever the context; and the cut is where the fraction says.
TEST_F(Datasets, HeldOutTailNeverMeetsTraining) {
    const DataConfig config{
        .train = {count_up("a.bin", 0, 300), count_up("b.bin", 300, 500), count_up("c.bin", 800, 200)},
        .validation_fraction = 0.25};
    for (const std::int64_t context : {1, 4, 7, 50}) {
        const Dataset train = open(config, Split::train, context), held_out = open(config, Split::validation, context);
        EXPECT_EQ(train.total_tokens(), 750);
        EXPECT_EQ(held_out.total_tokens(), 250);
        const auto seen = tokens_of(train), judged = tokens_of(held_out);
        EXPECT_LT(*seen.rbegin(), 750);
        EXPECT_GE(*judged.begin(), 750);
        // Windows of one token each leave nothing out but a shard's last input.
        if (context == 1) {
            EXPECT_EQ(std::set<std::int32_t>(seen.begin(), seen.end()).size(), 750u);
            EXPECT_EQ(std::set<std::int32_t>(judged.begin(), judged.end()).size(), 250u);
        }
    }
}

TEST_F(Datasets, HeldOutTextIsTheEndOfTheLastDocuments) {
    const DataConfig config{.train = {text("1.txt", std::string(90, 'a')), text("2.txt", std::string(108, 'b'))},
                            .validation_fraction = 0.1};
    // 91 + 109 tokens, of which the last 20 are held out: 19 b and the end of text.
    const Dataset train = open(config, Split::train, 7, kByteVocab);
    const Dataset held_out = open(config, Split::validation, 19, kByteVocab);
    EXPECT_EQ(train.total_tokens(), 180);
    EXPECT_EQ(tokens_to_bytes(window(held_out, 0)), std::string(19, 'b') + "<|endoftext|>");
    EXPECT_EQ(tokens_of(train).count(kByteEndOfText), 1u);
}

TEST_F(Datasets, ValidationFilesLeaveTrainingWhole) {
    const DataConfig config{
        .train = {count_up("a.bin", 0, 100)}, .validation = {count_up("v.bin", 500, 50)}, .validation_fraction = 0.5};
    EXPECT_EQ(open(config, Split::train, 4).total_tokens(), 100);
    const Dataset validation = open(config, Split::validation, 4);
    EXPECT_EQ(validation.total_tokens(), 50);
    EXPECT_EQ(window(validation, 0).front(), 500);
    EXPECT_EQ(validation.files().front().path(), path("v.bin"));
}

TEST_F(Datasets, OneFileCannotBeBoth) {
    count_up("a.bin", 0, 100), count_up("b.bin", 0, 100);
    const DataConfig config{.train = {path("*.bin")}, .validation = {path("b.bin")}};
    for (const Split split : {Split::train, Split::validation})
        EXPECT_EQ(refusal(config, split, {.context = 4, .vocab = 256}),
                  "data.validation: " + path("b.bin") + " is among the files of data.train too");
}

TEST_F(Datasets, TooShortSaysWhatThereIsAndWhatIsNeeded) {
    const DataConfig config{.train = {text("a.txt", std::string(99, 'a'))}, .validation_fraction = 0.1};
    EXPECT_EQ(refusal(config, Split::train, {.context = 90, .vocab = 257}),
              "data.train: too short: " + path("a.txt") +
                  ": 100 tokens, of which 90 are for training, make 0 samples of context + 1 = 91 tokens; expected at "
                  "least 1");
    EXPECT_EQ(refusal(config, Split::train, {.context = 8, .vocab = 257, .batch = 12}),
              "data.train: too short: " + path("a.txt") +
                  ": 100 tokens, of which 90 are for training, make 11 samples of context + 1 = 9 tokens; expected at "
                  "least 12");
    EXPECT_EQ(Dataset::open(config, Split::train, {.context = 8, .vocab = 257, .batch = 11}).sample_count(), 11);
    EXPECT_NE(refusal(config, Split::validation, {.context = 10, .vocab = 257})
                  .find("100 tokens, of which 10 are for validation, make 0 samples of context + 1 = 11"),
              std::string::npos);
    EXPECT_EQ(
        refusal({.train = {path("a.txt")}, .validation_fraction = 0}, Split::validation, {.context = 4, .vocab = 257}),
        "data: no validation data: data.validation is empty and data.validation_fraction is 0");
}

TEST_F(Datasets, TextNeedsTheVocabularyOfBytes) {
    const DataConfig config{.train = {text("a.txt", "some text")}};
    EXPECT_EQ(
        refusal(config, Split::train, {.context = 2, .vocab = 256}),
        path("a.txt") +
            ": text is read as bytes and needs a vocabulary of at least 257 (256 bytes and end of text); the model "
            "has 256");
}

TEST_F(Datasets, TokensOutsideTheVocabularyAreFoundWhenGathered) {
    std::vector<std::int32_t> tokens(40, 7);
    tokens[21] = 65535;
    write_token_shard(path("b.bin"), tokens, 65536);
    const DataConfig config{.train = {count_up("a.bin", 0, 20), path("b.bin")}, .validation_fraction = 0};
    const Dataset data = open(config, Split::train, 5, 50257);
    // a has 3 windows; token 21 of b is in its window 4, tokens 20 to 25.
    for (std::int64_t i = 0; i < data.sample_count(); ++i)
        EXPECT_EQ(message_of<InputError>([&] { window(data, i); }),
                  i == 7 ? path("b.bin") + ": token 65535 at byte 1066 is outside the model's vocabulary of 50257"
                         : "threw nothing");
    // A vocabulary of one more than the largest token is enough, and one less is not.
    EXPECT_EQ(window(open(config, Split::train, 5, 65536), 7)[1], 65535);
    EXPECT_NE(message_of<InputError>([&] { window(open(config, Split::train, 5, 65535), 7); }), "threw nothing");
}

TEST_F(Datasets, FingerprintIsOfContentOrderAndSplit) {
    const std::string a = count_up("a.bin", 0, 100), b = count_up("b.bin", 100, 100);
    const auto fingerprint = [](std::vector<std::string> train, double fraction, Split split) {
        return open({.train = std::move(train), .validation_fraction = fraction}, split, 4).fingerprint();
    };
    const std::uint64_t original = fingerprint({a, b}, 0.1, Split::train);
    std::filesystem::copy(a, path("copy.bin"));
    EXPECT_EQ(fingerprint({path("copy.bin"), b}, 0.1, Split::train), original);
    EXPECT_NE(fingerprint({b, a}, 0.1, Split::train), original);
    EXPECT_NE(fingerprint({a}, 0.1, Split::train), original);
    EXPECT_NE(fingerprint({a, b}, 0.2, Split::train), original);
    EXPECT_NE(fingerprint({a, b}, 0.1, Split::validation), original);
    count_up("a.bin", 1, 100);
    EXPECT_NE(fingerprint({a, b}, 0.1, Split::train), original);
}

TEST_F(Datasets, DescribesItself) {
    const DataConfig one{.train = {text("a.txt", std::string(99, 'a'))}, .validation_fraction = 0.1};
    EXPECT_EQ(open(one, Split::train, 8).describe(),
              path("a.txt") + " (text): 90 tokens for training, 11 samples of 8 tokens");
    const DataConfig two{.train = {count_up("a.bin", 0, 10), count_up("b.bin", 0, 10)}, .validation_fraction = 0.5};
    EXPECT_EQ(open(two, Split::validation, 3).describe(),
              "2 files from " + path("a.bin") + " to " + path("b.bin") +
                  " (token shard): 10 tokens for validation, 3 samples of 3 tokens");
}

}  // namespace
}  // namespace steepest
