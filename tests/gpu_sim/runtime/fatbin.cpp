#include "tests/gpu_sim/runtime/fatbin.h"

#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <span>
#include <stdexcept>

namespace gpu_sim {

namespace {

struct Wrapper {
    std::uint32_t magic, version;
    const std::byte* data;
    const void* filename;
};
constexpr std::uint32_t kWrapperMagic = 0x466243b1;

struct Header {
    std::uint32_t magic;
    std::uint16_t version, header_bytes;
    std::uint64_t bytes;
};
constexpr std::uint32_t kMagic = 0xba55ed50;

struct Entry {
    std::uint16_t kind, version;
    std::uint32_t header_bytes;
    std::uint64_t bytes;  // of the payload, padding included
    std::uint32_t compressed_bytes, options;
    std::uint16_t minor, major;
    std::uint32_t architecture, name_offset, name_bytes;
    std::uint64_t flags, zero, uncompressed_bytes;
};
static_assert(sizeof(Entry) == 64);
constexpr std::uint16_t kPtx = 1;
constexpr std::uint64_t kLz4 = 0x2000, kZstd = 0x8000;

// The LZ4 block format: literals and matches by turns.
std::string unpack_lz4(std::span<const unsigned char> in, std::size_t bytes) {
    std::string out;
    out.reserve(bytes);
    std::size_t at = 0;
    const auto next = [&] {
        if (at >= in.size()) throw std::runtime_error("the LZ4 data of a fat binary end too early");
        return in[at++];
    };
    const auto length = [&](std::size_t start) {
        if (start == 15)
            for (unsigned char more = 255; more == 255;) start += more = next();
        return start;
    };
    while (at < in.size() && out.size() < bytes) {
        const unsigned char token = next();
        for (std::size_t n = length(token >> 4); n > 0; --n) out.push_back(char(next()));
        if (at >= in.size() || out.size() >= bytes) break;
        std::size_t offset = next();
        offset |= std::size_t{next()} << 8;
        if (offset == 0 || offset > out.size()) throw std::runtime_error("the LZ4 data of a fat binary are damaged");
        for (std::size_t n = length(token & 15) + 4; n > 0; --n) out.push_back(out[out.size() - offset]);
    }
    return out;
}

// Through the library, found at run time: its development package is not needed to build.
std::string unpack_zstd(std::span<const unsigned char> in, std::size_t bytes) {
    using Decompress = std::size_t (*)(void*, std::size_t, const void*, std::size_t);
    using IsError = unsigned (*)(std::size_t);
    static void* const library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        throw std::runtime_error(std::string("the PTX is compressed with zstd and libzstd.so.1 (Debian: libzstd1) "
                                             "cannot be loaded: ") +
                                 dlerror());
    const auto decompress = reinterpret_cast<Decompress>(dlsym(library, "ZSTD_decompress"));
    const auto is_error = reinterpret_cast<IsError>(dlsym(library, "ZSTD_isError"));
    std::string out(bytes, '\0');
    const std::size_t got = decompress(out.data(), out.size(), in.data(), in.size());
    if (is_error(got)) throw std::runtime_error("the zstd data of a fat binary are damaged");
    out.resize(got);
    return out;
}

std::string text_of(const std::byte* start, const Entry& entry) {
    const auto* payload = reinterpret_cast<const unsigned char*>(start) + entry.header_bytes;
    std::string text;
    if (entry.flags & kZstd)
        text = unpack_zstd({payload, entry.compressed_bytes}, entry.uncompressed_bytes);
    else if (entry.flags & kLz4)
        text = unpack_lz4({payload, entry.compressed_bytes}, entry.uncompressed_bytes);
    else
        text.assign(reinterpret_cast<const char*>(payload), entry.bytes);
    return text.substr(0, text.find('\0'));
}

}  // namespace

std::string ptx_of(const void* wrapper_address) {
    Wrapper wrapper;
    std::memcpy(&wrapper, wrapper_address, sizeof wrapper);
    if (wrapper.magic != kWrapperMagic) throw std::runtime_error("not a fat binary: wrong magic number of its wrapper");
    Header header;
    std::memcpy(&header, wrapper.data, sizeof header);
    if (header.magic != kMagic) throw std::runtime_error("not a fat binary: wrong magic number");
    const std::byte *at = wrapper.data + header.header_bytes, *end = at + header.bytes;
    const std::byte* best = nullptr;
    std::uint32_t lowest = ~0u;
    std::string others;
    while (at < end) {
        Entry entry;
        std::memcpy(&entry, at, sizeof entry);
        if (entry.kind == kPtx && entry.architecture < lowest) lowest = entry.architecture, best = at;
        if (entry.kind != kPtx) others += " sm_" + std::to_string(entry.architecture);
        at += entry.header_bytes + entry.bytes;
    }
    if (!best)
        throw std::runtime_error("a fat binary holds no PTX, only machine code (" + others +
                                 " ); compile with -arch=compute_80 -code=compute_80");
    Entry entry;
    std::memcpy(&entry, best, sizeof entry);
    return text_of(best, entry);
}

}  // namespace gpu_sim
