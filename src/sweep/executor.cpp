#include "sweep/executor.h"

#include "core/file.h"
#include "report/table.h"
#include "sweep/progress.h"
#include "sweep/results.h"
#include "train/interrupt.h"
#include "train/terminal.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace steepest::sweep {

namespace {

constexpr auto kPoll = 50000;  // microseconds between looks at the children: short against any run
constexpr std::chrono::milliseconds kRedraw(1000), kLook(200);

std::string last_line(const std::string& path) {
    std::string text = read_file(path);
    while (text.ends_with('\n')) text.pop_back();
    // Of the program's own errors, the first line of the last message: what follows is its list.
    const std::size_t own = text.rfind("steepest: ");
    if (own != text.npos) return text.substr(own + 10, text.find('\n', own) - own - 10);
    return text.substr(text.rfind('\n') + 1);
}

std::string duration(double seconds) {
    const auto s = static_cast<std::int64_t>(seconds + 0.5);
    if (s < 60) return std::to_string(s) + " s";
    if (s < 3600) return std::to_string(s / 60) + " min";
    return report::fixed(seconds / 3600, 1) + " h";
}

struct Job {
    std::size_t run;
    pid_t child;
    Lock lock;
    int slot;
    std::optional<std::int64_t> stop_at;
    std::chrono::steady_clock::time_point begin;
};

class Executor {
public:
    Executor(Folder& folder, const ExecutorOptions& options)
        : folder_(folder), options_(options), terminal_(2, std::nullopt, std::nullopt), progress_(folder) {
        for (std::size_t i = 0; i < folder.runs().size(); ++i)
            if (halving() || mine(i)) waiting_.push_back(i);
        total_ = waiting_.size();
        crashes_.resize(folder.runs().size());
        // A failure of an earlier call is tried again, once.
        for (const std::size_t i : waiting_)
            if (const auto lock = Lock::take(folder.lock_path(folder.runs()[i])); lock && mine(i))
                folder.clear_failed(folder.runs()[i]);
        for (int slot = options.jobs - 1; slot >= 0; --slot) free_slots_.push_back(slot);
    }
    ~Executor() {
        for (const Job& job : jobs_) ::kill(job.child, SIGTERM);
        for (const Job& job : jobs_) ::waitpid(job.child, nullptr, 0);
    }

    void run() {
        write_results(folder_);
        bool told = false;
        while (!waiting_.empty() || !jobs_.empty()) {
            if (interrupt_.requested() && !told) {
                for (const Job& job : jobs_) ::kill(job.child, SIGTERM);
                told = true, waiting_.clear();
            }
            reap();
            if (!told && Clock::now() >= next_look_) {
                start();
                if (halving() && jobs_.empty() && !waiting_.empty() && nobody_works()) break;
            }
            draw();
            ::usleep(kPoll);
        }
        terminal_.erase();
        write_results(folder_);
        if (told) throw InterruptedError(folder_.path() + ": stopped; the same command goes on");
    }

private:
    using Clock = std::chrono::steady_clock;
    // A run that was ended by a signal: how often since it last got any further.
    struct Crashes {
        int count = 0;
        std::int64_t furthest = -1;
    };

    bool halving() const { return !folder_.halving().rungs.empty(); }
    bool mine(std::size_t i) const { return options_.shard.has(folder_.runs()[i], i, options_.unit); }

    // Runs compete over all shards. A shard takes its own runs to their first rung; whoever sees a rung decided goes on
    // with any of the survivors. A shard with nothing to do stays while another is at work, since that may decide; the
    // last one leaves only what waits for shards that are not there.
    bool nobody_works() {
        at_work_.reset();
        alone_ = Lock::take(folder_.work_lock_path());
        if (!alone_) return false;
        start();  // what the last one did may have come after our look
        alone_.reset();
        return jobs_.empty();
    }

