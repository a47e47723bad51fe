#include "tests/gpu_sim/machine/decoding.h"

#include "tests/gpu_sim/machine/program_builder.h"
#include "tests/gpu_sim/machine/ptx_scanner.h"

#include <bit>
#include <utility>

namespace gpu_sim {

namespace {

constexpr std::pair<std::string_view, Type> kTypes[] = {
    {"b8", Type::b8},   {"b16", Type::b16},   {"b32", Type::b32},     {"b64", Type::b64},       {"u8", Type::u8},
    {"u16", Type::u16}, {"u32", Type::u32},   {"u64", Type::u64},     {"s8", Type::s8},         {"s16", Type::s16},
    {"s32", Type::s32}, {"s64", Type::s64},   {"f16", Type::f16},     {"bf16", Type::bf16},     {"f32", Type::f32},
    {"f64", Type::f64}, {"tf32", Type::tf32}, {"f16x2", Type::f16x2}, {"bf16x2", Type::bf16x2}, {"pred", Type::pred},
};

const Type* find_type(std::string_view word) {
    for (const auto& [name, type] : kTypes) {
        if (name == word) return &type;
    }
    return nullptr;
}

bool is_number(std::string_view text) {
    return !text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) || text[0] == '-');
}

// 12, -12, 0xff, 12U, 0f3F800000 (bits of a float), 0d3FF0000000000000
std::uint64_t parse_number(std::string_view text, Type type) {
    const std::string digits(text);
    if (digits.starts_with("0f") || digits.starts_with("0F")) {
        const auto bits = std::uint32_t(std::stoull(digits.substr(2), nullptr, 16));
        return type == Type::f64 ? std::bit_cast<std::uint64_t>(double(std::bit_cast<float>(bits))) : bits;
    }
    if (digits.starts_with("0d") || digits.starts_with("0D")) {
        const std::uint64_t bits = std::stoull(digits.substr(2), nullptr, 16);
        return type == Type::f32 ? std::bit_cast<std::uint32_t>(float(std::bit_cast<double>(bits))) : bits;
    }
    if (type == Type::f32 || type == Type::f64) {
        const double value = std::stod(digits);
        return type == Type::f64 ? std::bit_cast<std::uint64_t>(value) : std::bit_cast<std::uint32_t>(float(value));
    }
    return digits[0] == '-' ? std::uint64_t(std::stoll(digits, nullptr, 0)) : std::stoull(digits, nullptr, 0);
}

}  // namespace

std::uint32_t bytes_of(Type type) {
    switch (type) {
        case Type::pred:
            return 0;
        case Type::b8:
        case Type::u8:
        case Type::s8:
            return 1;
        case Type::b16:
        case Type::u16:
        case Type::s16:
        case Type::f16:
        case Type::bf16:
            return 2;
        case Type::b64:
        case Type::u64:
        case Type::s64:
        case Type::f64:
            return 8;
        default:
            return 4;
    }
}

bool is_signed(Type type) { return type == Type::s8 || type == Type::s16 || type == Type::s32 || type == Type::s64; }

bool is_float(Type type) { return type >= Type::f16 && type <= Type::tf32; }

Decoding::Decoding(ProgramBuilder& builder, const ptx::Statement& statement, Instruction& instruction)
    : in(instruction), builder_(builder), statement_(statement) {
    std::string_view rest = statement.opcode;
    base_ = rest.substr(0, rest.find('.'));
    rest.remove_prefix(base_.size());
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::string_view word = rest.substr(0, rest.find('.'));
        rest.remove_prefix(word.size());
        modifiers_.push_back(word);
    }
}

bool Decoding::take(std::string_view modifier) {
    for (auto it = modifiers_.begin(); it != modifiers_.end(); ++it) {
        if (*it != modifier) continue;
        modifiers_.erase(it);
        return true;
    }
    return false;
}

std::string_view Decoding::take_any(std::initializer_list<std::string_view> modifiers) {
    for (const std::string_view modifier : modifiers) {
        if (take(modifier)) return modifier;
    }
    return {};
}

bool Decoding::has_type() const {
    for (const std::string_view word : modifiers_) {
        if (find_type(word)) return true;
    }
    return false;
}

Type Decoding::take_type() {
    for (auto it = modifiers_.rbegin(); it != modifiers_.rend(); ++it) {
        if (const Type* type = find_type(*it)) {
            modifiers_.erase(std::next(it).base());
            return *type;
        }
    }
    fail("an opcode without the type that was expected");
}

void Decoding::finish() const {
    if (!modifiers_.empty()) fail("unknown modifier '." + std::string(modifiers_.front()) + "'");
    if (!in.run) fail("unknown form of an opcode");
}

std::string_view Decoding::text(std::size_t i) const {
    if (i >= statement_.operands.size()) fail("an operand is missing");
    return statement_.operands[i];
}

Operand Decoding::constant(std::uint64_t bits, std::uint32_t bytes) { return builder_.constant(bits, bytes); }

Operand Decoding::sink() { return builder_.sink(); }

