#pragma once
// Builds a Program: the kernel and the functions it calls, each decoded once, with registers, constants, local and
// shared memory laid out. Functions have registers of their own, so recursion is not possible, and nvcc emits none for
// kernels that do not recurse themselves.
#include "tests/gpu_sim/machine/decoding.h"

#include <map>

namespace gpu_sim {

class ProgramBuilder {
public:
    using VariableAddress = std::function<std::uint64_t(std::string_view)>;
    ProgramBuilder(const ptx::Text& text, VariableAddress variable_address);

    std::unique_ptr<Program> build(std::string_view kernel);

    // A name of a statement, resolved.
    struct Place {
        enum class Kind : std::uint8_t { kNothing, kRegister, kLabel, kAddress } kind = Kind::kNothing;
        std::uint32_t bytes = 0;  // of a register's lane; 0: predicate
        std::uint64_t value = 0;  // offset of a register, statement of a label, or an address within `space`
        ptx::Space space = ptx::Space::kGlobal;
    };
    Place resolve(std::string_view name, std::uint32_t scope);
    Operand constant(std::uint64_t bits, std::uint32_t bytes);
    std::uint32_t call(std::string_view function, const std::vector<std::string_view>& results,
                       const std::vector<std::string_view>& arguments, std::uint32_t scope);
    Operand sink();
    bool in_entry() const { return now_->function->entry; }
    [[noreturn]] void fail(const ptx::Statement& statement, const std::string& what) const;

private:
    struct Frame {
        const ptx::Function* function = nullptr;
        const ptx::Body* body = nullptr;
        std::uint32_t first = 0;                         // instruction
        std::vector<std::uint32_t> registers;            // offset by id
        std::vector<std::uint64_t> variables;            // address by index
        std::vector<std::uint32_t> results, parameters;  // offset in the param image or in local memory
    };
    Frame& frame_of(std::string_view name);
    void lay_out(Frame& frame);
    void decode(Frame& frame);
    std::uint32_t local(std::uint64_t bytes, std::uint32_t align);
    std::uint32_t shared(const ptx::Variable& variable);

    const ptx::Text& text_;
    VariableAddress variable_address_;
    std::unique_ptr<Program> program_;
    std::map<std::string_view, Frame> frames_;
    std::vector<std::string_view> pending_;
    std::map<std::string_view, std::uint32_t> shared_;
    std::map<std::pair<std::uint64_t, std::uint32_t>, Operand> constants_;
    std::vector<std::pair<std::uint32_t, std::string_view>> unresolved_calls_;
    Operand sink_;
    Frame* now_ = nullptr;
};

}  // namespace gpu_sim
