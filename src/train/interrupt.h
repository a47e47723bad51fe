#pragma once
// Ctrl-C and SIGTERM as a flag, so that a run can finish its step and write a checkpoint.

namespace steepest {

// While one exists, the first SIGINT or SIGTERM sets a flag, and after it a SIGINT ends the process at once: somebody
// is impatient. More SIGTERMs change nothing: a scheduler sends one to every process of a job, and parents pass theirs
// on. The handlers from before come back with the last one's end. A signal that was ignored stays ignored (nohup, shell
// background jobs). Several may exist at a time, also in several threads: they share the flag, since a signal is for
// the process.
class InterruptGuard {
public:
    InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;
    ~InterruptGuard();

    bool requested() const { return signal() != 0; }
    // SIGINT or SIGTERM, or 0.
    int signal() const;
};

}  // namespace steepest
