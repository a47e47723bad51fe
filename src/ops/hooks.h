#pragma once
// What may be done around every op of a backend: look for NaN, or take the time. Off in training.
#include "core/device.h"
#include "core/tensor.h"

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace steepest {

// Thrown by an op of a backend that checks them: a tensor holds a NaN or an infinity. Of an op's bad tensors it names
// the one listed last, since inputs come last and a bad input is the cause.
struct NonFiniteError : std::runtime_error {
    NonFiniteError(std::string_view op, std::string_view tensor, const void* where)
        : std::runtime_error(std::string(op) + ": " + std::string(tensor) + " is not finite"), address(where) {}
    const void* address;
};

// Where the time of a step goes, by op.
struct OpProfile {
    struct Entry {
        std::int64_t calls = 0;
        double seconds = 0, bytes = 0, flops = 0;
    };
    std::map<std::string, Entry, std::less<>> entries;

    void add(std::string_view op, double seconds, double bytes, double flops) {
        auto found = entries.find(op);
        if (found == entries.end()) found = entries.emplace(std::string(op), Entry{}).first;
        Entry& entry = found->second;
        ++entry.calls;
        entry.seconds += seconds, entry.bytes += bytes, entry.flops += flops;
    }
};

struct OpHooks {
    bool check_finite = false;
    OpProfile* profile = nullptr;
};

// Every backend has one, and can look through a tensor.
OpHooks& hooks(Cpu&);
OpHooks& hooks(Cuda&);
bool all_finite(Cpu&, const ConstTensor& tensor);
bool all_finite(Cuda&, const ConstTensor& tensor);

inline OpHooks& hooks(Device device) {
    return std::visit([](auto* backend) -> OpHooks& { return hooks(*backend); }, device);
}

}  // namespace steepest
