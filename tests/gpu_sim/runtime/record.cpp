#include "tests/gpu_sim/runtime/record.h"

#include "tests/gpu_sim/runtime/runtime.h"

#include <cstdlib>
#include <cxxabi.h>

namespace gpu_sim {

namespace {

// A kernel of a program has a host stub; what a library would launch has none.
const char* kind_of(const Operation& operation) {
    switch (operation.type) {
        case cudaGraphNodeTypeKernel:
            return operation.function ? "kernel" : "library";
        case cudaGraphNodeTypeMemcpy:
            return "copy";
        case cudaGraphNodeTypeMemset:
            return "memset";
        default:
            return "host";
    }
}

}  // namespace

std::FILE* open_for_writing(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (!file) {
        std::fprintf(stderr, "gpu_sim: cannot write %s\n", path.c_str());
        std::exit(2);
    }
    return file;
}

Record::Record() : reports_(!environment().report_file.empty()) {
    const std::string& path = environment().trace_file;
    if (!path.empty()) {
        trace_ = open_for_writing(path);
        std::setvbuf(trace_, nullptr, _IOLBF, 0);
    }
}

void Record::trace(int device, const std::string& where, const std::string& what) {
    if (!trace_) return;
    if (environment().devices > 1) std::fprintf(trace_, "device%d ", device);
    std::fprintf(trace_, "%s %s\n", where.c_str(), what.c_str());
}

void Record::begin(const Operation& operation, const std::string& where) {
    trace(operation.device, where, operation.what);
    if (!reports_) return;
    executed_.push_back({kind_of(operation),
                         operation.name,
                         where,
                         operation.grid,
                         operation.block,
                         operation.shared,
                         operation.bytes,
                         operation.flops,
                         {}});
}

KernelCounters* Record::counters() { return reports_ ? &executed_.back().counters : nullptr; }

void Record::end() {
    if (!reports_) return;
    Executed& last = executed_.back();
    for (const auto& [opcode, count] : last.counters.opcodes) opcodes_[last.name][opcode] += count;
    last.counters.opcodes.clear();
}

std::string readable(const std::string& mangled) {
    int status = 0;
    char* text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
    if (!text) return mangled;
    std::string name = text;
    std::free(text);
    if (!name.empty() && name.back() == ')') {
        int depth = 0;
        std::size_t at = name.size();
        do {
            --at;
            depth += name[at] == ')' ? 1 : name[at] == '(' ? -1 : 0;
        } while (depth > 0 && at > 0);
        name.resize(at);
    }
    if (name.starts_with("void ")) name.erase(0, 5);
    return name;
}

}  // namespace gpu_sim
