#include "train/trainer.h"

#include "core/build_config.h"
#include "core/clock.h"
#include "core/config_writer.h"
#include "core/device_peaks.h"
#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/library_choices.h"
#include "data/byte_text.h"
#include "train/measured_peak.h"
#include "train/sampler.h"

#include <cmath>
#include <ctime>
#include <deque>
#include <filesystem>

namespace steepest {

namespace {

std::string utc() {
    const std::time_t t = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&t, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

// What decides the numbers of a run, and so must be the same when it goes on. Steps may change: a run can be extended.
Json identity(Json config) {
    Json kept = Json::object();
    for (const char* key : {"model", "optimizer", "data", "batch", "micro_batch", "seed", "seeds", "precision",
                            "max_gradient_norm", "second_gradient"})
        if (config.contains(key)) kept[key] = std::move(config[key]);
    // Where the files lie does not matter; what is in them does, and their fingerprints say that.
    if (kept.contains("data") && kept["data"].is_object())
        for (const char* place : {"train", "validation"}) kept["data"].erase(place);
    // A preset that is described in other words is the same preset.
    for (const char* part : {"model", "optimizer"})
        if (kept.contains(part) && kept[part].is_object())
            for (const char* prose : {"name", "description", "paper", "evidence"}) kept[part].erase(prose);
    if (config.contains("problem") && !config["problem"].is_null()) kept["problem"] = std::move(config["problem"]);
    // It adds to the state, so that a run goes on with the lines it began with.
    if (config.contains("diagnostics") && config["diagnostics"].value("every", 0) > 0)
        kept["diagnostics"] = std::move(config["diagnostics"]);
    return kept;
}

}  // namespace

Trainer::Trainer(const RunConfig& config, Communicator& comm) : config_(config), stepper_(config, comm) {}

std::string Trainer::fingerprint() const {
    return to_hex(hash64(identity(write_config(config_)).dump() + to_hex(stepper_.training_data().fingerprint())));
}

void Trainer::tick() {
    const double t = monotonic_seconds();
    state_.wall_seconds += t - last_tick_;
    last_tick_ = t;
}

// Totals that a line carries, so that curves can be drawn against any of them.
Json Trainer::counters() const {
    return {{"tokens", state_.tokens},
            {"gradients", state_.gradients},
            {"model_flops", state_.model_flops},
            {"optimizer_flops", state_.optimizer_flops}};
}

Json Trainer::clock() const { return {{"train_s", state_.train_seconds}, {"wall_s", state_.wall_seconds}}; }

void Trainer::run(Device device, const std::string& device_name, RunDirectory& directory, Console& console,
                  std::int64_t stop_at) {
    const InterruptGuard interrupt;
    stop_at_ = stop_at;
    last_tick_ = monotonic_seconds();
    find_peaks(device, device_name, console);
    stepper_.allocate(device);
    Checkpoints checkpoints(directory.checkpoints_path(), device, config_.checkpoint.keep, console.logger());
    if (!directory.resumed() || !resume(directory, checkpoints, console)) start(device_name, directory, console);
    note_peaks(directory);

    console.start(config_.total_steps(), {.step = state_.step,
                                          .tokens = state_.tokens,
                                          .train_seconds = state_.train_seconds,
                                          .wall_seconds = state_.wall_seconds});
    if (state_.step == 0 && config_.evaluation.every > 0) evaluate(console);
    bool stop = at_stop();
    while (!last() && !stop) {
        train_steps(interrupt, console);
        note_library_choices(directory);
        if (const std::string why = divergence(); !why.empty()) {
            end("diverged");
            console.finish();
            throw DivergedError("diverged: " + why + ", the last at step " + std::to_string(state_.step));
        }
        if (config_.evaluation.every > 0 && (due(config_.evaluation.every) || last())) evaluate(console);
        if (due(config_.sampling.every)) sample(console);
        // Asked once: a signal that comes while a checkpoint is being decided on must not end the run without one.
        const bool scheduled = due(config_.checkpoint.every) || last();
        stop = at_stop() || (interrupt.requested() && !last());
        if (scheduled || stop) checkpoint(checkpoints, scheduled);
    }
    end(stop ? "interrupted" : "done");
    console.finish();
    if (stop)
        throw InterruptedError((at_stop() ? "stopped" : "interrupted") + (" at step " + std::to_string(state_.step)) +
                               "; go on with --resume");
}

void Trainer::find_peaks(Device device, const std::string& device_name, Console& console) {
    const std::string& compute = config_.precision.compute;
    if (const auto peaks = device_peaks(device_name))
        peak_flops_ = compute == "bf16" ? peaks->bf16_flops : compute == "tf32" ? peaks->tf32_flops : peaks->f32_flops;
    if (config_.measure_peak == 0) return;
    measured_peak_ = measured_peak_flops(device, config_.precision.dtype(), config_.measure_peak);
    console.logger().info("{} products of {} x {} reach {:.4g} Tflop/s", compute, config_.measure_peak,
                          config_.measure_peak, measured_peak_ * 1e-12);
}

std::string Trainer::divergence() const {
    if (state_.consecutive_bad_steps >= config_.max_bad_steps)
        return std::to_string(state_.consecutive_bad_steps) + " consecutive steps without finite loss and gradients";
    if (state_.consecutive_lost_steps >= config_.divergence.steps)
        return std::to_string(state_.consecutive_lost_steps) + " consecutive steps with a loss above `divergence`'s";
    return "";
}

void Trainer::start(const std::string& device_name, RunDirectory& directory, Console& console) {
    ParameterStore& parameters = stepper_.runner().parameters();
    parameters.initialize(config_.init_seed());
    const std::string init = to_hex(parameters.hash());

    directory.write_config(write_config(config_));
    const Task& task = stepper_.runner().task();
    Json data = {{"train", stepper_.training_data().manifest()}};
    if (Json validation = task.validation_manifest(); !validation.is_null()) data["validation"] = validation;
    manifest_ = {{"run", directory.name()},
                 {"started", utc()},
                 {"version", kVersion},
                 {"commit", kCommit},
                 {"build", kBuildType},
                 {"compiler", kCompiler},
                 {"device", device_name},
                 {"data", data},
                 {"init", init},
                 {"fingerprint", fingerprint()},
                 {"library_choices", library_choices(stepper_.runner().device())}};
    directory.write_manifest(manifest_);
    open_log(directory, 0);
    state_ = {.config_fingerprint = fingerprint()};
    tick();
    log_->write({{"kind", "start"},
                 {"step", 0},
                 {"run", directory.name()},
                 {"model", task.name()},
                 {"optimizer", config_.optimizer.name},
                 {"parameters", parameters.count()},
                 {"steps", config_.total_steps()},
                 {"tokens_per_step", config_.tokens_per_step()},
                 {"seed", config_.seed},
                 {"optimizer_state_bytes", stepper_.state_bytes()},
                 {"data", to_hex(stepper_.training_data().fingerprint())},
                 {"init", init},
                 {"time", {{"at", utc()}}}});
    console.logger().info("{}: {} parameters, {} steps of {} tokens", directory.path(), parameters.count(),
                          config_.total_steps(), config_.tokens_per_step());
    console.logger().info("{}", stepper_.training_data().describe());
}

void Trainer::check_same_run(const RunDirectory& directory) const {
    const nlohmann::json old = identity(parse_json(read_file(directory.config_path()), directory.config_path()));
    const nlohmann::json mine = identity(write_config(config_));
    const auto say = [](const nlohmann::json& json, const nlohmann::json::json_pointer& at) {
        return json.contains(at) ? brief(Json(json[at])) : "not there";
    };
    std::string differing;
    for (const auto& change : nlohmann::json::diff(old, mine)) {
        const auto path = change.at("path").get<std::string>();
        const nlohmann::json::json_pointer at(path);
        differing += "\n  " + path + ": " + say(old, at) + " in the run, " + say(mine, at) + " in the config";
    }
    if (!differing.empty())
        throw InputError("cannot resume " + directory.path() + ": the config is not the run's own" + differing);
}

bool Trainer::resume(RunDirectory& directory, Checkpoints& checkpoints, Console& console) {
    // The config first: a changed learning rate is a better message than a changed fingerprint.
    if (std::filesystem::exists(directory.config_path())) check_same_run(directory);
    const auto state = checkpoints.load_latest(stepper_.named_weights(0), stepper_.named_state());
    if (!state) return false;
    if (state->config_fingerprint != fingerprint())
        throw InputError("cannot resume " + directory.path() + ": the training data are not the run's own (" +
                         stepper_.training_data().describe() + ")");
    if (state->step > config_.total_steps())
        throw InputError("cannot resume " + directory.path() + ": it is at step " + std::to_string(state->step) +
                         ", past the config's " + std::to_string(config_.total_steps()));
    state_ = *state;
    manifest_ = parse_json(read_file(directory.manifest_path()), directory.manifest_path());
    if (const std::string why = restore_library_choices(stepper_.runner().device(), state_.library_choices);
        !why.empty())
        console.logger().warn("products may be rounded otherwise than before: {}", why);
    stepper_.runner().parameters().refresh_copies();
    directory.write_config(write_config(config_));
    open_log(directory, state_.log_offset);
    // The line that follows a scheduled checkpoint lies past the offset the checkpoint holds.
    if (due(config_.checkpoint.every) || last()) log_checkpoint(0);
    log_->write({{"kind", "resume"}, {"step", state_.step}, {"time", {{"at", utc()}}}});
    console.logger().info("{}: goes on after step {}", directory.path(), state_.step);
    return true;
}

void Trainer::open_log(const RunDirectory& directory, std::int64_t offset) {
    log_ = std::make_unique<RunLog>(directory.log_path(), offset);
    std::filesystem::remove(directory.events_path());
    if (config_.log.tensorboard) {
        events_ = std::make_unique<EventFile>(directory.events_path());
        events_->add_log(directory.log_path());
        log_->watch([this](const Json& line) { events_->add(line); });
    }
    if (watcher_) log_->watch(watcher_);
}

void Trainer::train_steps(const InterruptGuard& interrupt, Console& console) {
    std::deque<std::uint64_t> under_way;  // the data's hash after each step that was started and not finished
    const auto one_more = [&] {
        if (under_way.empty()) return true;
        return std::ssize(under_way) < stepper_.most_under_way() && !interrupt.requested() &&
               !pauses_after(state_.step + std::ssize(under_way));
    };
    do {
        while (one_more()) {
            TokenStreamHash hash(under_way.empty() ? state_.data_hash : under_way.back());
            stepper_.start(state_.step + std::ssize(under_way) + 1, hash);
            under_way.push_back(hash.state());
        }
        const StepReport report = stepper_.finish();
        record(report, under_way.front(), console);
        // Steps behind a bad one are started again; those behind the last one are nobody's.
        report.ok() ? under_way.pop_front() : under_way.clear();
        if (!divergence().empty())
            for (; !under_way.empty(); under_way.pop_front()) stepper_.finish();
    } while (!under_way.empty());
}

void Trainer::record(const StepReport& report, std::uint64_t data_hash, Console& console) {
    const StepReading& reading = report.reading;
    const bool ok = report.ok();
    const std::int64_t step = state_.step + 1;
    tick();
    state_.step = step;
    state_.data_hash = data_hash;
    state_.tokens += config_.tokens_per_step();
    state_.gradients += stepper_.oracle().gradients_per_step();
    state_.model_flops += stepper_.model_flops();
    state_.optimizer_flops += stepper_.optimizer_flops();
    state_.train_seconds += report.seconds;
    state_.bad_steps += !ok;
    state_.consecutive_bad_steps = ok ? 0 : state_.consecutive_bad_steps + 1;
    if (ok) {
        if (!state_.first_loss) state_.first_loss = reading.loss;
        const bool lost = config_.divergence.lost(step, reading.loss, *state_.first_loss);
        state_.consecutive_lost_steps = lost ? state_.consecutive_lost_steps + 1 : 0;
    }

    Json line = {{"kind", "train"}, {"step", step}};
    line.update(counters());
    line["loss"] = json_number(reading.loss);
    line["grad_norm"] = json_number(reading.norm);
    line["clip"] = json_number(reading.factor);
    Json& rates = line["lr"] = Json::object();
    for (const auto& [group, rate] : report.learning_rates) rates[group] = json_number(static_cast<float>(rate));
    line["data_hash"] = to_hex(state_.data_hash);
    if (!ok) {
        line["skipped"] = true;
        line["culprit"] = stepper_.find_culprit(step);
        console.logger().warn("step {} changed nothing: {}", step, line["culprit"].get<std::string>());
    }
    line["time"] = {{"step_ms", report.seconds * 1e3},
                    {"optimizer_ms", json_number(static_cast<float>(report.optimizer_seconds * 1e3))},
                    {"tokens_per_s", static_cast<double>(config_.tokens_per_step()) / report.seconds},
                    {"gflop_per_s", (stepper_.model_flops() + stepper_.optimizer_flops()) / report.seconds * 1e-9},
                    {"model_flops_utilization",
                     peak_flops_ > 0 ? Json(stepper_.model_flops() / report.seconds / peak_flops_) : Json()}};
    if (measured_peak_ > 0)
        line["time"]["measured_peak_utilization"] = stepper_.model_flops() / report.seconds / measured_peak_;
    line["time"].update(clock());
    log_->write(line);
    console.progress({.step = step,
                      .tokens = state_.tokens,
                      .loss = reading.loss,
                      .train_seconds = state_.train_seconds,
                      .wall_seconds = state_.wall_seconds});
    if (ok && stepper_.measures(step)) diagnose();
}

void Trainer::diagnose() {
    Json groups = Json::object();
    for (const GroupDiagnosis& d : stepper_.diagnoses())
        for (const auto& [name, value] : d.values) groups[d.group][name] = json_number(static_cast<float>(value));
    tick();
    log_->write({{"kind", "diagnostics"}, {"step", state_.step}, {"groups", groups}, {"time", clock()}});
}

void Trainer::evaluate(Console& console) {
    const double start = monotonic_seconds();
    const Evaluation found = stepper_.runner().task().evaluate(stepper_.evaluation_weights(state_.step));
    const double seconds = monotonic_seconds() - start;
    state_.eval_seconds += seconds;
    tick();
    Json line = {{"kind", "eval"}, {"step", state_.step}};
    line.update(counters());
    line["split"] = "validation";
    line["loss"] = found.loss;
    line.update(found.more);
    line["time"] = {{"eval_s", seconds}};
    line["time"].update(clock());
    log_->write(line);
    console.evaluation(state_.step, "validation", found.loss);
}

void Trainer::sample(Console& console) {
    const SamplingConfig& rule = config_.sampling;
    const Random random(config_.seed, "sampling", static_cast<std::uint64_t>(state_.step));
    const std::vector<std::int32_t> tokens = stepper_.runner().task().sampler()->sample(
        stepper_.evaluation_weights(state_.step), prompt_of(rule), rule.tokens,
        {.temperature = rule.temperature, .top_k = rule.top_k}, random);
    tick();
    Json line = {{"kind", "sample"}, {"step", state_.step}, {"tokens", tokens}};
    if (config_.model.vocab == kByteVocab) {
        line["prompt"] = valid_utf8(rule.prompt);
        line["text"] = valid_utf8(tokens_to_bytes(tokens));
    }
    line["time"] = clock();
    log_->write(line);
    // As JSON text: one line whatever the model wrote.
    console.logger().info("step {} sample  {}", state_.step, line[line.contains("text") ? "text" : "tokens"].dump());
}

void Trainer::checkpoint(Checkpoints& checkpoints, bool scheduled) {
    log_->sync();
    tick();
    state_.log_offset = log_->offset();
    state_.library_choices = library_choices(stepper_.runner().device());
    const double start = monotonic_seconds();
    checkpoints.save(state_, stepper_.named_weights(state_.step), stepper_.named_state());
    if (scheduled) log_checkpoint(monotonic_seconds() - start);
}

void Trainer::log_checkpoint(double seconds) {
    log_->write({{"kind", "checkpoint"},
                 {"step", state_.step},
                 {"path", "checkpoints/" + checkpoint_name(state_.step)},
                 {"time", {{"seconds", seconds}}}});
}

void Trainer::note_peaks(const RunDirectory& directory) {
    const auto known = [](double flops) { return flops > 0 ? Json(flops) : Json(); };
    const Json peaks = {{"data_sheet", known(peak_flops_)}, {"measured", known(measured_peak_)}};
    if (manifest_.value("peak_flops", Json()) == peaks) return;
    manifest_["peak_flops"] = peaks;
    directory.write_manifest(manifest_);
}

void Trainer::note_library_choices(const RunDirectory& directory) {
    Json now = library_choices(stepper_.runner().device());
    if (manifest_["library_choices"] == now) return;
    manifest_["library_choices"] = std::move(now);
    directory.write_manifest(manifest_);
}

void Trainer::end(std::string_view reason) {
    tick();
    Json line = {{"kind", "end"},
                 {"step", state_.step},
                 {"reason", reason},
                 {"time", {{"at", utc()}, {"eval_s", state_.eval_seconds}}}};
    line["time"].update(clock());
    log_->write(line);
    log_->sync();
}

}  // namespace steepest
