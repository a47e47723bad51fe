#pragma once
// Graphs: operations with frozen arguments, and what each must wait for.
#include "tests/gpu_sim/runtime/stream.h"

#include <set>

namespace gpu_sim {

struct Node {
    OperationPtr operation;  // null: a graph inside
    std::vector<Node*> after;
    std::shared_ptr<const struct Graph> child;
    cudaGraphNodeType type() const { return operation ? operation->type : cudaGraphNodeTypeGraph; }
};

struct Graph {
    std::vector<std::unique_ptr<Node>> nodes;  // each after those it waits for
    std::uint64_t id = 0;
    // A copy whose nodes refer to each other.
    std::shared_ptr<Graph> clone() const;
};

struct GraphExec {
    std::shared_ptr<const Graph> graph;
    Point last;  // the end of its last launch: an executable graph never runs beside itself
};

struct Runtime;
// A step function for a stream: one node a call, in a random order that honours the edges.
std::function<bool()> steps_of(Runtime&, std::shared_ptr<const Graph>, std::string where);

}  // namespace gpu_sim
