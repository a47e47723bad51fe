#pragma once
// Trainer: a run. Steps, and around them the log, evaluations, samples, checkpoints, resume, Ctrl-C and bad steps.
#include "train/console.h"
#include "train/event_file.h"
#include "train/interrupt.h"
#include "train/run_directory.h"
#include "train/run_log.h"
#include "train/stepper.h"

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace steepest {

class Trainer {
public:
    // Plans a run; throws InputError for whatever in the config or the data cannot work. Nothing is written or
    // allocated.
    Trainer(const RunConfig& config, Communicator& comm);

    Stepper& stepper() { return stepper_; }

    // `watcher` gets every line of the log once it is written; what it throws ends the run where it stands.
    void watch(std::function<void(const Json&)> watcher) { watcher_ = std::move(watcher); }

    // Trains until the last step, or throws DivergedError, InterruptedError (a checkpoint is there), InputError (resume
    // with another model, optimizer or data), StorageError. `device_name` goes into the manifest. A step to stop at is
    // an interruption after it: the schedules stay those of the whole run.
    void run(Device device, const std::string& device_name, RunDirectory& directory, Console& console,
             std::int64_t stop_at = std::numeric_limits<std::int64_t>::max());

private:
    void find_peaks(Device device, const std::string& device_name, Console& console);
    void start(const std::string& device_name, RunDirectory& directory, Console& console);
    // Throws InputError with every key whose change would make the run another one.
    void check_same_run(const RunDirectory& directory) const;
    // Goes on from the newest checkpoint; false if there is none.
    bool resume(RunDirectory& directory, Checkpoints& checkpoints, Console& console);
    // log.jsonl from `offset` on, and who gets its lines.
    void open_log(const RunDirectory& directory, std::int64_t offset);
    // Takes steps until one after which something else is due, or no further one may be taken.
    void train_steps(const InterruptGuard& interrupt, Console& console);
    // What a finished step leaves in the state, the log and on the console.
    void record(const StepReport& report, std::uint64_t data_hash, Console& console);
    // Why the run has diverged; empty if it has not.
    std::string divergence() const;
    // What the step just finished looked like.
    void diagnose();
    void evaluate(Console& console);
    void sample(Console& console);
    // Scheduled ones are in the log; one on the way out is not, so that a resumed run's log is that of an undisturbed
    // one.
    void checkpoint(Checkpoints& checkpoints, bool scheduled);
    void log_checkpoint(double seconds);
    void end(std::string_view reason);
    // What this machine is found to reach, whether the run starts here or goes on.
    void note_peaks(const RunDirectory& directory);
    // Libraries choose at first use; the manifest follows.
    void note_library_choices(const RunDirectory& directory);

    static bool due(std::int64_t every, std::int64_t step) { return every > 0 && step % every == 0; }
    bool due(std::int64_t every) const { return due(every, state_.step); }
    bool last() const { return state_.step == config_.total_steps(); }
    bool at_stop() const { return state_.step >= stop_at_ && !last(); }
    // Whether anything but the next step is to be done after this one.
    bool pauses_after(std::int64_t step) const {
        return step == config_.total_steps() || step == stop_at_ || due(config_.evaluation.every, step) ||
               due(config_.sampling.every, step) || due(config_.checkpoint.every, step) || stepper_.measures(step);
    }
    std::string fingerprint() const;
    Json counters() const;
    Json clock() const;
    void tick();

    RunConfig config_;
    Stepper stepper_;
    RunState state_;
    std::int64_t stop_at_ = 0;
    std::unique_ptr<RunLog> log_;
    std::unique_ptr<EventFile> events_;
    std::function<void(const Json&)> watcher_;
    Json manifest_;
    double last_tick_ = 0;
    // Of the device at the precision of products: as its data sheet has it, and as measured; 0 if unknown.
    double peak_flops_ = 0, measured_peak_ = 0;
};

}  // namespace steepest
