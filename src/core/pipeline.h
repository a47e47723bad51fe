#pragma once
// What lets the host run ahead of the device: numbers sent once a step, numbers read back a step later, and steps that
// are recorded once and launched whole. On the CPU each does its work at once.
#include "core/device.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace steepest {

// Bytes that go to one place on the device again and again. The host may fill the next ones while the device still
// works with those before.
class Feed {
public:
    virtual ~Feed() = default;
    // To be filled for the next send(). Waits, if need be, until what was sent two sends ago has left the host.
    virtual void* host() = 0;
    // Ops run from now on see the bytes; ops run before do not.
    virtual void send() = 0;
};

// Bytes that come from one place on the device.
class Readback {
public:
    virtual ~Readback() = default;
    // Takes the bytes as the ops run so far leave them.
    virtual void start() = 0;
    // The bytes of the oldest start() that was not yet finished. At most two may be under way.
    virtual const void* finish() = 0;
};

// Ops that are the same in every step: recorded at the second use of a variant (the first one runs as it is, since
// libraries choose and allocate then), launched whole from the third on. Their operands, and the numbers in op structs,
// must be the same each time.
class Recorder {
public:
    virtual ~Recorder() = default;
    virtual void run(int variant, const std::function<void()>& ops) = 0;
    // The ops are done when run() returns, so that the time within can be taken on the host.
    virtual bool immediate() const = 0;
};

// `device` must outlive what is made, and so must `memory`.
std::unique_ptr<Feed> make_feed(Cpu&, void* memory, std::int64_t bytes);
std::unique_ptr<Feed> make_feed(Cuda&, void* memory, std::int64_t bytes);
std::unique_ptr<Readback> make_readback(Cpu&, const void* memory, std::int64_t bytes);
std::unique_ptr<Readback> make_readback(Cuda&, const void* memory, std::int64_t bytes);
std::unique_ptr<Recorder> make_recorder(Cpu&);
std::unique_ptr<Recorder> make_recorder(Cuda&);

inline std::unique_ptr<Feed> make_feed(Device d, void* memory, std::int64_t bytes) {
    return std::visit([&](auto* b) { return make_feed(*b, memory, bytes); }, d);
}
inline std::unique_ptr<Readback> make_readback(Device d, const void* memory, std::int64_t bytes) {
    return std::visit([&](auto* b) { return make_readback(*b, memory, bytes); }, d);
}
inline std::unique_ptr<Recorder> make_recorder(Device d) {
    return std::visit([](auto* b) { return make_recorder(*b); }, d);
}

}  // namespace steepest
