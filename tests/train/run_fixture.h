#pragma once
// Small whole runs within this process: a text, a config and a Trainer; and what they leave behind, read back.
#include "cli/backend.h"
#include "core/config.h"
#include "core/file.h"
#include "core/random.h"
#include "tests/harness.h"
#include "tests/temporary_folder.h"
#include "train/run_log.h"
#include "train/trainer.h"

#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace steepest::testing {

namespace fs = std::filesystem;

// About `bytes` of words drawn from a few, so that there is something to learn.
inline std::string words(std::size_t bytes) {
    static constexpr const char* kWords[] = {"in ",   "the ", "beginning ", "god ",  "created ", "heaven ", "and ",
                                             "earth", ", ",   "without ",   "form ", "void.\n",  "light ",  "was "};
    const Random random(1, "words");
    std::string text;
    for (std::uint64_t i = 0; text.size() < bytes; ++i) text += kWords[random.below(std::size(kWords), i)];
    return text;
}

// The names of configs/<folder>/*.json, sorted.
inline std::vector<std::string> preset_names(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(STEEPEST_SOURCE_DIR) / "configs" / folder))
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

// Lines of a log without what the clock decides, and without lines of these kinds.
inline std::vector<std::string> log_lines(const std::string& path, const std::vector<std::string>& without = {}) {
    std::vector<std::string> lines;
    std::istringstream text(read_file(path));
    for (std::string line; std::getline(text, line);) {
        const std::string kind = Json::parse(line).at("kind").get<std::string>();
        if (std::find(without.begin(), without.end(), kind) == without.end()) lines.push_back(without_time(line));
    }
    return lines;
}

inline std::string checkpoint_file(const std::string& run, std::int64_t step, const std::string& file) {
    return run + "/checkpoints/" + checkpoint_name(step) + "/" + file + ".safetensors";
}

// The tensors of a safetensors file without its header, which says the step too.
inline std::string tensor_bytes(const std::string& path) {
    const std::string all = read_file(path);
    std::uint64_t header = 0;
    std::memcpy(&header, all.data(), sizeof header);
    return all.substr(sizeof header + header);
}

// Everything that must be the same of two runs: the log but for times, names, the number of steps that the start
// announced and the lines that only a resumed run has; and the bytes of the checkpoint at `step`.
inline void expect_same_run(const std::string& a, const std::string& b, std::int64_t step) {
    const auto lines = [](const std::string& run) {
        auto all = log_lines(run + "/log.jsonl", {"resume"});
        Json start = Json::parse(all.at(0));
        start.erase("run"), start.erase("steps");
        all[0] = start.dump();
        return all;
    };
    EXPECT_EQ(lines(a), lines(b)) << a << "\n" << b;
    for (const char* file : {"weights", "optimizer"})
        EXPECT_TRUE(read_file(checkpoint_file(a, step, file)) == read_file(checkpoint_file(b, step, file)))
            << file << " at step " << step << " of\n"
            << a << "\n"
            << b;
}

// The backend a run's config asks for, on the device under test.
inline cli::Backend backend_under_test(RunConfig config, int threads) {
    config.device = testing_cuda() ? "cuda" : "cpu";
    config.threads = threads;
    return cli::Backend(config);
}

class RunTest : public TemporaryFolder {
protected:
    // A model of one test: two layers of width 16 over bytes, two micro-batches a step.
    RunTest() {
        write_file(path("text.txt"), words(6000));
        write_file(path("tiny.json"), R"({
            "model": {"layers": 2, "heads": 2, "width": 16, "context": 8, "vocab": 257}, "optimizer": "adamw",
            "data": {"train": [")" + path("text.txt") +
                                          R"("], "validation_fraction": 0.1},
            "batch": 4, "micro_batch": 2, "steps": 8, "runs": ")" +
                                          path("runs") + R"(",
            "evaluation": {"every": 4, "tokens": 96}, "checkpoint": {"every": 4, "keep": 0}
        })");
    }
    using Sets = std::vector<std::string>;
    RunConfig config(const Sets& sets = {}) const { return load_config<RunConfig>(path("tiny.json"), sets); }
    std::string run_path(const std::string& name) const { return path("runs/" + name); }

    struct How {
        int threads = 1;
        bool resume = false;
        std::function<double()> clock = {};
        std::string config_path = {};  // of a replay
        std::int64_t stop_at = std::numeric_limits<std::int64_t>::max();
    };
    // Trains as `steepest train` does; gives the run's path.
    std::string train(const std::string& name, RunConfig config, const How& how) const {
        config.name = name;
        return train(config, how);
    }
    std::string train(const std::string& name, const Sets& sets = {}) const { return train(name, config(sets), How{}); }
    std::string train(const std::string& name, const Sets& sets, const How& how) const {
        return train(name, config(sets), how);
    }
    std::string train(const RunConfig& config, const How& how) const {
        cli::Backend backend = backend_under_test(config, how.threads);
        const auto comm = make_single();
        Trainer trainer(config, *comm);
        RunDirectory directory({.runs = config.runs,
                                .name = config.name,
                                .config_path = how.config_path.empty() ? path("tiny.json") : how.config_path,
                                .seed = config.seed,
                                .resume = how.resume});
        Console console({.name = directory.name(),
                         .log_path = directory.train_log_path(),
                         .quiet = true,
                         .terminal = false,
                         .clock = how.clock});
        trainer.run(backend.device(), "under test", directory, console, how.stop_at);
        return directory.path();
    }
};

}  // namespace steepest::testing
