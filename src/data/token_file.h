#pragma once
// One input file, a token shard or text, seen as a sequence of tokens. Memory-mapped: opening reads 2 MiB at most.
#include "core/file.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace steepest {

enum class FileKind : std::uint8_t { shard, text };
constexpr std::string_view name_of(FileKind k) { return k == FileKind::shard ? "token shard" : "text"; }

class TokenFile {
public:
    // Throws InputError that names the file, the offset, what was found and what was expected: a file that cannot be
    // read, is empty, is cut short or too long for its token count, has another magic or version, or is compressed.
    explicit TokenFile(std::string path);

    const std::string& path() const { return map_.path(); }
    FileKind kind() const { return kind_; }
    std::int64_t bytes() const { return map_.size(); }
    // Of a text file: its bytes, and the end of text after them.
    std::int64_t token_count() const { return tokens_; }
    // Of size, first and last MiB: tells files apart without reading them.
    std::uint64_t fingerprint() const { return fingerprint_; }
    // Of all bytes. Reads the whole file.
    std::uint64_t full_hash() const;

    // Tokens [begin, begin + n), whatever the vocabulary.
    void read(std::int64_t begin, std::int64_t n, std::int32_t* out) const;
    // Where in the file token `index` is, in bytes.
    std::int64_t byte_offset(std::int64_t index) const;

private:
    MappedFile map_;
    FileKind kind_;
    std::int64_t tokens_;
    std::uint64_t fingerprint_;
};

// Opens what the patterns name: patterns in the order given, what a pattern matches in byte order. `what` names the
// patterns in errors, e.g. "data.train". Throws InputError if a pattern matches nothing, a file comes twice, or shards
// and text are mixed.
std::vector<TokenFile> open_token_files(const std::vector<std::string>& patterns, std::string_view what);

}  // namespace steepest
