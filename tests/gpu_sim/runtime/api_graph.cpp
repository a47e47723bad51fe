// Stream capture and graphs.
#include "tests/gpu_sim/runtime/capture.h"
#include "tests/gpu_sim/runtime/runtime.h"

#include <algorithm>

using namespace gpu_sim;

namespace {

void instantiate(Runtime& r, cudaGraphExec_t* handle, cudaGraph_t graph) {
    require(handle != nullptr, cudaErrorInvalidValue, "nowhere to put the executable graph");
    auto exec = std::make_unique<GraphExec>(GraphExec{r.graph(graph).clone(), {}});
    GraphExec* const key = exec.get();
    *handle = reinterpret_cast<cudaGraphExec_t>(key);
    r.live_execs[key] = std::move(exec);
}

const Node& node_of(cudaGraphNode_t handle) { return *reinterpret_cast<const Node*>(handle); }

}  // namespace

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    return call(__func__, [&](Runtime& r) { begin_capture(r, r.stream(handle), mode); });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph_handle) {
    return call(__func__, [&](Runtime& r) {
        if (graph_handle) *graph_handle = nullptr;
        const auto graph = end_capture(r, r.stream(handle));
        r.live_graphs[graph.get()] = graph;
        if (graph_handle) *graph_handle = reinterpret_cast<cudaGraph_t>(graph.get());
    });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    return call(__func__, [&](Runtime& r) {
        const Stream& stream = r.stream(handle);
        *status = !stream.capture           ? cudaStreamCaptureStatusNone
                  : stream.capture->invalid ? cudaStreamCaptureStatusInvalidated
                                            : cudaStreamCaptureStatusActive;
    });
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus* status, unsigned long long* id,
                                     cudaGraph_t* graph, const cudaGraphNode_t** dependencies,
                                     const cudaGraphEdgeData** edges, size_t* count) {
    const cudaError_t error = cudaStreamIsCapturing(handle, status);
    if (error != cudaSuccess || *status != cudaStreamCaptureStatusActive) return error;
    return call(__func__, [&](Runtime& r) {
        const Stream& stream = r.stream(handle);
        if (id) *id = stream.capture->id;
        if (graph) *graph = reinterpret_cast<cudaGraph_t>(stream.capture->graph.get());
        if (dependencies) *dependencies = reinterpret_cast<const cudaGraphNode_t*>(stream.tail.data());
        if (edges) *edges = nullptr;
        if (count) *count = stream.tail.size();
    });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    return call(__func__, [&](Runtime&) { std::swap(*mode, this_thread().capture_mode); });
}

cudaError_t cudaGraphCreate(cudaGraph_t* handle, unsigned) {
    return call(__func__, [&](Runtime& r) {
        const auto graph = std::make_shared<Graph>();
        r.live_graphs[graph.get()] = graph;
        *handle = reinterpret_cast<cudaGraph_t>(graph.get());
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
    return call(__func__, [&](Runtime& r) { r.live_graphs.erase(&r.graph(handle)); });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
    return call(__func__, [&](Runtime& r) { instantiate(r, exec, graph); });
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
    return call(__func__, [&](Runtime& r) { instantiate(r, exec, graph); });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
    return call(__func__, [&](Runtime& r) { r.live_execs.erase(&r.graph_exec(handle)); });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t handle, cudaStream_t stream) {
    return call(__func__, [&](Runtime& r) { r.graph_exec(handle), r.stream(stream); });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream_handle) {
    return call(__func__, [&](Runtime& r) {
        GraphExec& exec = r.graph_exec(handle);
        Stream& stream = r.stream(stream_handle);
        if (stream.capture) {
            capture_graph(stream, exec.graph);
            return;
        }
        const auto self = stream.shared_from_this();
        // Made at the first step: the order of a graph's nodes is drawn when it runs.
        auto step = std::make_shared<std::function<bool()>>();
        r.scheduler.submit(stream,
                           [&r, self, graph = exec.graph, step]() -> bool {
                               if (!*step) {
                                   const std::string name = self->name() + " graph" + std::to_string(graph->id) +
                                                            " launch" + std::to_string(++r.record.graph_launches);
                                   r.record.trace(self->device, name, std::to_string(graph->nodes.size()) + " nodes");
                                   *step = steps_of(r, graph, name);
                               }
                               return (*step)();
                           },
                           {exec.last});
        exec.last = stream.end();
        r.scheduler.let_time_pass();
    });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t* nodes, size_t* count) {
    return call(__func__, [&](Runtime& r) {
        const Graph& graph = r.graph(handle);
        if (nodes) {
            const std::size_t wanted = *count;
            for (std::size_t i = 0; i < std::min(wanted, graph.nodes.size()); ++i)
                nodes[i] = reinterpret_cast<cudaGraphNode_t>(graph.nodes[i].get());
            for (std::size_t i = graph.nodes.size(); i < wanted; ++i) nodes[i] = nullptr;
            *count = std::min(wanted, graph.nodes.size());
        } else {
            *count = graph.nodes.size();
        }
    });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t handle, cudaGraphNodeType* type) {
    return call(__func__, [&](Runtime&) { *type = node_of(handle).type(); });
}

cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t handle, cudaKernelNodeParams* parameters) {
    return call(__func__, [&](Runtime&) {
        const Node& node = node_of(handle);
        require(node.type() == cudaGraphNodeTypeKernel && node.operation->function, cudaErrorInvalidValue,
                "not a kernel's node");
        // The array lives as long as the node.
        static std::map<const Operation*, std::vector<void*>> pointers;
        auto& list = pointers[node.operation.get()];
        list.clear();
        for (const auto& argument : node.operation->arguments) list.push_back(const_cast<std::byte*>(argument.data()));
        *parameters = {node.operation->function, node.operation->grid, node.operation->block,
                       node.operation->shared,   list.data(),          nullptr};
    });
}

}  // extern "C"
