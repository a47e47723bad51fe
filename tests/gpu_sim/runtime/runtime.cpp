#include "tests/gpu_sim/runtime/runtime.h"

#include "tests/gpu_sim/runtime/capture.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gpu_sim {

void install_access_trap();  // access_trap.cpp

namespace {

std::string& last_report() {
    static std::string* const text = new std::string;
    return *text;
}

cudaError_t code_of(const std::string& fault) {
    const auto says = [&](const char* words) { return fault.find(words) != std::string::npos; };
    if (says("misaligned") || says("not aligned")) return cudaErrorMisalignedAddress;
    const bool address = says("out of bounds") || says("outside") || says("address") || says("freed");
    return address ? cudaErrorIllegalAddress : cudaErrorLaunchFailure;
}

}  // namespace

void report(const std::string& text) {
    last_report() = text;
    std::fprintf(stderr, "gpu_sim: %s\n", text.c_str());
}

void unimplemented(const char* function, const char* detail) {
    std::fprintf(stderr, "gpu_sim: %s is not implemented by the stand-in library%s%s\n", function, *detail ? ": " : "",
                 detail);
    std::abort();
}

std::string hex(std::uint64_t address) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
    return text;
}
std::string hex(const void* address) { return hex(reinterpret_cast<std::uint64_t>(address)); }

Runtime::Runtime() : scheduler(environment().seed), devices(environment().devices) {}

Runtime& runtime() {
    static Runtime* const instance = new Runtime;
    return *instance;
}

ThreadState& this_thread() {
    static thread_local ThreadState state;
    return state;
}

Device& Runtime::device() { return device(this_thread().device); }

Device& Runtime::device(int number) {
    require(!devices.empty(), cudaErrorNoDevice, "GPU_SIM_DEVICES is 0");
    require(number >= 0 && number < int(devices.size()), cudaErrorInvalidDevice,
            "device " + std::to_string(number) + " of " + std::to_string(devices.size()));
    if (!devices[number]) {
        install_access_trap();
        devices[number] = std::make_unique<Device>(number);
        host.share_with(devices[number]->memory);
    }
    return *devices[number];
}

Stream& Runtime::stream(cudaStream_t handle) {
    ThreadState& thread = this_thread();
    if (handle == nullptr || handle == cudaStreamLegacy) {
        require_legacy_stream_allowed(*this, thread.device);
        return *scheduler.legacy(device().number);
    }
    if (handle == cudaStreamPerThread) {
        if (!thread.stream || thread.stream->device != thread.device) {
            thread.stream = scheduler.create(device().number, 0, 0);
            live_streams.insert(thread.stream.get());
        }
        return *thread.stream;
    }
    auto* stream = reinterpret_cast<Stream*>(handle);
    require(live_streams.contains(stream), cudaErrorInvalidResourceHandle,
            hex(handle) + " is not a stream, or one that was destroyed");
    return *stream;
}

Event& Runtime::event(cudaEvent_t handle) {
    auto* event = reinterpret_cast<Event*>(handle);
    require(live_events.contains(event), cudaErrorInvalidResourceHandle,
            hex(handle) + " is not an event, or one that was destroyed");
    return *event;
}

Graph& Runtime::graph(cudaGraph_t handle) {
    auto* graph = reinterpret_cast<Graph*>(handle);
    require(live_graphs.contains(graph), cudaErrorInvalidValue,
            hex(handle) + " is not a graph, or one that was destroyed");
    return *graph;
}

GraphExec& Runtime::graph_exec(cudaGraphExec_t handle) {
    auto* exec = reinterpret_cast<GraphExec*>(handle);
    require(live_execs.contains(exec), cudaErrorInvalidValue,
            hex(handle) + " is not an executable graph, or one that was destroyed");
    return *exec;
}

void Runtime::enqueue(Stream& stream, OperationPtr operation) {
    if (stream.capture) {
        capture_operation(stream, std::move(operation));
        return;
    }
    const auto self = stream.shared_from_this();
    scheduler.submit(stream, [this, self, operation] {
        perform(*operation, self->name());
        return true;
    });
    scheduler.let_time_pass();
}

void Runtime::perform(const Operation& operation, const std::string& where) {
    record.begin(operation, where);
    try {
        operation.run();
        record.end();
    } catch (const Fault& fault) {
        fail(code_of(fault.what()), fault.what() + std::string("\n  while running: ") + operation.what);
    } catch (const Error& error) {
        fail(error.code, error.what() + std::string("\n  while running: ") + operation.what);
    }
}

void Runtime::fail(cudaError_t code, const std::string& text) {
    report(text + "\n  every later call fails: " + cudaGetErrorName(code) +
           " (GPU_SIM_SEED=" + std::to_string(environment().seed) + ")");
    sticky = code;
    scheduler.drop_all();
}

namespace detail {

cudaError_t failed(const char* function, cudaError_t code, const std::string& text) {
    if (code != cudaErrorNotReady) report(std::string(function) + ": " + text + " (" + cudaGetErrorName(code) + ")");
    return this_thread().last = code;
}

cudaError_t before(Runtime& r) {
    if (r.devices.empty()) return cudaErrorNoDevice;
    if (r.in_callback) throw Error(cudaErrorNotPermitted, "a host function in a stream may not call CUDA");
    return r.sticky;
}

}  // namespace detail

}  // namespace gpu_sim

extern "C" const char* gpu_sim_last_report() { return gpu_sim::last_report().c_str(); }
