#include "data/token_file.h"

#include "core/error.h"
#include "core/hash.h"
#include "data/byte_text.h"
#include "data/token_shard.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <glob.h>
#include <set>
#include <utility>

namespace steepest {

namespace {

constexpr std::int64_t kFingerprintBytes = std::int64_t{1} << 20;

// Formats people have their text and tokens in, and that would otherwise be learned byte by byte in silence.
struct Foreign {
    std::string_view magic, name, remedy;
};
constexpr std::array<Foreign, 7> kForeign{{
    {"\x1f\x8b", "a gzip file", "decompress it first"},
    {"\x28\xb5\x2f\xfd", "a zstd file", "decompress it first"},
    {"\xfd\x37zXZ", "an xz file", "decompress it first"},
    {"BZh", "a bzip2 file", "decompress it first"},
    {"PK\x03\x04", "a zip file", "unpack it first"},
    {"PAR1", "a Parquet file", "write its text column to a plain file first"},
    {"\x93NUMPY", "a NumPy file", "write it as a token shard first"},
}};

std::int32_t header_word(const MappedFile& map, int index) {
    std::int32_t word;
    std::memcpy(&word, map.data() + index * 4, 4);
    return word;
}

FileKind kind_of(const MappedFile& map) {
    if (map.size() == 0) throw InputError(map.path() + ": the file is empty (0 bytes)");
    if (map.size() >= 4 && header_word(map, 0) == kShardMagic) return FileKind::shard;
    for (const Foreign& f : kForeign)
        if (map.text().starts_with(f.magic))
            throw InputError(map.path() + ": this is " + std::string(f.name) + ", not text or a token shard; " +
                             std::string(f.remedy));
    if (!map.path().ends_with(".bin")) return FileKind::text;
    if (map.size() < kShardHeaderBytes)
        throw InputError(
            map.path() + ": " + std::to_string(map.size()) +
            " bytes are less than the 1024 bytes of a token shard's header, and it does not begin with the "
            "magic number 20240520");
    throw InputError(map.path() + ": wrong magic at byte 0: found " + std::to_string(header_word(map, 0)) +
                     ", expected " + std::to_string(kShardMagic) + " of a token shard with 16-bit tokens");
}

// The token count of a shard whose header and size agree.
std::int64_t shard_tokens(const MappedFile& map) {
    const auto sizes = [&](std::int64_t expected) {
        return "found " + std::to_string(map.size()) + " bytes, expected " + std::to_string(expected);
    };
    if (map.size() < kShardHeaderBytes)
        throw InputError(map.path() + ": truncated in the header of a token shard: " + sizes(kShardHeaderBytes) +
                         " for the header alone");
    if (const std::int32_t version = header_word(map, 1); version != kShardVersion)
        throw InputError(map.path() + ": wrong token shard version at byte 4: found " + std::to_string(version) +
                         ", expected " + std::to_string(kShardVersion));
    const std::uint64_t low = static_cast<std::uint32_t>(header_word(map, 2)),
                        high = static_cast<std::uint32_t>(header_word(map, 3));
    const std::uint64_t count = high << 32 | low;
    if (count == 0) throw InputError(map.path() + ": no tokens: the count at byte 8 is 0");
    if (count >> 61)
        throw InputError(map.path() + ": impossible token count at byte 8: found " + std::to_string(count));
    const auto tokens = static_cast<std::int64_t>(count);
    const std::int64_t expected = kShardHeaderBytes + 2 * tokens;
    const std::string promise = " for the " + std::to_string(tokens) + " tokens that the header at byte 8 promises";
    if (map.size() < expected)
        throw InputError(map.path() + ": truncated at byte " + std::to_string(map.size()) + ": " + sizes(expected) +
                         promise);
    if (map.size() > expected)
        throw InputError(map.path() + ": too long, from byte " + std::to_string(expected) + " on: " + sizes(expected) +
                         promise);
    return tokens;
}

std::uint64_t fingerprint_of(const MappedFile& map) {
    const std::int64_t n = std::min(map.size(), kFingerprintBytes);
    return Hash64()
        .update(static_cast<std::uint64_t>(map.size()))
        .update(map.data(), n)
        .update(map.data() + map.size() - n, n)
        .digest();
}

std::vector<std::string> expand(const std::string& pattern, std::string_view what) {
    // A name is taken as it stands if it exists, so that a file called "a[1].txt" can be named.
    std::error_code ignored;
    if (std::filesystem::exists(pattern, ignored)) return {pattern};
    glob_t found{};
    const int status = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_ERR | GLOB_TILDE, nullptr, &found);
    std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    if (status != 0 || paths.empty())
        throw InputError(std::string(what) + ": no file matches \"" + pattern + "\" (working directory " +
                         std::filesystem::current_path(ignored).string() + ")");
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

TokenFile::TokenFile(std::string path)
    : map_(std::move(path)),
      kind_(kind_of(map_)),
      tokens_(kind_ == FileKind::shard ? shard_tokens(map_) : map_.size() + 1),
      fingerprint_(fingerprint_of(map_)) {}

std::uint64_t TokenFile::full_hash() const { return hash64(map_.data(), map_.size()); }

std::int64_t TokenFile::byte_offset(std::int64_t index) const {
    return kind_ == FileKind::shard ? kShardHeaderBytes + 2 * index : index;
}

void TokenFile::read(std::int64_t begin, std::int64_t n, std::int32_t* out) const {
    if (kind_ == FileKind::shard) {
        const auto* from = reinterpret_cast<const std::uint16_t*>(map_.data() + kShardHeaderBytes) + begin;
        std::copy(from, from + n, out);
        return;
    }
    const auto* from = reinterpret_cast<const unsigned char*>(map_.data()) + begin;
    const std::int64_t letters = std::min(n, map_.size() - begin);
    std::copy(from, from + letters, out);
    if (letters < n) out[letters] = kByteEndOfText;
}

std::vector<TokenFile> open_token_files(const std::vector<std::string>& patterns, std::string_view what) {
    if (patterns.empty()) throw InputError(std::string(what) + ": no files given");
    std::vector<TokenFile> files;
    std::set<std::string> seen;
    for (const std::string& pattern : patterns)
        for (std::string& path : expand(pattern, what)) {
            TokenFile file(std::move(path));
            if (!seen.insert(std::filesystem::canonical(file.path()).string()).second)
                throw InputError(std::string(what) + ": " + file.path() + " is there twice");
            if (!files.empty() && file.kind() != files.front().kind())
                throw InputError(std::string(what) + ": " + files.front().path() + " is a " +
                                 std::string(name_of(files.front().kind())) + " file and " + file.path() + " a " +
                                 std::string(name_of(file.kind())) + " file; one kind only");
            files.push_back(std::move(file));
        }
    return files;
}

}  // namespace steepest
