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
constexpr std::chrono::milliseconds kRedraw(500);

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
    std::chrono::steady_clock::time_point begin;
};

class Executor {
public:
    Executor(Folder& folder, const ExecutorOptions& options)
        : folder_(folder), options_(options), terminal_(2, std::nullopt, std::nullopt), progress_(folder) {
        for (std::size_t i = 0; i < folder.runs().size(); ++i)
            if (options.shard.has(folder.runs()[i], i, options.by_point)) waiting_.push_back(i);
        total_ = waiting_.size();
        restarts_.resize(folder.runs().size(), 0);
        free_slots_.resize(static_cast<std::size_t>(options.jobs));
        for (int i = 0; i < options.jobs; ++i) free_slots_[static_cast<std::size_t>(i)] = options.jobs - 1 - i;
        // A failure of an earlier call is tried again, once.
        for (const std::size_t i : waiting_)
            if (const auto lock = Lock::take(folder.lock_path(folder.runs()[i]))) folder.clear_failed(folder.runs()[i]);
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
            if (!told) start();
            draw();
            ::usleep(kPoll);
        }
        terminal_.erase();
        write_results(folder_);
        if (told) throw InterruptedError(folder_.path() + ": stopped; the same command goes on");
    }

private:
    void start() {
        for (auto it = waiting_.begin(); it != waiting_.end() && !free_slots_.empty();) {
            const PlannedRun& run = folder_.runs()[*it];
            std::optional<Lock> lock = Lock::take(folder_.lock_path(run));
            if (!lock) {  // another process has it: looked at again later
                ++it;
                continue;
            }
            const State state = folder_.state(run);
            if (over(state)) {
                say(run, std::string(state_name(state)));
                it = waiting_.erase(it);
                continue;
            }
            if (options_.by_point && !run.first_seed && first_seed_pending(run)) {
                ++it;
                continue;
            }
            spawn(*it, std::move(*lock));
            it = waiting_.erase(it);
        }
    }

    bool first_seed_pending(const PlannedRun& run) const {
        const auto is_first = [&](std::size_t i) {
            const PlannedRun& other = folder_.runs()[i];
            return other.point == run.point && other.first_seed;
        };
        return std::ranges::any_of(waiting_, is_first) || std::ranges::any_of(jobs_, is_first, &Job::run);
    }

    void spawn(std::size_t index, Lock lock) {
        const PlannedRun& run = folder_.runs()[index];
        std::vector<std::string> arguments{"steepest", "train", options_.config, "--resume", "--quiet"};
        std::vector<std::string> sets = run.sets();
        if (options_.threads > 0 && !run.settings.contains("threads"))
            sets.push_back("threads=" + std::to_string(options_.threads));
        sets.push_back("runs=" + Json(folder_.path()).dump());
        sets.push_back("name=" + Json(run.name).dump());
        for (const std::string& set : sets) arguments.insert(arguments.end(), {"--set", set});
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
        jobs_.push_back({index, child, std::move(lock), slot, std::chrono::steady_clock::now()});
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
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - job.begin;
        if (code == static_cast<int>(Exit::done) || code == static_cast<int>(Exit::diverged)) {
            say(run, (code == 0 ? "done after " : "diverged after ") + duration(took.count()));
        } else if (interrupt_.requested()) {
            say(run, "stopped");
            return;
        } else if ((killed || code == static_cast<int>(Exit::interrupted)) &&
                   restarts_[job.run]++ < options_.restarts) {
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

    void say(const PlannedRun& run, const std::string& what) {
        const std::size_t over = total_ - waiting_.size() - jobs_.size();
        terminal_.message("[" + std::to_string(over) + "/" + std::to_string(total_) + "] " + run.name + ": " + what);
    }

    void draw() {
        const auto now = std::chrono::steady_clock::now();
        if (!terminal_.live() || now < next_draw_) return;
        next_draw_ = now + kRedraw;
        terminal_.draw(progress_text(progress_.read(), terminal_.rows()));
    }

    Folder& folder_;
    const ExecutorOptions& options_;
    InterruptGuard interrupt_;
    Terminal terminal_;
    ProgressReader progress_;
    std::chrono::steady_clock::time_point next_draw_{};
    std::vector<std::size_t> waiting_;
    std::vector<Job> jobs_;
    std::vector<int> restarts_, free_slots_;
    std::size_t total_ = 0;
};

}  // namespace

Tally execute(Folder& folder, const ExecutorOptions& options) {
    Executor(folder, options).run();
    Tally tally;
    for (const PlannedRun& run : folder.runs()) switch (folder.state(run)) {
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
                ++tally.elsewhere;
                break;
        }
    return tally;
}

}  // namespace steepest::sweep
