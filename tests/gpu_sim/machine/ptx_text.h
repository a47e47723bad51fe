#pragma once
// PTX as text: functions, variables and the statements of a body, names still unresolved. All views point into the
// text. Source: PTX ISA 9.0, https://docs.nvidia.com/cuda/parallel-thread-execution.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gpu_sim::ptx {

enum class Space : std::uint8_t { kGeneric, kGlobal, kConst, kShared, kLocal, kParam };

// Where the kernel's author wrote it; lines of 0: unknown.
struct Location {
    std::uint32_t file = 0, line = 0;
    // Of the call, if the line above belongs to a function that was inlined.
    std::uint32_t caller_file = 0, caller_line = 0;
};

struct Variable {
    Space space = Space::kGlobal;
    std::string_view name;
    std::uint32_t align = 1;
    std::uint64_t bytes = 0;
    bool external = false;  // extern __shared__ array[]
    // Little-endian image; missing bytes are zero.
    std::vector<std::byte> initial;
    // Addresses of other variables within `initial`: offset and name.
    std::vector<std::pair<std::uint64_t, std::string_view>> addresses;
};

// One instruction as written: @!%p1 ld.global.v2.f32 {%f1, %f2}, [%rd1+8];
struct Statement {
    std::string_view text;
    std::string_view guard;
    bool guard_negated = false;
    std::string_view opcode;
    std::vector<std::string_view> operands;  // split at commas outside of brackets
    std::uint32_t line = 0;                  // of the PTX
    std::uint32_t scope = 0;
    Location location;
};

struct Symbol {
    enum class Kind : std::uint8_t { kRegister, kLabel, kVariable };
    Kind kind;
    // Bytes of a register's lane (0: predicate), statement of a label, index of a variable of the body.
    std::uint32_t value;
    std::uint32_t id;  // of a register: numbered through the body
};

// Braces nest: each pair is a scope of names.
struct Scope {
    std::uint32_t parent;
    std::unordered_map<std::string, Symbol> symbols;
};

struct Body {
    std::vector<Statement> statements;
    std::vector<Scope> scopes;
    std::vector<Variable> variables;
    std::vector<std::uint32_t> register_bytes;  // by id

    const Symbol* find(const std::string& name, std::uint32_t scope) const;
};

struct Function {
    std::string_view name;
    bool entry = false;
    std::vector<Variable> results, parameters;
    std::uint32_t max_threads = 0;
    std::string_view text;  // of the body, within its braces
    std::uint32_t line = 0;
};

struct Text {
    std::map<std::uint32_t, std::string> files;
    std::vector<Variable> variables;
    std::map<std::string_view, Function> functions;
};

// Throw Fault.
Text parse(std::string_view ptx);
Body parse_body(const Function& function);

// Bytes of a type without its dot: "u32", "v4" is none. 0 for pred and for what is no type.
std::uint32_t type_bytes(std::string_view type);

}  // namespace gpu_sim::ptx