Operand Decoding::value(std::string_view text, Type type) {
    if (type == Type::pred) return predicate(text);
    if (text == "_") return sink();
    const std::uint32_t bytes = std::max(bytes_of(type), 2u);
    if (is_number(text)) return constant(parse_number(text, type), bytes);
    if (text == "WARP_SZ") return constant(kWarp, bytes);
    const ProgramBuilder::Place place = builder_.resolve(text, statement_.scope);
    switch (place.kind) {
        case ProgramBuilder::Place::Kind::kRegister:
            if (place.bytes < bytes) fail("register '" + std::string(text) + "' is too narrow");
            // Lanes of a wider register would be read at the wrong stride.
            if (place.bytes != bytes) fail("register '" + std::string(text) + "' is wider than the instruction");
            return Operand{std::uint32_t(place.value)};
        case ProgramBuilder::Place::Kind::kAddress:
            return constant(place.value, bytes);
        default:
            fail("unknown operand '" + std::string(text) + "'");
    }
}

Operand Decoding::predicate(std::string_view text) {
    if (text == "_") return sink();
    if (is_number(text)) return constant(parse_number(text, Type::s32) ? ~0ull : 0, 4);
    const bool negated = text.starts_with('!');
    if (negated) text = ptx::Scanner::trimmed(text.substr(1));
    const ProgramBuilder::Place place = builder_.resolve(text, statement_.scope);
    if (place.kind != ProgramBuilder::Place::Kind::kRegister || place.bytes != 0) {
        fail("'" + std::string(text) + "' is no predicate");
    }
    return Operand{std::uint32_t(place.value) | (negated ? Operand::kNegated : 0)};
}

std::vector<std::string_view> Decoding::elements(std::size_t i) const {
    std::string_view rest = text(i);
    if (!rest.starts_with('{')) return {rest};
    rest = rest.substr(1, rest.size() - 2);
    std::vector<std::string_view> found;
    while (true) {
        const std::size_t comma = rest.find(',');
        found.push_back(ptx::Scanner::trimmed(rest.substr(0, comma)));
        if (comma == rest.npos) return found;
        rest.remove_prefix(comma + 1);
    }
}

std::pair<std::string_view, std::string_view> Decoding::halves(std::size_t i) const {
    const std::string_view whole = text(i);
    const std::size_t bar = whole.find('|');
    if (bar == whole.npos) return {whole, {}};
    return {ptx::Scanner::trimmed(whole.substr(0, bar)), ptx::Scanner::trimmed(whole.substr(bar + 1))};
}

std::uint32_t Decoding::register_bytes(std::string_view text) const {
    const ProgramBuilder::Place place = builder_.resolve(text, statement_.scope);
    return place.kind == ProgramBuilder::Place::Kind::kRegister ? place.bytes : 0;
}

Decoding::Address Decoding::address(std::size_t i) {
    std::string_view inner = text(i);
    if (!inner.starts_with('[')) fail("expected an address in brackets");
    inner = ptx::Scanner::trimmed(inner.substr(1, inner.size() - 2));
    Address address;
    const std::size_t plus = inner.find('+');
    if (plus != inner.npos) {
        address.offset = std::int64_t(parse_number(ptx::Scanner::trimmed(inner.substr(plus + 1)), Type::s64));
        inner = ptx::Scanner::trimmed(inner.substr(0, plus));
    }
    if (is_number(inner)) {
        address.constant = true;
        address.offset += std::int64_t(parse_number(inner, Type::u64));
        return address;
    }
    const ProgramBuilder::Place place = builder_.resolve(inner, statement_.scope);
    if (place.kind == ProgramBuilder::Place::Kind::kAddress) {
        address.constant = true;
        address.offset += std::int64_t(place.value);
        address.local = place.space == ptx::Space::kLocal;
    } else if (place.kind == ProgramBuilder::Place::Kind::kRegister && place.bytes >= 4) {
        address.wide = place.bytes == 8;
        address.base = Operand{std::uint32_t(place.value)};
    } else {
        fail("unknown address");
    }
    return address;
}

std::int64_t Decoding::number(std::size_t i) const {
    if (!is_number(text(i))) fail("operand " + std::to_string(i + 1) + " must be a number");
    return std::int64_t(parse_number(text(i), Type::s64));
}

std::uint32_t Decoding::label(std::string_view name) const {
    const ProgramBuilder::Place place = builder_.resolve(name, statement_.scope);
    if (place.kind != ProgramBuilder::Place::Kind::kLabel) fail("unknown label '" + std::string(name) + "'");
    return std::uint32_t(place.value);
}

// (results), function, (arguments)   where results may be missing
std::uint32_t Decoding::call(std::size_t first) {
    const auto names = [&](std::size_t i) {
        std::vector<std::string_view> found;
        std::string_view list = text(i);
        list = ptx::Scanner::trimmed(list.substr(1, list.size() - 2));
        while (!list.empty()) {
            const std::size_t comma = std::min(list.find(','), list.size());
            found.push_back(ptx::Scanner::trimmed(list.substr(0, comma)));
            list.remove_prefix(std::min(comma + 1, list.size()));
        }
        return found;
    };
    std::vector<std::string_view> results, arguments;
    if (text(first).starts_with('(')) results = names(first++);
    const std::string_view function = text(first++);
    if (function.starts_with('%')) fail("calls through pointers are not known");
    if (has_operand(first)) arguments = names(first);
    return builder_.call(function, results, arguments, statement_.scope);
}

void Decoding::fail(const std::string& what) const { builder_.fail(statement_, what); }

const DecoderTable& decoders() {
    static const DecoderTable table = [] {
        DecoderTable t;
        for (const auto add : {add_arithmetic, add_floating, add_bits, add_comparisons, add_conversions, add_moves,
                               add_control, add_warp, add_memory, add_atomics, add_async, add_matrix}) {
            add(t);
        }
        return t;
    }();
    return table;
}

}  // namespace gpu_sim
