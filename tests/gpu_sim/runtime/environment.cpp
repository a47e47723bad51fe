#include "tests/gpu_sim/runtime/environment.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace gpu_sim {

namespace {

[[noreturn]] void refuse(const char* name, std::string_view found, const char* expected) {
    std::fprintf(stderr, "gpu_sim: %s=%.*s: expected %s\n", name, int(found.size()), found.data(), expected);
    std::exit(2);
}

std::string text(const char* name, std::string otherwise = "") {
    const char* value = std::getenv(name);
    return value ? value : otherwise;
}

std::uint64_t number(const char* name, std::uint64_t otherwise) {
    const std::string value = text(name);
    if (value.empty()) return otherwise;
    std::uint64_t result = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size()) refuse(name, value, "a whole number");
    return result;
}

Environment read() {
    Environment e;
    e.seed = number("GPU_SIM_SEED", e.seed);
    e.device_memory = number("GPU_SIM_DEVICE_MEMORY", e.device_memory);
    e.devices = int(number("GPU_SIM_DEVICES", 1));
    e.report_file = text("GPU_SIM_REPORT");
    e.trace_file = text("GPU_SIM_TRACE");
    e.device = text("GPU_SIM_DEVICE", e.device);
    if (e.device != "a100" && e.device != "h100" && e.device != "rtx4090")
        refuse("GPU_SIM_DEVICE", e.device, "a100, h100 or rtx4090");
    if (const char* checks = std::getenv("GPU_SIM_CHECKS")) {
        e.races = e.uninitialised = false;
        std::string_view rest = checks;
        while (!rest.empty()) {
            const std::string_view one = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(one.size() + 1, rest.size()));
            if (one == "races")
                e.races = true;
            else if (one == "uninitialised")
                e.uninitialised = true;
            else if (one != "none")
                refuse("GPU_SIM_CHECKS", checks, "none, or some of races,uninitialised");
        }
    }
    return e;
}

}  // namespace

const Environment& environment() {
    static const Environment* const instance = new Environment(read());
    return *instance;
}

}  // namespace gpu_sim
