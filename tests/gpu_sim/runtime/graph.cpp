#include "tests/gpu_sim/runtime/graph.h"

#include "tests/gpu_sim/runtime/runtime.h"

#include <algorithm>

namespace gpu_sim {

std::shared_ptr<Graph> Graph::clone() const {
    auto copy = std::make_shared<Graph>();
    copy->id = id;
    std::map<const Node*, Node*> image;
    for (const auto& node : nodes) {
        copy->nodes.push_back(std::make_unique<Node>(*node));
        image[node.get()] = copy->nodes.back().get();
        for (Node*& before : copy->nodes.back()->after) before = image.at(before);
    }
    return copy;
}

std::function<bool()> steps_of(Runtime& r, std::shared_ptr<const Graph> graph, std::string where) {
    struct Progress {
        std::set<const Node*> done;
        std::map<const Node*, std::function<bool()>> inside;  // of child graphs under way
    };
    auto progress = std::make_shared<Progress>();
    return [&r, graph, where, progress]() -> bool {
        std::vector<const Node*> ready;
        for (const auto& node : graph->nodes) {
            if (progress->done.contains(node.get())) continue;
            const auto& after = node->after;
            if (std::all_of(after.begin(), after.end(), [&](Node* n) { return progress->done.contains(n); }))
                ready.push_back(node.get());
        }
        if (ready.empty()) return true;
        const Node* node = ready[r.scheduler.random(ready.size())];
        if (node->operation) {
            r.perform(*node->operation, where);
            if (r.sticky) return true;
            progress->done.insert(node);
        } else {
            auto& step = progress->inside[node];
            if (!step) step = steps_of(r, node->child, where);
            if (step()) progress->done.insert(node);
        }
        return progress->done.size() == graph->nodes.size();
    };
}

}  // namespace gpu_sim
