#pragma once
// Token shards, the public format of pre-tokenized corpora (llm.c, modded-nanogpt, dion): a header of 256 little-endian
// int32, then that many uint16 tokens.
//   word 0: magic 20240520   word 1: version 1   word 2: token count, low 32 bits   word 3: high 32 bits   rest: 0
// Public writers leave word 3 zero, because they write less than 2^31 tokens a file; so both read each other's files.
#include <bit>
#include <cstdint>
#include <span>
#include <string>

namespace steepest {

inline constexpr std::int32_t kShardMagic = 20240520, kShardVersion = 1;
inline constexpr std::int64_t kShardHeaderBytes = 1024, kShardMaxVocab = 65536;
static_assert(std::endian::native == std::endian::little, "shards are read in place");

// Writes one shard, complete or not at all. Throws InputError if a token is outside [0, vocab), vocab over 65536 or
// there are no tokens; StorageError if it cannot be written.
void write_token_shard(const std::string& path, std::span<const std::int32_t> tokens, std::int64_t vocab);

}  // namespace steepest
