#pragma once
// Stream capture: what a stream is asked to do becomes a graph instead of happening; other streams join by waiting for
// events of streams that are captured.
#include "tests/gpu_sim/runtime/graph.h"

#include <thread>

namespace gpu_sim {

struct Runtime;

struct Capture {
    std::uint64_t id;
    cudaStreamCaptureMode mode;
    std::thread::id thread;
    Stream* origin;
    std::shared_ptr<Graph> graph;
    std::vector<Stream*> streams;  // the origin and those that joined
    bool invalid = false;
};

void begin_capture(Runtime&, Stream&, cudaStreamCaptureMode);
std::shared_ptr<Graph> end_capture(Runtime&, Stream&);
void capture_operation(Stream&, OperationPtr);
void capture_graph(Stream&, std::shared_ptr<const Graph> child);
void wait_for_captured(Stream&, const Moment&);

// Throws, and spoils the capture, as CUDA does: for calls that wait for a stream under capture,
void require_not_capturing(Stream&, const char* what);
// for the legacy stream while a stream that it would wait for is captured,
void require_legacy_stream_allowed(Runtime&, int device);
// for calls that are unsafe while anything is captured (cudaMalloc, cudaEventQuery, ...),
void require_unsafe_calls_allowed(Runtime&);
// for those that wait for a whole device.
void require_no_capture(Runtime&, int device);

}  // namespace gpu_sim
