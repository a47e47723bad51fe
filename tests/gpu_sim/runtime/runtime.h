#pragma once
// Stand-in for NVIDIA's libcudart.so.13: programs that nvcc built with `-cudart shared` and PTX (-arch=compute_80
// -code=compute_80) run unmodified on a machine without a GPU,
//
//     LD_LIBRARY_PATH=<folder of this library> GPU_SIM_SEED=7 ./program
//
// their kernels interpreted by machine/. Memory, streams, events, capture and graphs behave as the CUDA programming
// guide says where it says something, and as inconveniently as it allows where it does not: work is delayed until
// something waits for it and is then run in a random order that honours only what the program asked for; device memory
// cannot be touched by the host; pinned memory is read when the copy runs, not when it is enqueued.
//
//   GPU_SIM_SEED            order of streams, blocks, warps; default 1
//   GPU_SIM_CHECKS          of kernels: none, or a list of races,uninitialised; default both
//   GPU_SIM_REPORT=FILE     at exit, JSON: what was launched, executed and moved; the format is in report_file.cpp
//   GPU_SIM_TRACE=FILE      a line for each kernel, copy, memset and matrix product, in the order they ran
//   GPU_SIM_DEVICE          limits of which GPU: a100 (default), h100, rtx4090
//   GPU_SIM_DEVICE_MEMORY   bytes of a device; default 16 GiB, of which only what is used is taken from the host
//   GPU_SIM_DEVICES         how many devices; default 1
//
// A mistake of a kernel is reported on stderr and makes every later call fail, as on a GPU. What the stand-in lacks
// ends the program, naming the function. One mutex: API calls may come from any thread, all work runs on the caller's.
#include "tests/gpu_sim/machine/machine.h"
#include "tests/gpu_sim/runtime/environment.h"
#include "tests/gpu_sim/runtime/error.h"
#include "tests/gpu_sim/runtime/graph.h"
#include "tests/gpu_sim/runtime/host_memory.h"
#include "tests/gpu_sim/runtime/modules.h"
#include "tests/gpu_sim/runtime/record.h"
#include "tests/gpu_sim/runtime/stream.h"

#include <mutex>
#include <set>

namespace gpu_sim {

struct Device {
    explicit Device(int number_of) : number(number_of), memory(environment().device_memory) {}

    const int number;
    DeviceMemory memory;
    LoadedModules modules;
};

struct Runtime {
    Runtime();

    // The caller's current device, made when first needed.
    Device& device();
    Device& device(int number);
    bool made(int number) const { return number < int(devices.size()) && devices[number]; }

    // Throws cudaErrorInvalidResourceHandle for a handle that is not, or no longer, one.
    Stream& stream(cudaStream_t);
    Event& event(cudaEvent_t);
    Graph& graph(cudaGraph_t);
    GraphExec& graph_exec(cudaGraphExec_t);

    // Runs the operation when its turn comes, or adds it to the graph that the stream captures.
    void enqueue(Stream&, OperationPtr);
    void wait_for(Stream& stream) { scheduler.run_until(stream.end()); }
    // Runs it now; a Fault becomes the sticky error.
    void perform(const Operation&, const std::string& where);
    void fail(cudaError_t, const std::string& text);

    std::recursive_mutex mutex;
    Scheduler scheduler;
    Record record;
    HostMemory host;
    Registry registry;
    std::vector<std::unique_ptr<Device>> devices;
    // Behind the handles that the program holds.
    std::set<Stream*> live_streams;
    std::map<Event*, std::unique_ptr<Event>> live_events;
    std::map<Graph*, std::shared_ptr<Graph>> live_graphs;
    std::map<GraphExec*, std::unique_ptr<GraphExec>> live_execs;
    std::vector<std::weak_ptr<Capture>> captures;
    cudaError_t sticky = cudaSuccess;
    bool in_callback = false;
    std::uint64_t launches = 0;
};

Runtime& runtime();  // never destroyed

struct ThreadState {
    int device = 0;
    cudaError_t last = cudaSuccess;
    cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
    std::shared_ptr<Stream> stream;  // cudaStreamPerThread
};
ThreadState& this_thread();

namespace detail {
cudaError_t failed(const char* function, cudaError_t code, const std::string& text);
// An error that the call must return before it does anything.
cudaError_t before(Runtime&);
}  // namespace detail

// The body of an API function: under the mutex, exceptions become codes.
template <class F>
cudaError_t call(const char* function, F&& body) {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    try {
        if (const cudaError_t error = detail::before(r)) return this_thread().last = error;
        body(r);
        if (r.sticky) return this_thread().last = r.sticky;
        return cudaSuccess;
    } catch (const Error& e) {
        return detail::failed(function, e.code, e.what());
    } catch (const Fault& e) {
        return detail::failed(function, cudaErrorInvalidValue, e.what());
    }
}

}  // namespace gpu_sim
