#include "data/byte_text.h"

#include "core/error.h"

namespace steepest {

std::vector<std::int32_t> bytes_to_tokens(std::string_view text) {
    std::vector<std::int32_t> tokens;
    tokens.reserve(text.size());
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
}

std::string tokens_to_bytes(std::span<const std::int32_t> tokens) {
    std::string text;
    text.reserve(tokens.size());
    for (const std::int32_t token : tokens) {
        if (token == kByteEndOfText)
            text += "<|endoftext|>";
        else if (token >= 0 && token < 256)
            text += static_cast<char>(token);
        else
            throw InputError("token " + std::to_string(token) + " is outside the vocabulary of bytes, [0, 257)");
    }
    return text;
}

}  // namespace steepest
