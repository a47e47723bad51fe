#pragma once
// The decoded form of a kernel: what a warp runs. A register is an array of one value a lane; operands are offsets into
// the warp's registers or into the program's constants, which are stored the same way, 32 times over.
#include "tests/gpu_sim/machine/ptx_text.h"

#include <array>
#include <cstddef>
#include <memory>

namespace gpu_sim {

class Warp;
struct Instruction;

constexpr std::uint32_t kWarp = 32;
constexpr std::uint32_t kAllLanes = 0xffffffffu;

// `lanes`: those of the current group that the guard lets through; never 0.
using Handler = void (*)(Warp& warp, const Instruction& in, std::uint32_t lanes);

struct Operand {
    static constexpr std::uint32_t kConstant = 1u << 31, kNegated = 1u << 30, kOffset = kNegated - 1;
    static constexpr std::uint32_t kNone = ~0u;
    std::uint32_t bits = kNone;

    explicit operator bool() const { return bits != kNone; }
    std::uint32_t bank() const { return bits >> 31; }
    std::uint32_t offset() const { return bits & kOffset; }
    // Of predicates only.
    bool negated() const { return (bits & kNegated) != 0; }
};

struct Instruction {
    Handler run = nullptr;
    Operand guard;
    std::uint32_t target = 0;    // of a branch; else whatever the handler wants
    std::int64_t immediate = 0;  // offset of an address; else whatever the handler wants
    std::array<Operand, 16> operand;
};

// A call by value: parameters and results live in each lane's local memory, at places fixed by decoding.
struct Call {
    struct Copy {
        std::uint32_t from, to, bytes;
    };
    std::uint32_t entry = 0;  // first instruction
    std::vector<Copy> arguments, results;
};

struct SharedSegment {
    std::uint32_t begin = 0, bytes = 0;
    std::string name;
};

struct Program {
    std::string name;                           // mangled
    std::vector<Instruction> code;              // the kernel, then the functions it calls
    std::vector<const ptx::Statement*> source;  // of each instruction
    std::vector<std::string_view> function;     // of each instruction
    std::map<std::uint32_t, std::string> files;
    std::vector<std::byte> constants;
    std::uint32_t register_bytes = 0;
    std::uint32_t local_bytes = 0;  // a thread: arrays, spills and the parameters of calls
    // Gaps lie between the segments, so that running over the end of an array is noticed.
    std::vector<SharedSegment> shared;
    std::uint32_t shared_end = 0;
    std::uint32_t static_shared = 0;  // bytes without the gaps
    std::uint32_t parameter_bytes = 0, max_threads = 0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> parameters;  // offset, bytes
    std::vector<Call> calls;
    std::vector<std::unique_ptr<ptx::Body>> bodies;  // what `source` points into
};

// Windows of the generic address space. No pointer of a host looks like these.
constexpr std::uint64_t kSharedWindow = 0x0100'0000'0000'0000, kLocalWindow = 0x0200'0000'0000'0000;
constexpr std::uint64_t kWindowMask = 0xff00'0000'0000'0000;
// Between segments of shared memory; a whole number of bank rows.
constexpr std::uint32_t kSharedGap = 256;
// Where dynamic shared memory begins: above all static arrays, whose sum a GPU limits to 48 KiB.
constexpr std::uint32_t kDynamicShared = 128 * 1024;

}  // namespace gpu_sim
