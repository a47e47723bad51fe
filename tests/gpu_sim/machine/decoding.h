#pragma once
// What the decoder of one opcode works with: the statement's modifiers, which must all be understood, and its operands
// turned into places of lanes.
#include "tests/gpu_sim/machine/instruction.h"
#include "tests/gpu_sim/machine/machine.h"

#include <functional>

namespace gpu_sim {

enum class Type : std::uint8_t {
    b8,
    b16,
    b32,
    b64,
    u8,
    u16,
    u32,
    u64,
    s8,
    s16,
    s32,
    s64,
    f16,
    bf16,
    f16x2,
    bf16x2,
    f32,
    f64,
    tf32,
    pred
};

class ProgramBuilder;

class Decoding {
public:
    Decoding(ProgramBuilder& builder, const ptx::Statement& statement, Instruction& in);

    // Modifiers: the words of the opcode after its first. Those nobody takes are a Fault.
    bool take(std::string_view modifier);
    // The first of `modifiers` present, or an empty view.
    std::string_view take_any(std::initializer_list<std::string_view> modifiers);
    // The last type among the modifiers left, or a Fault.
    Type take_type();
    bool has_type() const;
    void finish() const;
    // Everything that is left: of opcodes whose modifiers only advise the hardware.
    void ignore_modifiers() { modifiers_.clear(); }
    const std::vector<std::string_view>& modifiers() const { return modifiers_; }

    std::size_t operands() const { return statement_.operands.size(); }
    std::string_view text(std::size_t i) const;
    bool has_operand(std::size_t i) const { return i < statement_.operands.size(); }
    std::string_view base() const { return base_; }

    // Operand i of the statement as lanes of `type`; immediates become constants.
    Operand value(std::size_t i, Type type) { return value(text(i), type); }
    Operand value(std::string_view text, Type type);
    Operand predicate(std::string_view text);
    // Registers named within braces, or a single one.
    std::vector<std::string_view> elements(std::size_t i) const;
    // %r1|%p2: the parts around the bar.
    std::pair<std::string_view, std::string_view> halves(std::size_t i) const;
    // Bytes of a lane of the register, or 0 if the text is no register.
    std::uint32_t register_bytes(std::string_view text) const;
    // A place nobody reads, for `_`.
    Operand sink();
    // [base+offset]: the base as lanes of u64 or u32 (`wide`), the offset left in in.immediate.
    struct Address {
        Operand base;
        bool wide = true;  // the base register has 64 bits
        bool constant = false;
        bool local = false;       // a parameter of a call, in local memory
        std::int64_t offset = 0;  // all of the address if constant
    };
    Address address(std::size_t i);
    // The number in an operand that must be one.
    std::int64_t number(std::size_t i) const;
    std::uint32_t label(std::string_view name) const;
    std::uint32_t call(std::size_t first_operand);

    [[noreturn]] void fail(const std::string& what) const;

    Instruction& in;

private:
    Operand constant(std::uint64_t bits, std::uint32_t bytes);

    ProgramBuilder& builder_;
    const ptx::Statement& statement_;
    std::string_view base_;
    std::vector<std::string_view> modifiers_;
};

// Decoders by the first word of an opcode: they set in.run, its operands, and so on.
using Decoder = void (*)(Decoding&);
using DecoderTable = std::unordered_map<std::string_view, Decoder>;
void add_arithmetic(DecoderTable&);
void add_floating(DecoderTable&);
void add_bits(DecoderTable&);
void add_comparisons(DecoderTable&);
void add_conversions(DecoderTable&);
void add_moves(DecoderTable&);
void add_control(DecoderTable&);
void add_warp(DecoderTable&);
void add_memory(DecoderTable&);
void add_atomics(DecoderTable&);
void add_async(DecoderTable&);
void add_matrix(DecoderTable&);
const DecoderTable& decoders();

std::uint32_t bytes_of(Type type);
bool is_signed(Type type);
bool is_float(Type type);

// Throws Fault naming instruction and function.
std::unique_ptr<Program> build_program(const ptx::Text& text, std::string_view kernel,
                                       const std::function<std::uint64_t(std::string_view)>& variable_address);

}  // namespace gpu_sim
