#include "core/error.h"
#include "data/byte_text.h"
#include "tests/temporary_folder.h"

#include <gtest/gtest.h>

namespace steepest {
namespace {

TEST(ByteText, EveryByteThereAndBack) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    const std::vector<std::int32_t> tokens = bytes_to_tokens(all);
    ASSERT_EQ(tokens.size(), 256u);
    for (int i = 0; i < 256; ++i) EXPECT_EQ(tokens[i], i);
    EXPECT_EQ(tokens_to_bytes(tokens), all);
    EXPECT_TRUE(bytes_to_tokens("").empty());
}

TEST(ByteText, EndOfTextIsWrittenOut) {
    EXPECT_EQ(tokens_to_bytes(std::vector<std::int32_t>{'a', kByteEndOfText, 'b'}), "a<|endoftext|>b");
}

TEST(ByteText, OtherTokensAreRefused) {
    for (const std::int32_t token : {-1, 257, 383})
        EXPECT_EQ(testing::message_of<InputError>([&] {
                      tokens_to_bytes({&token, 1});
                  }),
                  "token " + std::to_string(token) + " is outside the vocabulary of bytes, [0, 257)");
}

}  // namespace
}  // namespace steepest
