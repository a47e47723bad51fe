#include "data/token_shard.h"

#include "core/error.h"
#include "core/file.h"

#include <algorithm>
#include <array>
#include <vector>

namespace steepest {

void write_token_shard(const std::string& path, std::span<const std::int32_t> tokens, std::int64_t vocab) {
    if (vocab < 1 || vocab > kShardMaxVocab)
        throw InputError(path + ": a token shard holds 16-bit tokens, so its vocabulary is in [1, 65536], not " +
                         std::to_string(vocab));
    if (tokens.empty()) throw InputError(path + ": no tokens to write");
    const auto count = static_cast<std::uint64_t>(tokens.size());
    std::array<std::int32_t, kShardHeaderBytes / 4> header{};
    header[0] = kShardMagic, header[1] = kShardVersion;
    header[2] = static_cast<std::int32_t>(count), header[3] = static_cast<std::int32_t>(count >> 32);

    AtomicFile file(path);
    file.write(header.data(), kShardHeaderBytes);
    std::vector<std::uint16_t> narrow;
    constexpr std::size_t kChunk = 1 << 16;
    for (std::size_t begin = 0; begin < tokens.size(); begin += kChunk) {
        const auto chunk = tokens.subspan(begin, std::min(kChunk, tokens.size() - begin));
        narrow.clear();
        for (const std::int32_t token : chunk) {
            if (token < 0 || token >= vocab)
                throw InputError(path + ": token " + std::to_string(token) + " at position " +
                                 std::to_string(begin + narrow.size()) + " is outside the vocabulary of " +
                                 std::to_string(vocab));
            narrow.push_back(static_cast<std::uint16_t>(token));
        }
        file.write(narrow.data(), static_cast<std::int64_t>(narrow.size() * sizeof(std::uint16_t)));
    }
    file.commit();
}

}  // namespace steepest
