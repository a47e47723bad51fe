#pragma once
// The vocabulary of plain text: token 0..255 is that byte, 256 ends a document. A first run needs no tokenizer.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steepest {

inline constexpr std::int32_t kByteEndOfText = 256;
inline constexpr std::int32_t kByteVocab = 257;

std::vector<std::int32_t> bytes_to_tokens(std::string_view text);

// End of text reads "<|endoftext|>". The bytes need not be valid UTF-8: a model may well write half a character.
// Throws InputError at a token outside the vocabulary.
std::string tokens_to_bytes(std::span<const std::int32_t> tokens);

}  // namespace steepest
