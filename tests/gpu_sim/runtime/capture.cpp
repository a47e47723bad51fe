#include "tests/gpu_sim/runtime/capture.h"

#include "tests/gpu_sim/runtime/runtime.h"

#include <algorithm>

namespace gpu_sim {

namespace {

std::vector<std::shared_ptr<Capture>> ongoing(Runtime& r) {
    std::vector<std::shared_ptr<Capture>> list;
    for (const auto& weak : r.captures)
        if (auto capture = weak.lock()) list.push_back(std::move(capture));
    return list;
}

void add_node(Stream& stream, Node node) {
    Capture& capture = *stream.capture;
    require(!capture.invalid, cudaErrorStreamCaptureInvalidated, "the capture of this stream was spoilt earlier");
    node.after = stream.tail;
    capture.graph->nodes.push_back(std::make_unique<Node>(std::move(node)));
    stream.tail = {capture.graph->nodes.back().get()};
}

}  // namespace

void begin_capture(Runtime& r, Stream& stream, cudaStreamCaptureMode mode) {
    require(!stream.legacy(), cudaErrorStreamCaptureUnsupported, "the legacy default stream cannot be captured");
    require(!stream.capture, cudaErrorIllegalState, "the stream is being captured already");
    static std::uint64_t count = 0;
    auto capture = std::make_shared<Capture>();
    capture->id = ++count;
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->origin = &stream;
    capture->graph = std::make_shared<Graph>();
    capture->graph->id = capture->id;
    capture->streams = {&stream};
    stream.capture = capture;
    stream.tail.clear();
    std::erase_if(r.captures, [](const auto& weak) { return weak.expired(); });
    r.captures.push_back(capture);
}

std::shared_ptr<Graph> end_capture(Runtime& r, Stream& stream) {
    const auto capture = stream.capture;
    require(capture != nullptr, cudaErrorIllegalState, "the stream is not being captured");
    require(capture->origin == &stream, cudaErrorStreamCaptureUnmatched,
            "the stream joined the capture through an event; the capture ends on the stream it began on");
    require(capture->mode == cudaStreamCaptureModeRelaxed || capture->thread == std::this_thread::get_id(),
            cudaErrorStreamCaptureWrongThread, "the capture was begun by another thread");
    std::set<const Node*> joined;
    std::vector<const Node*> todo(stream.tail.begin(), stream.tail.end());
    while (!todo.empty()) {
        const Node* node = todo.back();
        todo.pop_back();
        if (joined.insert(node).second) todo.insert(todo.end(), node->after.begin(), node->after.end());
    }
    for (Stream* member : capture->streams) {
        member->capture.reset();
        member->tail.clear();
    }
    std::erase_if(r.captures, [&](const auto& weak) { return weak.lock() == capture; });
    require(!capture->invalid, cudaErrorStreamCaptureInvalidated, "the capture was spoilt by an earlier call");
    for (const auto& node : capture->graph->nodes)
        require(joined.contains(node.get()), cudaErrorStreamCaptureUnjoined,
                "the stream does not wait for captured work of another stream: " +
                    (node->operation ? node->operation->what : "a graph"));
    return capture->graph;
}

void capture_operation(Stream& stream, OperationPtr operation) {
    add_node(stream, {std::move(operation), {}, nullptr});
}

void capture_graph(Stream& stream, std::shared_ptr<const Graph> child) {
    add_node(stream, {nullptr, {}, std::move(child)});
}

void wait_for_captured(Stream& stream, const Moment& moment) {
    const auto& capture = moment.capture;
    if (!stream.capture) {
        require(!stream.legacy(), cudaErrorStreamCaptureImplicit, "the legacy stream waits for a captured event");
        require(
            std::find(capture->streams.begin(), capture->streams.end(), capture->origin) != capture->streams.end() &&
                capture->origin->capture == capture,
            cudaErrorCapturedEvent, "the event was recorded in a capture that has ended");
        stream.capture = capture;
        stream.tail.clear();
        capture->streams.push_back(&stream);
    }
    if (stream.capture != capture) {
        stream.capture->invalid = capture->invalid = true;
        throw Error(cudaErrorStreamCaptureMerge, "the event belongs to another capture");
    }
    for (Node* node : moment.nodes)
        if (std::find(stream.tail.begin(), stream.tail.end(), node) == stream.tail.end()) stream.tail.push_back(node);
}

void require_not_capturing(Stream& stream, const char* what) {
    if (!stream.capture) return;
    stream.capture->invalid = true;
    throw Error(cudaErrorStreamCaptureUnsupported, std::string(what) + " while the stream is being captured");
}

void require_legacy_stream_allowed(Runtime& r, int device) {
    for (const auto& capture : ongoing(r))
        for (Stream* stream : capture->streams)
            if (stream->blocking() && stream->device == device) {
                capture->invalid = true;
                throw Error(cudaErrorStreamCaptureImplicit, "the legacy default stream would wait for stream " +
                                                                stream->name() + ", which is being captured");
            }
}

void require_unsafe_calls_allowed(Runtime& r) {
    const cudaStreamCaptureMode mode = this_thread().capture_mode;
    if (mode == cudaStreamCaptureModeRelaxed) return;
    bool refused = false;
    for (const auto& capture : ongoing(r)) {
        const bool mine = capture->thread == std::this_thread::get_id();
        const bool conflict = mine
                                  ? capture->mode != cudaStreamCaptureModeRelaxed
                                  : mode == cudaStreamCaptureModeGlobal && capture->mode == cudaStreamCaptureModeGlobal;
        if (conflict) capture->invalid = refused = true;
    }
    require(!refused, cudaErrorStreamCaptureUnsupported, "not allowed while a stream is being captured");
}

void require_no_capture(Runtime& r, int device) {
    bool refused = false;
    for (const auto& capture : ongoing(r))
        if (capture->origin->device == device) capture->invalid = refused = true;
    require(!refused, cudaErrorStreamCaptureUnsupported, "waits for a device while a stream of it is being captured");
}

}  // namespace gpu_sim
