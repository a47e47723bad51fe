#include "sweep/lock.h"

#include "core/error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace steepest::sweep {

std::optional<Lock> Lock::take(const std::string& path, bool wait, Kind kind) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw StorageError(path + ": cannot open: " + std::strerror(errno));
    Lock lock(descriptor);
    const int operation = kind == Kind::shared ? LOCK_SH : LOCK_EX;
    while (::flock(descriptor, wait ? operation : operation | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return std::nullopt;
        if (errno != EINTR) throw StorageError(path + ": cannot lock: " + std::strerror(errno));
    }
    return lock;
}

Lock::~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace steepest::sweep
