#include "core/hash.h"

#define XXH_INLINE_ALL
#include <charconv>
#include <new>
#include <xxhash.h>

namespace steepest {

std::uint64_t hash64(const void* data, std::size_t bytes, std::uint64_t seed) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}

Hash64::Hash64() {
    static_assert(sizeof(State) == sizeof(XXH3_state_t) && alignof(State) == alignof(XXH3_state_t));
    XXH3_64bits_reset(new (&state_) XXH3_state_t);
}

Hash64& Hash64::update(const void* data, std::size_t bytes) {
    if (bytes > 0) XXH3_64bits_update(reinterpret_cast<XXH3_state_t*>(&state_), data, bytes);
    return *this;
}

std::uint64_t Hash64::digest() const { return XXH3_64bits_digest(reinterpret_cast<const XXH3_state_t*>(&state_)); }

std::string to_hex(std::uint64_t value) {
    std::string text(16, '0');
    for (int i = 15; i >= 0; --i, value >>= 4) text[i] = "0123456789abcdef"[value & 15];
    return text;
}

std::optional<std::uint64_t> from_hex(std::string_view text) {
    if (text.size() != 16 || text.find_first_not_of("0123456789abcdef") != text.npos) return std::nullopt;
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

}  // namespace steepest
