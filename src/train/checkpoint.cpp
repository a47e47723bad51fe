#include "train/checkpoint.h"

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/safetensors.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <utility>

namespace steepest {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "step_", kTemporary = ".tmp", kReplaced = ".replaced";
constexpr const char *kWeights = "weights.safetensors", *kOptimizer = "optimizer.safetensors", *kState = "state.json";

// Names, types and shapes, whatever their order.
std::uint64_t fingerprint(Tensors tensors) {
    std::map<std::string, std::string> sorted;
    for (const NamedTensor& t : tensors)
        sorted[t.name] = std::string(name_of(t.tensor.dtype)) + to_string(t.tensor.shape);
    Hash64 hash;
    for (const auto& [name, kind] : sorted) hash.update(hash64(name)).update(hash64(kind));
    return hash.digest();
}

Safetensors open_intact(const std::string& path, std::uint64_t expected) {
    Safetensors file(path);
    if (const std::uint64_t actual = file.checksum(); actual != expected)
        throw InputError(path + ": checksum is " + to_hex(actual) + "; expected " + to_hex(expected));
    return file;
}

std::string kind(const ConstTensor& t) { return std::string(name_of(t.dtype)) + " " + to_string(t.shape); }

// Refuses a file that holds other tensors than the run has, and names the first. `what` is model or optimizer.
void check_same(const Safetensors& file, Tensors wanted, const std::string& what) {
    const std::string prefix = file.path() + ": is of another " + what + ": ";
    std::map<std::string_view, bool> known;
    for (const NamedTensor& t : wanted) {
        known[t.name] = true;
        const ConstTensor* found = file.find(t.name);
        const std::string expected = "; expected " + kind(t.tensor);
        if (!found) throw InputError(prefix + "tensor \"" + t.name + "\" is missing" + expected);
        if (found->dtype != t.tensor.dtype || found->shape != t.tensor.shape)
            throw InputError(prefix + "tensor \"" + t.name + "\" is " + kind(*found) + expected);
    }
    for (const auto& [name, tensor] : file.tensors())
        if (!known.contains(name))
            throw InputError(prefix + "tensor \"" + name + "\", " + kind(tensor) + ", is unknown to this run's " +
                             what);
}

std::vector<TensorSource> sources(Tensors tensors, Device device) {
    std::vector<TensorSource> list;
    for (const NamedTensor& t : tensors) list.push_back(from_device(t.name, t.tensor, device));
    return list;
}

void fill(Device device, const Safetensors& file, Tensors tensors) {
    for (const NamedTensor& t : tensors)
        copy_to_device(device, t.tensor.data, file.find(t.name)->data, t.tensor.bytes());
}

// The step that a folder's name stands for: "step_000500", or "step_000500.replaced" while a newer one takes its place.
std::optional<std::int64_t> step_of(std::string_view name) {
    if (!name.starts_with(kPrefix)) return std::nullopt;
    name.remove_prefix(kPrefix.size());
    if (name.ends_with(kReplaced)) name.remove_suffix(kReplaced.size());
    std::int64_t step = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
    if (error != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
    return step;
}

[[noreturn]] void fail(const std::string& path, const std::string& what, const std::error_code& error) {
    throw StorageError(path + ": " + what + ": " + error.message());
}

void make_folder(const std::string& path) {
    std::error_code error;
    if (!fs::create_directory(path, error) && error) fail(path, "cannot make the folder", error);
}

void remove_folder(const std::string& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) fail(path, "cannot remove", error);
}

// Puts `from` in the place of `to`. Whenever this is cut short, one of the two is there under a name that is looked at.
void replace_folder(const std::string& from, const std::string& to) {
    const std::string aside = to + std::string(kReplaced);
    std::error_code ignored;
    if (!fs::exists(to, ignored)) {
        rename_durably(from, to);
    } else {
        remove_folder(aside);
        rename_durably(to, aside);
        try {
            rename_durably(from, to);
        } catch (const StorageError&) {
            fs::rename(aside, to, ignored);
            throw;
        }
    }
    fs::remove_all(aside, ignored);
}

// What a kill left behind half-written or half-removed.
void remove_leftovers(const std::string& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
        if (const std::string name = entry.path().filename().string();
            name.starts_with(kPrefix) && name.ends_with(kTemporary))
            remove_folder(entry.path().string());
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
    char name[40];
    std::snprintf(name, sizeof name, "step_%06lld", static_cast<long long>(step));
    return name;
}

namespace {

// A checkpoint that was read and whose every checksum is right.
struct Intact {
    CheckpointRecord record;
    Safetensors weights;
    std::optional<Safetensors> optimizer;
};

Intact open_checkpoint(const std::string& path, bool with_optimizer) {
    const CheckpointRecord record = read_record(path + "/" + kState);
    Intact intact{record, open_intact(path + "/" + kWeights, record.weights_checksum), std::nullopt};
    if (with_optimizer) intact.optimizer = open_intact(path + "/" + kOptimizer, record.optimizer_checksum);
    return intact;
}

}  // namespace

Checkpoints::Checkpoints(std::string folder, Device device, int keep, spdlog::logger& logger)
    : folder_(std::move(folder)), device_(device), keep_(keep), logger_(&logger) {}

std::string Checkpoints::save(const RunState& state, Tensors weights, Tensors optimizer) {
    const std::string path = folder_ + "/" + checkpoint_name(state.step), temporary = path + std::string(kTemporary);
    try {
        std::error_code ignored;
        if (!fs::exists(folder_, ignored)) {
            make_folder(folder_);
            const std::string parent = fs::path(folder_).parent_path().string();
            sync_folder(parent.empty() ? "." : parent);
        }
        remove_leftovers(folder_);
        make_folder(temporary);
        CheckpointRecord record{
            .run = state, .model_fingerprint = fingerprint(weights), .optimizer_fingerprint = fingerprint(optimizer)};
        const Metadata metadata{{"format", "pt"}, {"step", std::to_string(state.step)}};
        record.weights_checksum = write_safetensors(temporary + "/" + kWeights, sources(weights, device_), metadata);
        record.optimizer_checksum =
            write_safetensors(temporary + "/" + kOptimizer, sources(optimizer, device_), metadata);
        write_record(temporary + "/" + kState, record);
        replace_folder(temporary, path);
    } catch (const StorageError& error) {
        std::error_code ignored;
        fs::remove_all(temporary, ignored);
        const std::vector<std::string> left = list();
        throw StorageError(std::string(error.what()) + "; the checkpoint of step " + std::to_string(state.step) +
                           " was not written" + (left.empty() ? "" : "; the last one is " + left.front()));
    } catch (...) {
        std::error_code ignored;
        fs::remove_all(temporary, ignored);
        throw;
    }
    remove_old(state.step);
    return path;
}

void Checkpoints::remove_old(std::int64_t newest_step) {
    if (keep_ <= 0) return;
    std::vector<std::string> paths = list();
    // Newer ones can only be damaged ones that a resume stepped over; they must not push good ones out.
    std::erase_if(paths, [&](const std::string& p) { return *step_of(fs::path(p).filename().string()) > newest_step; });
    while (paths.size() > static_cast<std::size_t>(keep_)) {
        // Renamed first: a removal that is cut short must not look like a checkpoint.
        const std::string removed = paths.back() + std::string(kTemporary);
        std::error_code error;
        fs::rename(paths.back(), removed, error);
        if (!error) fs::remove_all(removed, error);
        if (error) logger_->warn("{}: cannot remove the old checkpoint: {}", paths.back(), error.message());
        paths.pop_back();
    }
}

std::vector<std::string> Checkpoints::list() const {
    std::vector<std::pair<std::int64_t, std::string>> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error))
        if (const auto step = step_of(entry.path().filename().string()))
            found.emplace_back(*step, entry.path().string());
    if (error && error != std::errc::no_such_file_or_directory)
        throw InputError(folder_ + ": cannot list the checkpoints: " + error.message());
    // The longer name of the same step is the one that was being replaced.
    std::ranges::sort(found, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second.size() < b.second.size();
    });
    std::vector<std::string> paths;
    for (auto& [step, path] : found) paths.push_back(std::move(path));
    return paths;
}

