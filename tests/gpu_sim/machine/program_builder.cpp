#include "tests/gpu_sim/machine/program_builder.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

namespace {

constexpr std::uint32_t round_up(std::uint64_t n, std::uint64_t to) { return std::uint32_t((n + to - 1) / to * to); }

}  // namespace

ProgramBuilder::ProgramBuilder(const ptx::Text& text, VariableAddress variable_address)
    : text_(text), variable_address_(std::move(variable_address)) {}

std::unique_ptr<Program> ProgramBuilder::build(std::string_view kernel) {
    program_ = std::make_unique<Program>();
    program_->name = kernel;
    program_->files = text_.files;
    frame_of(kernel);
    // Decoding a function may ask for others.
    while (!pending_.empty()) {
        const std::string_view name = pending_.back();
        pending_.pop_back();
        decode(frames_.at(name));
    }
    for (const auto& [call, name] : unresolved_calls_) program_->calls[call].entry = frames_.at(name).first;
    for (auto& segment : program_->shared) program_->static_shared += segment.bytes;
    return std::move(program_);
}

ProgramBuilder::Frame& ProgramBuilder::frame_of(std::string_view name) {
    const auto known = frames_.find(name);
    if (known != frames_.end()) return known->second;
    const auto found = text_.functions.find(name);
    if (found == text_.functions.end()) throw Fault("call of '" + std::string(name) + "', which the module lacks");
    program_->bodies.push_back(std::make_unique<ptx::Body>(ptx::parse_body(found->second)));
    Frame& frame = frames_[name];
    frame.function = &found->second;
    frame.body = program_->bodies.back().get();
    lay_out(frame);
    pending_.push_back(name);
    return frame;
}

void ProgramBuilder::lay_out(Frame& frame) {
    for (const std::uint32_t bytes : frame.body->register_bytes) {
        const std::uint32_t size = bytes == 0 ? 4 : bytes * kWarp;
        const std::uint32_t at = round_up(program_->register_bytes, bytes == 0 ? 4 : 64);
        frame.registers.push_back(at);
        program_->register_bytes = at + size;
    }
    std::uint64_t image = 0;
    for (const ptx::Variable& parameter : frame.function->parameters) {
        if (frame.function->entry) {
            image = round_up(image, parameter.align);
            frame.parameters.push_back(std::uint32_t(image));
            program_->parameters.emplace_back(std::uint32_t(image), std::uint32_t(parameter.bytes));
            image += parameter.bytes;
        } else {
            frame.parameters.push_back(local(parameter.bytes, parameter.align));
        }
    }
    for (const ptx::Variable& result : frame.function->results) {
        frame.results.push_back(local(result.bytes, result.align));
    }
    if (frame.function->entry) {
        program_->parameter_bytes = std::uint32_t(image);
        program_->max_threads = frame.function->max_threads;
    }
    for (const ptx::Variable& variable : frame.body->variables) {
        if (variable.space == ptx::Space::kShared) {
            frame.variables.push_back(shared(variable));
        } else if (variable.space == ptx::Space::kLocal || variable.space == ptx::Space::kParam) {
            frame.variables.push_back(local(variable.bytes, variable.align));
        } else {
            throw Fault("global variable '" + std::string(variable.name) + "' declared within a function");
        }
    }
}

std::uint32_t ProgramBuilder::local(std::uint64_t bytes, std::uint32_t align) {
    const std::uint32_t at = round_up(program_->local_bytes, std::max(align, 8u));
    program_->local_bytes = std::uint32_t(at + bytes);
    return at;
}

std::uint32_t ProgramBuilder::shared(const ptx::Variable& variable) {
    // Every extern array is the same memory.
    if (variable.external) return kDynamicShared;
    const auto known = shared_.find(variable.name);
    if (known != shared_.end()) return known->second;
    const std::uint32_t at = round_up(program_->shared_end + kSharedGap, std::max(variable.align, kSharedGap));
    program_->shared.push_back({at, std::uint32_t(variable.bytes), std::string(variable.name)});
    program_->shared_end = std::uint32_t(at + variable.bytes);
    return shared_[variable.name] = at;
}

