#include "tests/gpu_sim/runtime/record.h"

#include "tests/gpu_sim/runtime/runtime.h"

#include <cstdlib>
#include <cxxabi.h>

namespace gpu_sim {

namespace {

std::FILE* open(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (!file) {
        std::fprintf(stderr, "gpu_sim: cannot write %s\n", path.c_str());
        std::exit(2);
    }
    return file;
}

struct Object {
    std::FILE* file;
    bool first = true;
    void key(const std::string& name) {
        std::fprintf(file, "%s\n    \"", first ? "" : ",");
        for (const char c : name) std::fprintf(file, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        std::fprintf(file, "\": ");
        first = false;
    }
};

void write_counters(std::FILE* file, const KernelCounters& c) {
    const char* separator = "{";
    const auto field = [&](const char* name, std::uint64_t value) {
        std::fprintf(file, "%s\"%s\": %llu", separator, name, static_cast<unsigned long long>(value));
        separator = ", ";
    };
    field("launches", c.launches), field("blocks", c.blocks);
    field("warp_instructions", c.warp_instructions), field("thread_instructions", c.thread_instructions);
    field("requested_global_read", c.requested_global_read);
    field("requested_global_written", c.requested_global_written);
    field("sectors_read", c.sectors_read), field("sectors_written", c.sectors_written);
    field("launch_sectors_read", c.launch_sectors_read), field("launch_sectors_written", c.launch_sectors_written);
    field("shared_accesses", c.shared_accesses), field("shared_conflicts", c.shared_conflicts);
    field("ldmatrix", c.ldmatrix), field("ldmatrix_conflicts", c.ldmatrix_conflicts);
    field("local_bytes", c.local_bytes), field("mma", c.mma), field("cp_async", c.cp_async);
    std::fprintf(file, ", \"opcodes\": ");
    separator = "{";
    for (const auto& [name, count] : c.opcodes) field(name.c_str(), count);
    std::fprintf(file, "%s}}", c.opcodes.empty() ? "{" : "");
}

// Runs after the program's own destructors: this library is unloaded after what depends on it.
[[gnu::destructor]] void at_exit() { runtime().record.write(); }

}  // namespace

Record::Record() {
    const std::string& path = environment().trace_file;
    if (!path.empty()) {
        trace_ = open(path);
        std::setvbuf(trace_, nullptr, _IOLBF, 0);
    }
}

void Record::trace(int device, const std::string& where, const std::string& what) {
    if (!trace_) return;
    if (environment().devices > 1) std::fprintf(trace_, "device%d ", device);
    std::fprintf(trace_, "%s %s\n", where.c_str(), what.c_str());
}

KernelCounters* Record::of_kernel(const std::string& name) {
    return environment().counters_file.empty() ? nullptr : &kernels_[name];
}

void Record::count_library_call(const std::string& shape) { ++library_[shape]; }

void Record::write() const {
    if (environment().counters_file.empty()) return;
    std::FILE* file = open(environment().counters_file);
    std::fprintf(file, "{\n  \"kernels\": {");
    Object kernels{file};
    for (const auto& [name, counters] : kernels_) kernels.key(name), write_counters(file, counters);
    std::fprintf(file, "\n  },\n  \"cublaslt\": {");
    Object library{file};
    for (const auto& [shape, calls] : library_)
        library.key(shape), std::fprintf(file, "%llu", static_cast<unsigned long long>(calls));
    std::fprintf(file, "\n  }\n}\n");
    std::fclose(file);
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