namespace {

// Looks at everything first, so that a refusal leaves the tensors as they were.
RunState take(const Intact& intact, Device device, Tensors weights, std::optional<Tensors> optimizer) {
    check_same(intact.weights, weights, "model");
    if (optimizer) check_same(*intact.optimizer, *optimizer, "optimizer");
    fill(device, intact.weights, weights);
    if (optimizer) fill(device, *intact.optimizer, *optimizer);
    return intact.record.run;
}

}  // namespace

std::optional<RunState> Checkpoints::latest(Tensors weights, std::optional<Tensors> optimizer) {
    std::string damaged;
    for (const std::string& path : list()) {
        std::optional<Intact> intact;
        try {
            intact = open_checkpoint(path, optimizer.has_value());
        } catch (const InputError& error) {
            damaged += "\n  " + std::string(error.what());
            logger_->warn("checkpoint {} is damaged, trying the one before: {}", fs::path(path).filename().string(),
                          error.what());
            continue;
        }
        return take(*intact, device_, weights, optimizer);
    }
    if (!damaged.empty()) throw InputError(folder_ + ": no checkpoint is intact:" + damaged);
    return std::nullopt;
}

std::optional<RunState> Checkpoints::load_latest(Tensors weights, Tensors optimizer) {
    return latest(weights, optimizer);
}
std::optional<RunState> Checkpoints::load_latest_weights(Tensors weights) { return latest(weights, std::nullopt); }

RunState Checkpoints::load(const std::string& path, Tensors weights, Tensors optimizer) {
    return take(open_checkpoint(path, true), device_, weights, optimizer);
}
RunState Checkpoints::load_weights(const std::string& path, Tensors weights) {
    return take(open_checkpoint(path, false), device_, weights, std::nullopt);
}

}  // namespace steepest
