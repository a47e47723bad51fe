#pragma once
// Every failure a user can meet, one type an exit code. main() turns the type into the code; nothing else exits.
#include <stdexcept>
#include <string>

namespace steepest {

enum class Exit {
    done = 0,
    internal = 1,
    bad_input = 2,
    diverged = 3,
    interrupted = 4,
    device = 5,
    storage = 6,
    differs = 7
};

class Error : public std::runtime_error {
public:
    Error(Exit code, const std::string& what) : std::runtime_error(what), code_(code) {}
    Exit code() const { return code_; }

private:
    Exit code_;
};

// A config, a data file or an argument is wrong: says which, what was found and what was expected. Nothing was written.
struct InputError : Error {
    explicit InputError(const std::string& what) : Error(Exit::bad_input, what) {}
};
// Training cannot go on: loss or gradients are not finite, or the loss is past what the config allows.
struct DivergedError : Error {
    explicit DivergedError(const std::string& what) : Error(Exit::diverged, what) {}
};
// Ctrl-C or SIGTERM; a checkpoint was written.
struct InterruptedError : Error {
    explicit InterruptedError(const std::string& what) : Error(Exit::interrupted, what) {}
};
// A GPU, a rank or memory failed.
struct DeviceError : Error {
    explicit DeviceError(const std::string& what) : Error(Exit::device, what) {}
};
// The disk is full, read-only or gone. The last good checkpoint stands.
struct StorageError : Error {
    explicit StorageError(const std::string& what) : Error(Exit::storage, what) {}
};

// A replay is not what it replays.
struct DifferenceError : Error {
    explicit DifferenceError(const std::string& what) : Error(Exit::differs, what) {}
};

}  // namespace steepest