    void start() {
        bool put_off = false;
        // What stands only moves on: what it lets go on goes on.
        const std::vector<Standing> standings = folder_.standings();
        for (auto it = waiting_.begin(); it != waiting_.end() && !free_slots_.empty();) {
            const PlannedRun& run = folder_.runs()[*it];
            std::optional<Lock> lock;
            if (!waits_for_others(*it, standings[*it])) lock = Lock::take(folder_.lock_path(run));
            if (!lock) {  // or another process has it
                put_off = true, ++it;
                continue;
            }
            if (const State state = folder_.state(run); over(state)) {
                const bool lost = state == State::stopped;
                say(run, lost ? "stopped by halving at rung " + std::to_string(folder_.standing(run).rung + 1)
                              : std::string(state_name(state)));
                it = waiting_.erase(it);
                continue;
            }
            const std::size_t rung = standings[*it].rung;
            spawn(*it, std::move(*lock), rung < run.rungs.size() ? std::optional(run.rungs[rung]) : std::nullopt);
            it = waiting_.erase(it);
        }
        next_look_ = put_off ? Clock::now() + kLook : Clock::time_point{};
    }

    bool waits_for_others(std::size_t index, const Standing& standing) const {
        const PlannedRun& run = folder_.runs()[index];
        if (standing.stopped) return false;
        if (standing.rung == 0 && !mine(index)) return true;
        if (standing.rung < run.rungs.size() && folder_.at_rung(run, standing.rung)) return true;
        return options_.unit != SweepConfig::Unit::run && !run.first_seed && first_seeds_pending(run);
    }

    bool first_seeds_pending(const PlannedRun& run) const {
        const auto decides = [&](std::size_t i) {
            const PlannedRun& other = folder_.runs()[i];
            const bool together =
                options_.unit == SweepConfig::Unit::arm ? other.arm_index == run.arm_index : other.point == run.point;
            return together && other.first_seed && !(halving() && folder_.at_rung(other, 0));
        };
        return std::ranges::any_of(waiting_, decides) || std::ranges::any_of(jobs_, decides, &Job::run);
    }

    void spawn(std::size_t index, Lock lock, std::optional<std::int64_t> stop_at) {
        alone_.reset();
        if (!at_work_) at_work_ = Lock::take(folder_.work_lock_path(), true, Lock::Kind::shared);
        const PlannedRun& run = folder_.runs()[index];
        std::vector<std::string> arguments{"steepest", "train", options_.config, "--resume", "--quiet"};
        std::vector<std::string> sets = run.sets();
        if (options_.threads > 0 && !run.settings.contains("threads"))
            sets.push_back("threads=" + std::to_string(options_.threads));
        sets.push_back("runs=" + Json(folder_.path()).dump());
        sets.push_back("name=" + Json(run.name).dump());
        for (const std::string& set : sets) arguments.insert(arguments.end(), {"--set", set});
        if (stop_at) arguments.insert(arguments.end(), {"--stop-at", std::to_string(*stop_at)});
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);

        const int slot = free_slots_.back();
        const std::string err = folder_.error_path(run);
        const int out = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (out < 0) throw StorageError(err + ": cannot open: " + std::strerror(errno));
        const std::string gpu = options_.gpus.empty() ? "" : options_.gpus[static_cast<std::size_t>(slot)];
        const pid_t parent = ::getpid(), child = ::fork();
        if (child < 0) {
            ::close(out);
            throw DeviceError(std::string("cannot start a run: ") + std::strerror(errno));
        }
        if (child == 0) {
            // Ctrl-C is for the sweep, which tells its runs; if it dies, they write a checkpoint and stop.
            ::setpgid(0, 0);
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (::getppid() != parent) ::_exit(static_cast<int>(Exit::interrupted));
            ::fcntl(lock.descriptor(), F_SETFD, 0);  // kept across exec: the run holds the lock as long as it lives
            ::dup2(out, 1), ::dup2(out, 2);
            if (!gpu.empty()) ::setenv("CUDA_VISIBLE_DEVICES", gpu.c_str(), 1);
            ::setenv("OMP_WAIT_POLICY", "passive", 0);  // runs side by side would spin on each other's cores
            ::execv("/proc/self/exe", argv.data());
            ::_exit(127);
        }
        ::close(out);
        free_slots_.pop_back();
        const report::RunRecord* log = folder_.record(run);
        say(run, log ? "goes on; its log is at step " + std::to_string(log->last_step) : "runs");
        jobs_.push_back({index, child, std::move(lock), slot, stop_at, Clock::now()});
    }

