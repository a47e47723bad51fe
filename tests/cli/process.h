#pragma once
// The real binary as a child process: what it prints, how it ends, and signals on the way.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace steepest::testing {

// The binary that users get, or, where a GPU is under test, the one that differs in nothing but that its CUDA runtime
// is a shared library, which a stand-in can replace.
inline const char* binary() { return std::getenv("STEEPEST_TEST_DEVICE") ? STEEPEST_SHARED_BINARY : STEEPEST_BINARY; }

struct Outcome {
    int code;  // the exit code, or minus the signal that ended it
    std::string out, err;
};

class Process {
public:
    // `folder` is the working directory. `file_limit`: no file can grow past that many bytes; 0: no limit.
    Process(const std::vector<std::string>& arguments, const std::string& folder, std::size_t file_limit = 0)
        : out_(::memfd_create("out", MFD_CLOEXEC)), err_(::memfd_create("err", MFD_CLOEXEC)) {
        std::vector<char*> argv{const_cast<char*>(binary())};
        for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
        argv.push_back(nullptr);
        child_ = ::fork();
        if (child_ < 0) throw std::runtime_error("cannot fork");
        if (child_ > 0) return;
        if (file_limit > 0) {
            const rlimit limit{file_limit, file_limit};
            ::setrlimit(RLIMIT_FSIZE, &limit);
        }
        if (::chdir(folder.c_str()) != 0) ::_exit(125);
        ::dup2(out_, 1), ::dup2(err_, 2);
        ::execv(binary(), argv.data());
        ::_exit(126);
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
        ::close(out_), ::close(err_);
    }

    void signal(int number) const { ::kill(child_, number); }
    Outcome wait() {
        int status = 0;
        ::waitpid(child_, &status, 0);
        return ended(status);
    }
    // Waits until `condition`, or until the process has ended; true if it is still running.
    bool running_when(const std::function<bool()>& condition) {
        while (!condition()) {
            siginfo_t info{};
            ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT);
            if (info.si_pid != 0) return false;
            ::usleep(200);
        }
        return true;
    }

private:
    Outcome ended(int status) {
        child_ = -1;
        return {WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status), text(out_), text(err_)};
    }
    static std::string text(int descriptor) {
        std::string all(::lseek(descriptor, 0, SEEK_END), '\0');
        if (::pread(descriptor, all.data(), all.size(), 0) != static_cast<ssize_t>(all.size())) all = "unreadable";
        return all;
    }

    pid_t child_;
    int out_, err_;
};

inline Outcome steepest(const std::vector<std::string>& arguments, const std::string& folder,
                        std::size_t file_limit = 0) {
    return Process(arguments, folder, file_limit).wait();
}

inline void expect_has(const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
        EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in:\n" << text;
}

}  // namespace steepest::testing
