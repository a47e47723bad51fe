// The report, GPU_SIM_REPORT=FILE. JSON, written when the process ends:
//
//   "format"          1
//   "device", "seed"  as GPU_SIM_DEVICE and GPU_SIM_SEED say
//   "graph_launches"  how many
//   "kernels"         {name: counters}, sums over its launches: the fields of KernelCounters (machine/machine.h), among
//                     them launches; and "opcodes": {opcode: executions by warps}. Sectors have 32 bytes.
//   "library"         {product: {"calls", "flops", "bytes"}}: what cuBLASLt would have launched, e.g.
//                     "gemm TN m768 n512 k2304 batch1 bf16->bf16 epilogue1"; bytes: each operand once
//   "copies"          {"host->device", ..., "memset": {"calls", "bytes"}}
//   "executed"        one object for each kernel, library call, copy and memset, in the order they ran:
//                     "kind"   kernel, library, copy, memset or host
//                     "name"   the key above
//                     "where"  the stream: "stream2"; of a graph "stream2 graph1 launch7", the same for all of a launch
//                     kernels: "grid" and "block" [x, y, z], "shared" (dynamic bytes), the counters; others: "bytes",
//                     and libraries "flops"
#include "tests/gpu_sim/runtime/runtime.h"

#include <nlohmann/json.hpp>

namespace gpu_sim {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const KernelCounters& counters) {
    Json json;
    KernelCounters::each(counters, [&](const char* name, std::uint64_t value) { json[name] = value; });
    return json;
}

template <class T>
void add(Json& sums, const char* name, T value) {
    Json& sum = sums[name];
    sum = sum.is_null() ? value : sum.get<T>() + value;
}

Json list(const dim3& d) { return {d.x, d.y, d.z}; }

// Runs after the program's own destructors: this library is unloaded after what depends on it.
[[gnu::destructor]] void at_exit() { runtime().record.write(); }

}  // namespace

void Record::write() const {
    if (!reports_) return;
    Json report = {{"format", 1},
                   {"device", environment().device},
                   {"seed", environment().seed},
                   {"graph_launches", graph_launches},
                   {"kernels", Json::object()},
                   {"library", Json::object()},
                   {"copies", Json::object()},
                   {"executed", Json::array()}};
    for (const Executed& e : executed_) {
        Json entry = {{"kind", e.kind}, {"name", e.name}, {"where", e.where}};
        const std::string kind = e.kind;
        if (kind == "kernel") {
            entry["grid"] = list(e.grid), entry["block"] = list(e.block), entry["shared"] = e.shared;
            entry.update(json_of(e.counters));
            Json& sums = report["kernels"][e.name];
            KernelCounters::each(e.counters, [&](const char* name, std::uint64_t value) { add(sums, name, value); });
        } else if (kind != "host") {
            entry["bytes"] = e.bytes;
            Json& sums = report[kind == "library" ? "library" : "copies"][e.name];
            add(sums, "calls", std::uint64_t{1});
            if (kind == "library") entry["flops"] = e.flops, add(sums, "flops", e.flops);
            add(sums, "bytes", e.bytes);
        }
        report["executed"].push_back(std::move(entry));
    }
    for (const auto& [kernel, opcodes] : opcodes_)
        for (const auto& [opcode, count] : opcodes) report["kernels"][kernel]["opcodes"][opcode] = count;
    std::FILE* file = open_for_writing(environment().report_file);
    const std::string text = report.dump(1);
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
}

}  // namespace gpu_sim
