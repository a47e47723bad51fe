#include "tests/gpu_sim/machine/ptx_text.h"

#include "tests/gpu_sim/machine/ptx_scanner.h"

#include <cstring>

namespace gpu_sim::ptx {

namespace {

Space space_of(std::string_view directive) {
    if (directive == ".shared") return Space::kShared;
    if (directive == ".local") return Space::kLocal;
    if (directive == ".param") return Space::kParam;
    if (directive == ".const") return Space::kConst;
    return Space::kGlobal;
}

bool starts_variable(std::string_view word) {
    return word == ".shared" || word == ".local" || word == ".param" || word == ".const" || word == ".global";
}

// {1, 2, 0f3F800000, other_variable}
void parse_initial(Scanner& scan, Variable& variable, std::uint32_t element) {
    variable.initial.resize(variable.bytes);
    scan.expect('{');
    std::uint64_t at = 0;
    do {
        const std::string text(scan.until(",}"));
        std::uint64_t value = 0;
        if (text.starts_with("0f") || text.starts_with("0d")) {
            value = std::stoull(text.substr(2), nullptr, 16);
        } else if (!text.empty() && (std::isdigit(text[0]) || text[0] == '-')) {
            value = text[0] == '-' ? std::uint64_t(std::stoll(text)) : std::stoull(text, nullptr, 0);
        } else {
            if (element != 8) scan.fail("address '" + text + "' in an initializer of narrow elements");
            variable.addresses.emplace_back(at, scan.slice(scan.position() - text.size(), scan.position()));
        }
        if (at + element > variable.initial.size()) scan.fail("initializer longer than its variable");
        std::memcpy(variable.initial.data() + at, &value, element);
        at += element;
    } while (scan.accept(','));
    scan.expect('}');
}

}  // namespace

Variable parse_variable(Scanner& scan) {
    Variable variable;
    std::uint32_t element = 0;
    while (scan.peek() == '.') {
        const std::string_view word = scan.word();
        if (starts_variable(word)) {
            variable.space = space_of(word);
        } else if (word == ".align") {
            variable.align = std::uint32_t(scan.number());
        } else if (word == ".ptr") {
            // .ptr .global .align 16: a promise about the argument
            while (scan.peek() == '.') {
                if (scan.word() == ".align") scan.number();
            }
        } else if (type_bytes(word.substr(1)) != 0) {
            element = type_bytes(word.substr(1));
        } else if (word != ".visible" && word != ".weak" && word != ".common") {
            scan.fail("unknown word '" + std::string(word) + "' in a declaration");
        }
    }
    if (element == 0) scan.fail("declaration without a type");
    variable.name = scan.word();
    variable.align = std::max(variable.align, element);
    variable.bytes = element;
    while (scan.accept('[')) {
        const std::uint64_t count = scan.peek() == ']' ? 0 : scan.number();
        variable.external = variable.external || count == 0;
        variable.bytes *= count;
        scan.expect(']');
    }
    if (scan.accept('=')) {
        if (scan.peek() == '{') {
            parse_initial(scan, variable, element);
        } else {
            const std::string text(scan.until(";"));
            variable.initial.resize(variable.bytes);
            const std::uint64_t value = text.starts_with("0f") || text.starts_with("0d")
                                            ? std::stoull(text.substr(2), nullptr, 16)
                                            : std::uint64_t(std::stoll(text, nullptr, 0));
            std::memcpy(variable.initial.data(), &value, element);
        }
    }
    return variable;
}

namespace {

std::vector<Variable> parse_parameters(Scanner& scan) {
    std::vector<Variable> parameters;
    if (!scan.accept('(')) return parameters;
    while (!scan.accept(')')) {
        parameters.push_back(parse_variable(scan));
        scan.accept(',');
    }
    return parameters;
}

// From after .entry or .func to the closing brace.
void parse_function(Scanner& scan, bool entry, Text& text) {
    Function function;
    function.entry = entry;
    if (!entry) function.results = parse_parameters(scan);
    function.name = scan.word();
    function.parameters = parse_parameters(scan);
    while (scan.peek() == '.') {
        const std::string_view word = scan.word();
        std::uint64_t product = 1;
        if (word == ".noreturn") continue;
        do product *= scan.number();
        while (scan.accept(','));
        if (word == ".maxntid" || word == ".reqntid") function.max_threads = std::uint32_t(product);
    }
    if (scan.accept(';')) return;  // a declaration; the definition follows
    scan.expect('{');
    scan.peek();
    function.line = scan.line();
    function.text = scan.until("}");
    scan.expect('}');
    const std::string_view name = function.name;
    text.functions.insert_or_assign(name, std::move(function));
}

void parse_file(Scanner& scan, Text& text) {
    const auto number = std::uint32_t(scan.number());
    std::string_view rest = scan.rest_of_line();
    rest.remove_prefix(std::min(rest.find('"') + 1, rest.size()));
    text.files[number] = std::string(rest.substr(0, rest.find('"')));
}

}  // namespace

std::uint32_t type_bytes(std::string_view type) {
    if (type == "pred" || type.size() < 2) return 0;
    if (type == "bf16") return 2;
    if (type == "f16x2" || type == "bf16x2") return 4;
    if (std::string_view("busf").find(type[0]) == std::string_view::npos) return 0;
    const std::string_view digits = type.substr(1);
    if (digits == "8") return 1;
    if (digits == "16") return 2;
    if (digits == "32") return 4;
    if (digits == "64") return 8;
    return 0;
}

const Symbol* Body::find(const std::string& name, std::uint32_t scope) const {
    while (true) {
        const auto found = scopes[scope].symbols.find(name);
        if (found != scopes[scope].symbols.end()) return &found->second;
        if (scope == 0) return nullptr;
        scope = scopes[scope].parent;
    }
}

Text parse(std::string_view ptx) {
    Text text;
    Scanner scan(ptx);
    bool external = false;
    while (!scan.done()) {
        const std::string_view word = scan.peek_word();
        if (starts_variable(word)) {
            Variable variable = parse_variable(scan);
            scan.expect(';');
            if (external && variable.space != Space::kShared) scan.fail("external variable, and nothing to link with");
            text.variables.push_back(std::move(variable));
            external = false;
            continue;
        }
        if (word.empty() || word[0] != '.') scan.fail("expected a directive, found '" + std::string(word) + "'");
        scan.word();
        if (word == ".entry" || word == ".func") {
            parse_function(scan, word == ".entry", text);
            external = false;
        } else if (word == ".extern") {
            external = true;
        } else if (word == ".file") {
            parse_file(scan, text);
        } else if (word == ".pragma") {
            scan.until(";");
            scan.expect(';');
        } else if (word == ".version" || word == ".target") {
            scan.rest_of_line();
        } else if (word == ".address_size") {
            if (scan.number() != 64) scan.fail("only 64-bit addresses are known");
        } else if (word == ".section") {
            scan.until("{");
            scan.expect('{');
            scan.until("}");
            scan.expect('}');
        } else if (word != ".visible" && word != ".weak" && word != ".common") {
            scan.fail("unknown directive '" + std::string(word) + "'");
        }
    }
    return text;
}

}  // namespace gpu_sim::ptx