    void reap() {
        for (std::size_t i = 0; i < jobs_.size();) {
            int status = 0;
            if (::waitpid(jobs_[i].child, &status, WNOHANG) != jobs_[i].child) {
                ++i;
                continue;
            }
            const Job job = std::move(jobs_[i]);
            jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
            free_slots_.push_back(job.slot);
            ended(job, status);
        }
    }

    void ended(const Job& job, int status) {
        const PlannedRun& run = folder_.runs()[job.run];
        const bool killed = WIFSIGNALED(status);
        const int code = killed ? -1 : WEXITSTATUS(status);
        const bool stopped = code == static_cast<int>(Exit::interrupted);
        const std::chrono::duration<double> took = Clock::now() - job.begin;
        next_look_ = {};
        if (code == static_cast<int>(Exit::done) || code == static_cast<int>(Exit::diverged)) {
            say(run, (code == 0 ? "done after " : "diverged after ") + duration(took.count()));
        } else if (interrupt_.requested()) {
            say(run, "stopped");
            return;
        } else if (stopped && job.stop_at && last_step(run) >= *job.stop_at) {
            say(run, "at its rung, step " + std::to_string(*job.stop_at) + ", after " + duration(took.count()));
            waiting_.push_back(job.run);
            return;
        } else if ((killed || stopped) && may_restart(job.run)) {
            say(run, "was ended by a signal; goes on");
            waiting_.insert(waiting_.begin(), job.run);
            return;
        } else {
            std::string why = last_line(folder_.error_path(run));
            if (killed) why = std::string("ended by signal ") + ::strsignal(WTERMSIG(status)) + "; " + why;
            if (code == 127) why = "the program could not be started again";
            folder_.set_failed(run, why);
            say(run, "FAILED: " + why);
        }
        write_results(folder_);
    }

    std::int64_t last_step(const PlannedRun& run) const {
        const report::RunRecord* log = folder_.record(run);
        return log ? log->last_step : 0;
    }

    bool may_restart(std::size_t index) {
        Crashes& crashes = crashes_[index];
        const std::int64_t step = last_step(folder_.runs()[index]);
        if (step > crashes.furthest) crashes = {0, step};
        return crashes.count++ < options_.restarts;
    }

    void say(const PlannedRun& run, const std::string& what) {
        const std::size_t over = total_ - waiting_.size() - jobs_.size();
        terminal_.message("[" + std::to_string(over) + "/" + std::to_string(total_) + "] " + run.name + ": " + what);
    }

    void draw() {
        const auto now = Clock::now();
        if (!terminal_.live() || now < next_draw_) return;
        next_draw_ = now + kRedraw;
        terminal_.draw(progress_text(progress_.read(), terminal_.rows()));
    }

    Folder& folder_;
    const ExecutorOptions& options_;
    InterruptGuard interrupt_;
    Terminal terminal_;
    ProgressReader progress_;
    Clock::time_point next_draw_{}, next_look_{};
    std::optional<Lock> at_work_, alone_;
    std::vector<std::size_t> waiting_;
    std::vector<Job> jobs_;
    std::vector<Crashes> crashes_;
    std::vector<int> free_slots_;
    std::size_t total_ = 0;
};

}  // namespace

Tally execute(Folder& folder, const ExecutorOptions& options) {
    Executor(folder, options).run();
    Tally tally;
    for (const State state : folder.states()) switch (state) {
            case State::done:
                ++tally.done;
                break;
            case State::diverged:
                ++tally.diverged;
                break;
            case State::failed:
                ++tally.failed;
                break;
            case State::skipped:
                ++tally.skipped;
                break;
            case State::stopped:
                ++tally.stopped;
                break;
            case State::waiting:
            case State::unfinished:
                ++tally.unfinished;
                break;
        }
    return tally;
}

}  // namespace steepest::sweep
