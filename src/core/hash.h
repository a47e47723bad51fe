#pragma once
// Checksums of files, token streams and checkpoints: XXH3-64 (Collet, https://xxhash.com). Fast, stable across versions
// and platforms; it tells whether bytes are the same, and is no protection against forgery.
#define XXH_INLINE_ALL
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <xxhash.h>

namespace steepest {

inline std::uint64_t hash64(const void* data, std::size_t bytes, std::uint64_t seed = 0) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}
inline std::uint64_t hash64(std::string_view text) { return hash64(text.data(), text.size()); }

// The same number as hash64 over all pieces in one. A copy carries on from where the original stood.
class Hash64 {
public:
    Hash64() { XXH3_64bits_reset(&state_); }
    Hash64& update(const void* data, std::size_t bytes) {
        if (bytes > 0) XXH3_64bits_update(&state_, data, bytes);
        return *this;
    }
    // `value` as eight little-endian bytes.
    Hash64& update(std::uint64_t value) { return update(&value, sizeof value); }
    std::uint64_t digest() const { return XXH3_64bits_digest(&state_); }

private:
    XXH3_state_t state_;
};

// Sixteen lower-case digits, and back; nothing if `text` is not exactly that. For JSON, whose numbers many readers
// round to 53 bits.
inline std::string to_hex(std::uint64_t value) {
    std::string text(16, '0');
    for (int i = 15; i >= 0; --i, value >>= 4) text[i] = "0123456789abcdef"[value & 15];
    return text;
}
inline std::optional<std::uint64_t> from_hex(std::string_view text) {
    if (text.size() != 16 || text.find_first_not_of("0123456789abcdef") != text.npos) return std::nullopt;
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

}  // namespace steepest
