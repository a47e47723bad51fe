#include "report/script.h"

#include "core/build_config.h"
#include "core/error.h"
#include "core/file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace steepest::report {

namespace {

namespace fs = std::filesystem;

// Exit codes of the script beside 0 and Python's own 1.
constexpr int kNoLibrary = 3, kNotWritten = 6;
// What the C library's spawn reports where the program cannot be run at all.
constexpr int kNoProgram = 127;

// A folder that goes with its content.
class TemporaryFolder {
public:
    TemporaryFolder() : path_((fs::temp_directory_path() / "steepest-XXXXXX").string()) {
        if (!::mkdtemp(path_.data())) throw StorageError(path_ + ": cannot make a folder: " + std::strerror(errno));
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    std::string file(const char* name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

fs::path script_path(const std::string& name) {
    std::error_code none;
    std::vector<fs::path> candidates;
    const fs::path executable = fs::read_symlink("/proc/self/exe", none);
    if (!executable.empty()) candidates.push_back(executable.parent_path() / "../share/steepest/scripts");
    candidates.push_back(fs::path(kInstalledConfigs).parent_path() / "scripts");
    candidates.push_back(fs::path(kSourceDir) / "scripts");
    for (const fs::path& folder : candidates)
        if (fs::exists(folder / name, none)) return folder / name;
    throw InputError("scripts/" + name + " is neither beside this program's install nor in " + std::string(kSourceDir));
}

// The exit code; what the program prints goes to `output`.
int run_program(std::vector<std::string> words, const std::string& output) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return kNoProgram;
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return kNoProgram;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<std::string> pythons() {
    if (const char* chosen = std::getenv("STEEPEST_PYTHON"); chosen && *chosen) return {chosen};
    // A Python of one's own, first on the path, often lacks what Debian's has.
    return {"python3", "/usr/bin/python3"};
}

}  // namespace

void run_script(const Script& script, const std::string& data, const std::string& path,
                const std::vector<std::string>& options) {
    const TemporaryFolder folder;
    const std::string input = folder.file("data"), words = folder.file("output.txt");
    write_file(input, data);
    const std::string program = script_path(script.name).string();
    std::string tried;
    for (const std::string& python : pythons()) {
        std::vector<std::string> command = {python, program, input, path};
        command.insert(command.end(), options.begin(), options.end());
        const int code = run_program(std::move(command), words);
        if (code == 0) return;
        tried += (tried.empty() ? "" : ", ") + python;
        if (code == kNoLibrary || code == kNoProgram) continue;
        std::string said = read_file(words);
        said.erase(said.find_last_not_of(" \n") + 1);
        const std::string last = said.substr(said.rfind('\n') + 1);
        if (code == kNotWritten) throw StorageError(last);
        throw Error(Exit::internal, path + ": " + program + " failed with code " + std::to_string(code) + ": " + last);
    }
    throw InputError(path + ": cannot be made: no " + script.library + " (tried " + tried + "); " + script.remedy +
                     ", or set STEEPEST_PYTHON to a Python that has it");
}

}  // namespace steepest::report
