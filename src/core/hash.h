#pragma once
// Checksums of files, token streams and checkpoints: XXH3-64 (Collet, https://xxhash.com). Fast, stable across versions
// and platforms; it tells whether bytes are the same, and is no protection against forgery.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace steepest {

std::uint64_t hash64(const void* data, std::size_t bytes, std::uint64_t seed = 0);
inline std::uint64_t hash64(std::string_view text) { return hash64(text.data(), text.size()); }

// The same number as hash64, seed 0, over all pieces in one. A copy carries on from where the original stood.
class Hash64 {
public:
    Hash64();
    Hash64& update(const void* data, std::size_t bytes);
    // `value` as eight little-endian bytes.
    Hash64& update(std::uint64_t value) { return update(&value, sizeof value); }
    std::uint64_t digest() const;

private:
    // The library's state, kept opaque so that its 6,000 lines are compiled once.
    struct alignas(64) State {
        std::byte bytes[576];
    };
    State state_;
};

// Sixteen lower-case digits, and back; nothing if `text` is not exactly that. For JSON, whose numbers many readers
// round to 53 bits.
std::string to_hex(std::uint64_t value);
std::optional<std::uint64_t> from_hex(std::string_view text);

}  // namespace steepest
