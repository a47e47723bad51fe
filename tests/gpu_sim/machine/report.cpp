// The text of a fault: what, and where in the kernel's source.
#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/warp.h"

#include <cstdlib>
#include <cxxabi.h>

namespace gpu_sim {

namespace {

std::string triple(const Dim3& d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

std::string file_and_line(const Program& program, std::uint32_t file, std::uint32_t line) {
    const auto found = program.files.find(file);
    const std::string path = found == program.files.end() ? "?" : found->second;
    return path.substr(path.rfind('/') + 1) + ":" + std::to_string(line);
}

// Headers of the toolkit say little about a kernel.
bool of_toolkit(const Program& program, std::uint32_t file) {
    const auto found = program.files.find(file);
    return found != program.files.end() && found->second.find("/include/") != std::string::npos &&
           (found->second.find("cuda") != std::string::npos || found->second.find("nvidia") != std::string::npos);
}

}  // namespace

std::string demangled(const std::string& name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
    const std::string result = status == 0 && text ? text : name;
    std::free(text);
    return result;
}

std::string source_of(const Program& program, std::uint32_t pc) {
    const ptx::Location& at = program.source[pc]->location;
    if (at.line == 0) return "PTX line " + std::to_string(program.source[pc]->line);
    if (at.caller_line == 0) return file_and_line(program, at.file, at.line);
    const std::string caller = file_and_line(program, at.caller_file, at.caller_line);
    if (of_toolkit(program, at.file)) return caller;
    return file_and_line(program, at.file, at.line) + " (inlined at " + caller + ")";
}

Dim3 Warp::thread_of(std::uint32_t lane) const {
    const Dim3& size = grid_.launch.block;
    const std::uint32_t thread = first_thread_ + lane;
    return {thread % size.x, thread / size.x % size.y, thread / size.x / size.y};
}

std::string Warp::describe(std::uint32_t pc, std::uint32_t warp, std::uint32_t lane) const {
    const std::string where = source_of(grid_.program, pc);
    // Several lanes: any of them would do, and none is recorded.
    if (lane >= kWarp) return "several threads of warp " + std::to_string(warp) + " at " + where;
    const Dim3& size = grid_.launch.block;
    const std::uint32_t thread = warp * kWarp + lane;
    return "thread " + triple({thread % size.x, thread / size.x % size.y, thread / size.x / size.y}) + " at " + where;
}

void Warp::fault(const Instruction& in, std::uint32_t lane, const std::string& what) const {
    fault_at(pc_of(in), lane, what);
}

void Warp::fault_at(std::uint32_t pc, std::uint32_t lane, const std::string& what) const {
    const Program& program = grid_.program;
    const ptx::Statement& statement = *program.source[pc];
    std::string text = what + "\n  kernel " + demangled(program.name);
    if (program.function[pc] != program.name) text += ", function " + demangled(std::string(program.function[pc]));
    text += "\n  at " + source_of(program, pc) + ", PTX line " + std::to_string(statement.line) + ": " +
            std::string(statement.text) + "\n  block " + triple(block_.id()) + " of " + triple(grid_.launch.grid) +
            ", thread " + triple(thread_of(lane)) + " of " + triple(grid_.launch.block);
    throw Fault(text);
}

}  // namespace gpu_sim
