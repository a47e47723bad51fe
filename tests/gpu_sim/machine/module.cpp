#include "tests/gpu_sim/machine/module_state.h"

#include <cstring>

namespace gpu_sim {

namespace {

void place_variables(Module::State& state) {
    for (const ptx::Variable& variable : state.text.variables) {
        if (variable.space == ptx::Space::kShared) continue;
        const std::uint64_t address = state.memory->allocate(variable.bytes);
        if (address == 0) throw Fault("no memory for variable " + std::string(variable.name));
        std::byte* bytes = state.memory->access(address, variable.bytes);
        std::memset(bytes, 0, variable.bytes);
        std::memcpy(bytes, variable.initial.data(), variable.initial.size());
        state.memory->mark_written(address, variable.bytes);
        state.variables[variable.name] = address;
    }
    // Pointers among the initial values, now that all addresses are known.
    for (const ptx::Variable& variable : state.text.variables) {
        for (const auto& [offset, name] : variable.addresses) {
            const auto found = state.variables.find(name);
            if (found == state.variables.end()) throw Fault("address of unknown variable " + std::string(name));
            std::memcpy(state.memory->access(state.variables.at(variable.name) + offset, 8), &found->second, 8);
        }
    }
}

}  // namespace

Module::Module(std::string_view ptx, DeviceMemory& memory) : state_(std::make_unique<State>()) {
    state_->ptx = ptx;
    state_->memory = &memory;
    // Some carry the terminating zero along.
    while (!state_->ptx.empty() && state_->ptx.back() == '\0') state_->ptx.pop_back();
    state_->text = ptx::parse(state_->ptx);
    place_variables(*state_);
}

Module::~Module() = default;
Module::Module(Module&&) noexcept = default;
Module& Module::operator=(Module&&) noexcept = default;

Module::State::Kernel& Module::State::kernel(const std::string& name) {
    const auto known = kernels.find(name);
    if (known != kernels.end()) return known->second;
    Kernel kernel;
    kernel.program = build_program(text, text.functions.find(name)->first, [this](std::string_view variable) {
        const auto found = variables.find(variable);
        if (found == variables.end()) throw Fault("unknown variable " + std::string(variable));
        return found->second;
    });
    const Program& program = *kernel.program;
    kernel.info = {.name = name,
                   .parameters = {},
                   .parameter_bytes = program.parameter_bytes,
                   .static_shared = program.static_shared,
                   .max_threads = program.max_threads,
                   .local_bytes = program.local_bytes};
    for (const auto& [offset, bytes] : program.parameters) kernel.info.parameters.push_back({offset, bytes});
    return kernels[name] = std::move(kernel);
}

const Module::KernelInfo* Module::find(std::string_view mangled) const {
    const auto found = state_->text.functions.find(mangled);
    if (found == state_->text.functions.end() || !found->second.entry) return nullptr;
    return &state_->kernel(std::string(mangled)).info;
}

std::vector<std::string> Module::kernels() const {
    std::vector<std::string> names;
    for (const auto& [name, function] : state_->text.functions) {
        if (function.entry) names.emplace_back(name);
    }
    return names;
}

std::uint64_t Module::variable(std::string_view name) const {
    const auto found = state_->variables.find(name);
    return found == state_->variables.end() ? 0 : found->second;
}

}  // namespace gpu_sim
