#pragma once
// Files that are read whole through a memory map, and files that are there complete or not at all.
// Reading throws InputError, writing StorageError; both name the path and the system's reason.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace steepest {

// A regular file mapped read-only: opening costs the same whatever the size, and pages come in as they are touched.
// A process that shortens the file while it is mapped kills this one (SIGBUS); replacing it by rename is safe.
class MappedFile {
public:
    MappedFile() = default;
    explicit MappedFile(std::string path);
    MappedFile(MappedFile&& other) noexcept { swap(other); }
    MappedFile& operator=(MappedFile other) noexcept {
        swap(other);
        return *this;
    }
    ~MappedFile();

    const std::string& path() const { return path_; }
    std::int64_t size() const { return size_; }
    // Null for an empty file.
    const std::byte* data() const { return data_; }
    std::span<const std::byte> bytes() const { return {data_, static_cast<std::size_t>(size_)}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(data_), static_cast<std::size_t>(size_)}; }

private:
    void swap(MappedFile& other) noexcept {
        std::swap(path_, other.path_), std::swap(data_, other.data_), std::swap(size_, other.size_);
    }

    std::string path_;
    const std::byte* data_ = nullptr;
    std::int64_t size_ = 0;
};

// Writes `path` under another name in the same folder; commit() puts it in place, durably. Whoever opens `path`, also
// after a power cut, finds the old file or the whole new one. Without commit() nothing is left behind.
class AtomicFile {
public:
    explicit AtomicFile(std::string path);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    void write(const void* data, std::int64_t bytes);
    void write(std::string_view text) { write(text.data(), static_cast<std::int64_t>(text.size())); }
    // Bytes written so far.
    std::int64_t size() const { return size_; }
    // fsync, rename, fsync of the folder. Once; nothing may be written after it.
    void commit();

private:
    void flush();
    void write_through(const std::byte* data, std::int64_t bytes);

    std::string path_, temporary_;
    std::vector<std::byte> buffer_;
    int descriptor_ = -1;
    std::int64_t size_ = 0;
};

// The whole of a small file.
std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view text);

// Renames a file or a folder over `to` and makes that durable: a folder of finished files becomes a checkpoint at once.
void rename_durably(const std::string& from, const std::string& to);
// Makes durable which names a folder holds.
void sync_folder(const std::string& path);

}  // namespace steepest
