#pragma once
// A lock on a file of a sweep's folder. On a file system of several machines flock() must hold between them.
#include <optional>
#include <string>
#include <utility>

namespace steepest::sweep {

// Held by one process at a time, and by the run that it starts: the system frees it when both have ended, however.
class Lock {
public:
    enum class Kind { exclusive, shared };
    // None if another holds it, unless `wait`. Throws StorageError.
    static std::optional<Lock> take(const std::string& path, bool wait = false, Kind kind = Kind::exclusive);
    Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Lock& operator=(Lock&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Lock();
    int descriptor() const { return descriptor_; }

private:
    explicit Lock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace steepest::sweep
