// The body of a function: statements, scopes, registers, labels.
#include "tests/gpu_sim/machine/ptx_scanner.h"
#include "tests/gpu_sim/machine/ptx_text.h"

namespace gpu_sim::ptx {

namespace {

std::vector<std::string_view> split_operands(std::string_view text) {
    std::vector<std::string_view> operands;
    if (text.empty()) return operands;
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i == text.size() || (text[i] == ',' && depth == 0)) {
            operands.push_back(Scanner::trimmed(text.substr(begin, i - begin)));
            begin = i + 1;
        } else if (std::string_view("([{").find(text[i]) != std::string_view::npos) {
            ++depth;
        } else if (std::string_view(")]}").find(text[i]) != std::string_view::npos) {
            --depth;
        }
    }
    return operands;
}

class BodyParser {
public:
    explicit BodyParser(const Function& function) : scan_(function.text, function.line) { body_.scopes.push_back({}); }

    Body parse() {
        while (!scan_.done()) statement();
        if (scope_ != 0) scan_.fail("a brace is missing");
        return std::move(body_);
    }

private:
    void statement() {
        if (scan_.accept('{')) {
            body_.scopes.push_back({.parent = scope_, .symbols = {}});
            scope_ = std::uint32_t(body_.scopes.size()) - 1;
        } else if (scan_.accept('}')) {
            scope_ = body_.scopes[scope_].parent;
        } else if (scan_.accept(';')) {
            // inline assembly leaves empty statements
        } else if (scan_.peek() == '.') {
            directive();
        } else {
            label_or_instruction();
        }
    }

    void directive() {
        const std::string_view word = scan_.peek_word();
        if (word == ".loc") {
            scan_.word();
            location(scan_.rest_of_line());
        } else if (word == ".reg") {
            scan_.word();
            registers();
        } else if (word == ".pragma" || word == ".branchtargets" || word == ".callprototype") {
            scan_.until(";");
            scan_.expect(';');
        } else {
            variable();
        }
    }

    // 1 6 66, function_name $L__info_string0, inlined_at 1 6 66
    void location(std::string_view text) {
        Scanner words(text, scan_.line());
        Location now;
        now.file = std::uint32_t(words.number());
        now.line = std::uint32_t(words.number());
        const std::size_t caller = text.find("inlined_at");
        if (caller != text.npos) {
            Scanner rest(text.substr(caller), scan_.line());
            rest.word();
            now.caller_file = std::uint32_t(rest.number());
            now.caller_line = std::uint32_t(rest.number());
        }
        // Line 0 is the compiler's own work: what stood before is the better hint.
        if (now.line != 0) location_ = now;
    }

    // .reg .b32 %r<12>, %q;
    void registers() {
        const std::string_view type = scan_.word();
        if (type != ".pred" && type_bytes(type.substr(1)) == 0) {
            scan_.fail("unknown register type '" + std::string(type) + "'");
        }
        do {
            const std::string name(scan_.word());
            if (scan_.accept('<')) {
                const std::uint64_t count = scan_.number();
                scan_.expect('>');
                for (std::uint64_t i = 0; i < count; ++i) define(name + std::to_string(i), type);
            } else {
                define(name, type);
            }
        } while (scan_.accept(','));
        scan_.expect(';');
    }

    void define(std::string name, std::string_view type) {
        const std::uint32_t bytes = type_bytes(type.substr(1));
        const auto id = std::uint32_t(body_.register_bytes.size());
        // Registers are at least 16 bits wide; those of 8 bits hold their value in a wider one.
        body_.register_bytes.push_back(type == ".pred" ? 0 : std::max(bytes, 2u));
        body_.scopes[scope_].symbols.insert_or_assign(std::move(name),
                                                      Symbol{Symbol::Kind::kRegister, body_.register_bytes.back(), id});
    }

    void variable();

    void label_or_instruction() {
        Statement statement;
        if (scan_.accept('@')) {
            statement.guard_negated = scan_.accept('!');
            statement.guard = scan_.word();
        }
        scan_.peek();
        statement.line = scan_.line();
        const std::string_view word = scan_.word();
        if (word.ends_with(':')) {
            const auto at = std::uint32_t(body_.statements.size());
            body_.scopes[scope_].symbols.insert_or_assign(std::string(word.substr(0, word.size() - 1)),
                                                          Symbol{Symbol::Kind::kLabel, at, 0});
            return;
        }
        statement.opcode = word;
        const std::string_view operands = scan_.until(";");
        scan_.expect(';');
        statement.operands = split_operands(operands);
        const char* end = operands.empty() ? word.data() + word.size() : operands.data() + operands.size();
        statement.text = std::string_view(word.data(), std::size_t(end - word.data()));
        statement.scope = scope_;
        statement.location = location_;
        body_.statements.push_back(std::move(statement));
    }

    Scanner scan_;
    Body body_;
    std::uint32_t scope_ = 0;
    Location location_;
};

void BodyParser::variable() {
    Variable variable = parse_variable(scan_);
    scan_.expect(';');
    const auto index = std::uint32_t(body_.variables.size());
    body_.scopes[scope_].symbols.insert_or_assign(std::string(variable.name),
                                                  Symbol{Symbol::Kind::kVariable, index, 0});
    body_.variables.push_back(std::move(variable));
}

}  // namespace

Body parse_body(const Function& function) { return BodyParser(function).parse(); }

}  // namespace gpu_sim::ptx
