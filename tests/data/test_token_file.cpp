#include "core/error.h"
#include "core/hash.h"
#include "data/byte_text.h"
#include "data/dataset.h"
#include "data/token_file.h"
#include "tests/data/fixture.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace steepest {
namespace {

namespace fs = std::filesystem;
using testing::message_of;

class TokenFiles : public testing::DataTest {
protected:
    std::string refusal(const std::string& file) const {
        return message_of<InputError>([&] { TokenFile{file}; });
    }
};

std::vector<std::int32_t> all_tokens(const TokenFile& file) {
    std::vector<std::int32_t> tokens(file.token_count());
    file.read(0, file.token_count(), tokens.data());
    return tokens;
}

// Bytes written out by hand, as a public writer would: not through this project's writer.
TEST_F(TokenFiles, ReadsThePublicFormat) {
    const std::string name = raw_shard("a.bin", {20240520, 1, 3}, std::string("\x01\x00\xff\xff\x50\xc4", 6));
    const TokenFile file(name);
    EXPECT_EQ(file.kind(), FileKind::shard);
    EXPECT_EQ(file.bytes(), 1030);
    EXPECT_EQ(all_tokens(file), (std::vector<std::int32_t>{1, 65535, 50256}));
    EXPECT_EQ(file.byte_offset(2), 1028);
}

TEST_F(TokenFiles, WritesThePublicFormat) {
    write_token_shard(path("a.bin"), std::vector<std::int32_t>{1, 65535, 50256}, 65536);
    EXPECT_EQ(read_file(path("a.bin")),
              read_file(raw_shard("b.bin", {20240520, 1, 3}, std::string("\x01\x00\xff\xff\x50\xc4", 6))));
    EXPECT_EQ(names(), (std::vector<std::string>{"a.bin", "b.bin"}));
}

TEST_F(TokenFiles, EverySixteenBitTokenSurvives) {
    const std::vector<std::int32_t> tokens = all_tokens(TokenFile(count_up("a.bin", 0, 65536)));
    for (std::int32_t i = 0; i < 65536; ++i) ASSERT_EQ(tokens[i], i);
}

TEST_F(TokenFiles, WriterRefusesWhatAShardCannotHold) {
    const auto refused = [&](std::vector<std::int32_t> tokens, std::int64_t vocab) {
        return message_of<InputError>([&] { write_token_shard(path("a.bin"), tokens, vocab); });
    };
    EXPECT_EQ(refused({5, 10}, 10), path("a.bin") + ": token 10 at position 1 is outside the vocabulary of 10");
    EXPECT_EQ(refused({-1}, 10), path("a.bin") + ": token -1 at position 0 is outside the vocabulary of 10");
    EXPECT_EQ(refused({}, 10), path("a.bin") + ": no tokens to write");
    EXPECT_NE(refused({1}, 65537).find("not 65537"), std::string::npos);
    EXPECT_TRUE(names().empty()) << "a refused shard left a file";
}

TEST_F(TokenFiles, TextIsBytesAndAnEnd) {
    const TokenFile file(text("a.txt", "h\xc3\xa9\n"));
    EXPECT_EQ(file.kind(), FileKind::text);
    EXPECT_EQ(all_tokens(file), (std::vector<std::int32_t>{'h', 0xc3, 0xa9, '\n', kByteEndOfText}));
    std::int32_t two[2];
    file.read(3, 2, two);
    EXPECT_EQ(two[0], '\n');
    EXPECT_EQ(two[1], kByteEndOfText);
    file.read(4, 1, two);
    EXPECT_EQ(two[0], kByteEndOfText);
}

// What a file is decides its first bytes, not its name.
TEST_F(TokenFiles, TheMagicNumberDecides) {
    fs::rename(count_up("a.bin", 0, 10), path("shard.tok"));
    EXPECT_EQ(TokenFile(path("shard.tok")).kind(), FileKind::shard);
    EXPECT_EQ(TokenFile(text("tiny", "abc")).kind(), FileKind::text);
}

TEST_F(TokenFiles, RefusalsNameFileOffsetFoundAndExpected) {
    EXPECT_EQ(refusal(path("none.bin")), path("none.bin") + ": cannot open: No such file or directory");
    EXPECT_EQ(refusal(text("empty.txt", "")), path("empty.txt") + ": the file is empty (0 bytes)");
    EXPECT_EQ(refusal(text("empty.bin", "")), path("empty.bin") + ": the file is empty (0 bytes)");
    EXPECT_EQ(refusal(raw_shard("llama.bin", {20240801, 7, 1}, "1234")),
              path("llama.bin") +
                  ": wrong magic at byte 0: found 20240801, expected 20240520 of a token shard with 16-bit tokens");
    EXPECT_EQ(
        refusal(text("short.bin", "abc")),
        path("short.bin") +
            ": 3 bytes are less than the 1024 bytes of a token shard's header, and it does not begin with the magic "
            "number 20240520");
    const std::int32_t magic = 20240520;
    EXPECT_EQ(refusal(text("header.bin", {reinterpret_cast<const char*>(&magic), 4})),
              path("header.bin") +
                  ": truncated in the header of a token shard: found 4 bytes, expected 1024 for the header alone");
    EXPECT_EQ(refusal(raw_shard("version.bin", {20240520, 2, 1}, "12")),
              path("version.bin") + ": wrong token shard version at byte 4: found 2, expected 1");
    EXPECT_EQ(refusal(raw_shard("zero.bin", {20240520, 1, 0}, "")),
              path("zero.bin") + ": no tokens: the count at byte 8 is 0");
    EXPECT_EQ(refusal(raw_shard("cut.bin", {20240520, 1, 100}, std::string(199, 'x'))),
              path("cut.bin") +
                  ": truncated at byte 1223: found 1223 bytes, expected 1224 for the 100 tokens that the "
                  "header at byte 8 promises");
    EXPECT_EQ(refusal(raw_shard("long.bin", {20240520, 1, 1}, "1234")),
              path("long.bin") +
                  ": too long, from byte 1026 on: found 1028 bytes, expected 1026 for the 1 tokens that the "
                  "header at byte 8 promises");
    EXPECT_EQ(refusal(raw_shard("negative.bin", {20240520, 1, -1, -1}, "")),
              path("negative.bin") + ": impossible token count at byte 8: found 18446744073709551615");
    EXPECT_EQ(refusal(text("corpus.txt.gz", "\x1f\x8b\x08 and so on")),
              path("corpus.txt.gz") + ": this is a gzip file, not text or a token shard; decompress it first");
    EXPECT_EQ(refusal(folder()), folder() + ": cannot read: Is a directory");
}

TEST_F(TokenFiles, GlobsExpandInByteOrderWithinTheOrderGiven) {
    for (const char* name : {"b10.txt", "b2.txt", "B.txt", "a.txt"}) text(name, name);
    const std::vector<TokenFile> files = open_token_files({path("b*.txt"), path("a.txt"), path("[A-Z].txt")}, "x");
    std::vector<std::string> order;
    for (const TokenFile& f : files) order.push_back(fs::path(f.path()).filename());
    EXPECT_EQ(order, (std::vector<std::string>{"b10.txt", "b2.txt", "a.txt", "B.txt"}));
    // A file whose name looks like a glob can be named.
    text("c[1].txt", "odd");
    EXPECT_EQ(open_token_files({path("c[1].txt")}, "x").size(), 1u);
}

TEST_F(TokenFiles, ListsRefuseWhatIsMissingTwiceOrMixed) {
    text("a.txt", "text"), count_up("b.bin", 0, 4);
    const auto refused = [&](std::vector<std::string> patterns) {
        return message_of<InputError>([&] { open_token_files(patterns, "data.train"); });
    };
    const std::string nothing = refused({path("a.txt"), path("*.nope")});
    EXPECT_TRUE(nothing.starts_with("data.train: no file matches \"" + path("*.nope") + "\"")) << nothing;
    EXPECT_NE(nothing.find("working directory /"), std::string::npos);
    EXPECT_EQ(refused({}), "data.train: no files given");
    fs::create_symlink(path("a.txt"), path("link.txt"));
    EXPECT_EQ(refused({path("*.txt")}), "data.train: " + path("link.txt") + " is there twice");
    EXPECT_EQ(refused({path("a.txt"), path("b.bin")}), "data.train: " + path("a.txt") + " is a text file and " +
                                                           path("b.bin") + " a token shard file; one kind only");
}

TEST_F(TokenFiles, FingerprintSeesSizeHeadAndTail) {
    constexpr std::size_t kMiB = std::size_t{1} << 20;
    std::string content(3 * kMiB, 'x');
    const auto fingerprint = [&] { return TokenFile(text("a.txt", content)).fingerprint(); };
    const std::uint64_t original = fingerprint();
    EXPECT_EQ(fingerprint(), original);
    EXPECT_EQ(TokenFile(text("renamed.txt", content)).fingerprint(), original);
    // The definition, written out.
    EXPECT_EQ(original,
              hash64(std::string("\0\0\x30\0\0\0\0\0", 8) + content.substr(0, kMiB) + content.substr(2 * kMiB)));

    std::map<std::string, std::uint64_t> changed;
    content[0] = 'y', changed["first"] = fingerprint(), content[0] = 'x';
    content[kMiB - 1] = 'y', changed["end of head"] = fingerprint(), content[kMiB - 1] = 'x';
    content[2 * kMiB] = 'y', changed["begin of tail"] = fingerprint(), content[2 * kMiB] = 'x';
    content.back() = 'y', changed["last"] = fingerprint(), content.back() = 'x';
    content.push_back('x'), changed["longer"] = fingerprint(), content.pop_back();
    for (const auto& [what, value] : changed) EXPECT_NE(value, original) << what;

    // The middle is left to the full hash.
    content[kMiB + 5] = 'y';
    EXPECT_EQ(fingerprint(), original);
    EXPECT_EQ(TokenFile(path("a.txt")).full_hash(), hash64(content));
}

// Pages of the mapped files that are in this process, in bytes.
std::int64_t resident_file_bytes() {
    std::ifstream in("/proc/self/statm");
    std::int64_t total = 0, resident = 0, shared = 0;
    in >> total >> resident >> shared;
    return shared * ::sysconf(_SC_PAGESIZE);
}

// 10 GiB, more than 32 bits of tokens and of bytes; sparse, so it takes no room, and opening must not read it either.
TEST_F(TokenFiles, TenGibibytesOpenWithoutBeingRead) {
    const std::int64_t bytes = std::int64_t{10} << 30, tokens = (bytes - 1024) / 2;
    raw_shard("big.bin", {20240520, 1, static_cast<std::int32_t>(tokens), static_cast<std::int32_t>(tokens >> 32)}, "");
    ASSERT_EQ(::truncate(path("big.bin").c_str(), bytes), 0);
    {
        std::fstream file(path("big.bin"), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(bytes - 4), file.write("\x34\x12\xcd\xab", 4);
    }
    const std::int64_t before = resident_file_bytes();
    const TokenFile file(path("big.bin"));
    EXPECT_EQ(file.token_count(), tokens);
    std::int32_t last[2];
    file.read(tokens - 2, 2, last);
    EXPECT_EQ(last[0], 0x1234);
    EXPECT_EQ(last[1], 0xabcd);

    const Dataset data =
        Dataset::open({.train = {path("big.bin")}}, Split::validation, {.context = 1024, .vocab = 65536, .batch = 1});
    std::vector<std::int32_t> window(1025);
    data.read_window(data.sample_count() - 1, window.data());
    EXPECT_GT(data.sample_count(), 200000);
    EXPECT_LT(resident_file_bytes() - before, std::int64_t{16} << 20);

    ASSERT_EQ(::truncate(path("big.bin").c_str(), bytes - 2), 0);
    EXPECT_NE(
        refusal(path("big.bin")).find("truncated at byte 10737418238: found 10737418238 bytes, expected 10737418240"),
        std::string::npos);
}

}  // namespace
}  // namespace steepest