void ProgramBuilder::decode(Frame& frame) {
    now_ = &frame;
    frame.first = std::uint32_t(program_->code.size());
    for (const ptx::Statement& statement : frame.body->statements) {
        Instruction in;
        Decoding decoding(*this, statement, in);
        const auto found = decoders().find(decoding.base());
        if (found == decoders().end()) fail(statement, "unknown opcode");
        if (!statement.guard.empty()) {
            in.guard = decoding.predicate(statement.guard);
            if (statement.guard_negated) in.guard.bits ^= Operand::kNegated;
        }
        found->second(decoding);
        decoding.finish();
        program_->code.push_back(in);
        program_->source.push_back(&statement);
        program_->function.push_back(frame.function->name);
    }
}

ProgramBuilder::Place ProgramBuilder::resolve(std::string_view name, std::uint32_t scope) {
    Place place;
    if (const ptx::Symbol* symbol = now_->body->find(std::string(name), scope)) {
        switch (symbol->kind) {
            case ptx::Symbol::Kind::kRegister:
                return {Place::Kind::kRegister, symbol->value, now_->registers[symbol->id], {}};
            case ptx::Symbol::Kind::kLabel:
                return {Place::Kind::kLabel, 0, now_->first + symbol->value, {}};
            case ptx::Symbol::Kind::kVariable: {
                const ptx::Variable& variable = now_->body->variables[symbol->value];
                // A parameter of a call lives in the caller's local memory.
                const bool param = variable.space == ptx::Space::kParam;
                return {Place::Kind::kAddress, 0, now_->variables[symbol->value],
                        param ? ptx::Space::kLocal : variable.space};
            }
        }
    }
    const ptx::Space parameters = in_entry() ? ptx::Space::kParam : ptx::Space::kLocal;
    for (std::size_t i = 0; i < now_->parameters.size(); ++i) {
        if (now_->function->parameters[i].name == name) {
            return {Place::Kind::kAddress, 0, now_->parameters[i], parameters};
        }
    }
    for (std::size_t i = 0; i < now_->results.size(); ++i) {
        if (now_->function->results[i].name == name) {
            return {Place::Kind::kAddress, 0, now_->results[i], ptx::Space::kLocal};
        }
    }
    for (const ptx::Variable& variable : text_.variables) {
        if (variable.name != name) continue;
        if (variable.space == ptx::Space::kShared) {
            return {Place::Kind::kAddress, 0, shared(variable), ptx::Space::kShared};
        }
        return {Place::Kind::kAddress, 0, variable_address_(name), ptx::Space::kGlobal};
    }
    return place;
}

Operand ProgramBuilder::constant(std::uint64_t bits, std::uint32_t bytes) {
    const auto known = constants_.find({bits, bytes});
    if (known != constants_.end()) return known->second;
    const std::uint32_t at = round_up(program_->constants.size(), 64);
    program_->constants.resize(at + bytes * kWarp);
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        std::memcpy(program_->constants.data() + at + lane * bytes, &bits, bytes);
    }
    return constants_[{bits, bytes}] = Operand{at | Operand::kConstant};
}

Operand ProgramBuilder::sink() {
    if (!sink_) {
        sink_.bits = round_up(program_->register_bytes, 64);
        program_->register_bytes = sink_.bits + 8 * kWarp;
    }
    return sink_;
}

std::uint32_t ProgramBuilder::call(std::string_view function, const std::vector<std::string_view>& results,
                                   const std::vector<std::string_view>& arguments, std::uint32_t scope) {
    const Frame& callee = frame_of(function);
    if (callee.parameters.size() != arguments.size() || callee.results.size() != results.size()) {
        throw Fault("call of '" + std::string(function) + "' with other arguments than it declares");
    }
    Call call;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto from = std::uint32_t(resolve(arguments[i], scope).value);
        call.arguments.push_back({from, callee.parameters[i], std::uint32_t(callee.function->parameters[i].bytes)});
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto to = std::uint32_t(resolve(results[i], scope).value);
        call.results.push_back({callee.results[i], to, std::uint32_t(callee.function->results[i].bytes)});
    }
    const auto index = std::uint32_t(program_->calls.size());
    program_->calls.push_back(std::move(call));
    unresolved_calls_.emplace_back(index, function);
    return index;
}

void ProgramBuilder::fail(const ptx::Statement& statement, const std::string& what) const {
    throw Fault(what + ": '" + std::string(statement.text) + "', PTX line " + std::to_string(statement.line) + " in " +
                std::string(now_->function->name));
}

std::unique_ptr<Program> build_program(const ptx::Text& text, std::string_view kernel,
                                       const std::function<std::uint64_t(std::string_view)>& variable_address) {
    return ProgramBuilder(text, variable_address).build(kernel);
}

}  // namespace gpu_sim
