// The command line as people and scripts use it, through the real binary.
#include "tests/cli/process.h"
#include "tests/train/run_fixture.h"

#include <cmath>

namespace steepest {
namespace {

using testing::expect_has;
using testing::Outcome;
namespace fs = std::filesystem;

class CommandLine : public testing::RunTest {
protected:
    Outcome run(const std::vector<std::string>& arguments) const { return testing::steepest(arguments, folder()); }
    // What a command that works prints.
    std::string printed(const std::vector<std::string>& arguments) const {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, 0) << arguments.front() << ": " << outcome.err;
        return outcome.out;
    }
    Json resolved(const Sets& sets, const std::string& config = "tiny.json") const {
        std::vector<std::string> arguments = {"config", config};
        for (const std::string& set : sets) arguments.push_back("--set"), arguments.push_back(set);
        return parse_json(printed(arguments), "printed");
    }
};

TEST_F(CommandLine, HelpOfEverySubcommand) {
    const std::string help = printed({"--help"});
    for (const std::string command : {"train", "compare", "eval", "sample", "bench", "data", "config", "schema", "list",
                                      "info", "sweep", "replay", "watch", "export"}) {
        expect_has(help, {command});
        expect_has(printed({command, "--help"}), {"Usage: steepest " + command});
    }
    expect_has(printed({"train", "--help"}), {"CONFIG", "--set", "--resume", "--overwrite", "--dry-run"});
    expect_has(printed({"--help-all"}), {"inspect", "--dry-run", "--baseline"});
    expect_has(printed({"--version"}), {"steepest "});
    expect_has(printed({"info"}), {"steepest ", "commit", "cpu: ", "presets"});
}

TEST_F(CommandLine, ConfigReadAgainGivesItself) {
    for (const char* config : {"tiny.json", "nano", "gpt2-124M", "bench-small"}) {
        const std::string once = printed({"config", config, "--set", "optimizer=muon-mvr2"});
        write_file(path("once.json"), once);
        EXPECT_EQ(printed({"config", "once.json"}), once) << config;
    }
}

TEST_F(CommandLine, LaterSettingsWin) {
    write_file(path("child.json"), R"({"base": "tiny.json", "seed": 5, "evaluation": {"every": 2}})");
    const Json child = resolved({}, "child.json");
    EXPECT_EQ(child["seed"], 5);
    EXPECT_EQ(child["evaluation"]["every"], 2);
    EXPECT_EQ(child["evaluation"]["tokens"], 96) << "of the base";
    EXPECT_EQ(child["max_bad_steps"], 10) << "of the struct";
    const Json set =
        resolved({"seed=6", "seed=7", "optimizer=muon", "optimizer.groups.matrices.learning_rate=0.5"}, "child.json");
    EXPECT_EQ(set["seed"], 7);
    EXPECT_EQ(set["optimizer"]["name"], "muon");
    EXPECT_EQ(set["optimizer"]["groups"]["matrices"]["learning_rate"], 0.5);
    EXPECT_EQ(set["optimizer"]["groups"]["rest"]["learning_rate"], 3e-4) << "of the preset";
}

TEST_F(CommandLine, EveryPresetLoadsUnderItsName) {
    for (const std::string& name : testing::preset_names("models"))
        EXPECT_EQ(config({"model=" + name}).model.name, name);
    for (const std::string& name : testing::preset_names("optimizers")) {
        const RunConfig run = config({"optimizer=" + name});
        EXPECT_EQ(run.optimizer.name, name);
        EXPECT_FALSE(run.optimizer.description.empty()) << name;
        EXPECT_FALSE(run.optimizer.evidence.empty()) << name << ": where are its numbers from?";
    }
    for (const std::string& name : testing::preset_names("experiments"))
        EXPECT_NO_THROW(load_config<RunConfig>(name)) << name;
}

TEST_F(CommandLine, ListsNameWhatThereIs) {
    for (const std::string kind : {"models", "optimizers", "experiments"}) {
        const std::string text = printed({"list", kind});
        for (const std::string& name : testing::preset_names(kind)) expect_has(text, {"\n" + name});
    }
    expect_has(printed({"list", "estimators"}), {"adam", "dual_ema", "mvr"});
    expect_has(printed({"list", "geometries"}), {"identity", "sign", "spectral", "frobenius"});
    expect_has(printed({"list", "scalings"}), {"0.2*sqrt(max(rows, cols))", "none"});
}

// Every key that a config may have is in the schema, and only those: editors show what the reader accepts.
TEST_F(CommandLine, TheSchemaHasTheKeysOfAConfig) {
    const Json schema = parse_json(printed({"schema"}), "schema");
    EXPECT_TRUE(schema.contains("$schema"));
    const Json tree = resolved({});
    for (const auto& [key, value] : tree.items()) {
        ASSERT_TRUE(schema["properties"].contains(key)) << key;
        EXPECT_TRUE(schema["properties"][key].contains("description")) << key;
    }
    for (const auto& [key, value] : schema["properties"].items())
        EXPECT_TRUE(tree.contains(key) || key == "base" || key == "$schema") << key;
}

TEST_F(CommandLine, ARunFromTrainToSample) {
    expect_has(printed({"train", "tiny.json"}), {"cpu: ", "8 steps of 32 tokens", "step 8/8", "validation loss"});
    const std::string run_folder = run_path("tiny-s1");
    EXPECT_EQ(printed({"train", "tiny.json", "--quiet", "--set", "name=quiet"}), "");

    // eval gives the loss that training logged at that step.
    for (const std::int64_t step : {4, 8}) {
        std::istringstream log(read_file(run_folder + "/log.jsonl"));
        double logged = NAN;
        for (std::string line; std::getline(log, line);)
            if (const Json json = Json::parse(line); json["kind"] == "eval" && json["step"] == step)
                logged = json["loss"].get<double>();
        char expected[64];
        std::snprintf(expected, sizeof expected, "step %d: validation loss %.6f ", int(step), logged);
        expect_has(
            printed({"eval", "runs/tiny-s1", "--checkpoint", "runs/tiny-s1/checkpoints/" + checkpoint_name(step)}),
            {expected, "over 96 tokens", "perplexity", "bits a byte"});
        if (step == 8) expect_has(printed({"eval", "runs/tiny-s1"}), {expected});
    }
    expect_has(printed({"eval", "runs/tiny-s1", "--tokens", "9"}), {"over 16 tokens"});

    const std::vector<std::string> sample = {"sample", "runs/tiny-s1", "--prompt", "the ", "--tokens", "20"};
    const std::string text = printed(sample);
    EXPECT_EQ(text.substr(0, 4), "the ");
    EXPECT_EQ(printed(sample), text) << "the seed decides";
    auto other = sample;
    other.insert(other.end(), {"--seed", "2"});
    EXPECT_NE(printed(other), text);
    auto greedy = sample, top1 = other;
    greedy.insert(greedy.end(), {"--temperature", "0"}), top1.insert(top1.end(), {"--top-k", "1"});
    EXPECT_EQ(printed(greedy), printed(top1));

    expect_has(printed({"list", "runs"}), {"tiny-s1", "quiet", "adamw", "done"});
    expect_has(printed({"compare", "runs/tiny-s1", "runs/quiet"}), {"tiny-s1", "quiet", "adamw"});
    expect_has(printed({"data", "inspect", "text.txt", "--vocab", "257"}), {"text.txt", "tokens"});
}

// Sampling and evaluating need the checkpoint, and sampling not even the data.
TEST_F(CommandLine, SamplingNeedsNoData) {
    train("a");
    fs::remove(path("text.txt"));
    EXPECT_EQ(run({"sample", "runs/a", "--tokens", "3"}).code, 0);
    const Outcome eval = run({"eval", "runs/a"});
    EXPECT_EQ(eval.code, 2);
    expect_has(eval.err, {"text.txt"});
}

TEST_F(CommandLine, DryRunPrintsThePlanAndWritesNothing) {
    const std::string text = printed({"train", "tiny.json", "--dry-run", "--set", "optimizer=muon-mvr2"});
    expect_has(text, {"h.1.mlp.c_proj.weight", "matrices", "0.2*sqrt(max(rows, cols))", "optimizer state",
                      "8 steps of 32 tokens", "(2 a step)"});
    EXPECT_EQ(names(), (std::vector<std::string>{"text.txt", "tiny.json"}));
    // A model that no machine can hold can still be planned.
    expect_has(printed({"train", "tiny.json", "--dry-run", "--set", "model=gpt2-1558M", "--set", "evaluation.every=0",
                        "--set", "data.validation_fraction=0"}),
               {"h.47.mlp.c_proj.weight"});
}

TEST_F(CommandLine, OverwriteAndReplay) {
    const std::vector<std::string> train = {"train", "tiny.json", "--quiet", "--set", "name=a"};
    ASSERT_EQ(run(train).code, 0);
    const std::string log = read_file(run_path("a") + "/log.jsonl");
    ASSERT_EQ(run({"train", "runs/a/config.json", "--quiet"}).code, 0);
    testing::expect_same_run(run_path("a"), run_path("a-replay-1"), 8);
    EXPECT_EQ(read_file(run_path("a") + "/log.jsonl"), log);

    auto overwrite = train;
    overwrite.insert(overwrite.end(), {"--overwrite", "--set", "steps=4"});
    ASSERT_EQ(run(overwrite).code, 0);
    EXPECT_FALSE(fs::exists(testing::checkpoint_file(run_path("a"), 8, "weights")));
    EXPECT_TRUE(fs::exists(testing::checkpoint_file(run_path("a"), 4, "weights")));
    // By its own config too, with what is said in addition.
    ASSERT_EQ(
        run({"train", "runs/a/config.json", "--quiet", "--resume", "--set", "optimizer.schedule.type=cosine"}).code, 0);
    EXPECT_FALSE(fs::exists(run_path("a-replay-2")));
}

TEST_F(CommandLine, DivergenceIsExitThree) {
    const Outcome outcome =
        run({"train", "tiny.json", "--quiet", "--set", "optimizer.lr_scale=1e30", "--set", "max_bad_steps=2"});
    EXPECT_EQ(outcome.code, 3);
    expect_has(outcome.err, {"diverged: 2 consecutive steps"});
    expect_has(printed({"list", "runs"}), {"diverged"});
}

// Whoever watched has gone: the run goes on.
TEST_F(CommandLine, AClosedPipeDoesNotEndARun) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const std::string here = folder();
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGPIPE, SIG_DFL);
        ::dup2(ends[1], 1), ::close(ends[0]);
        if (::chdir(here.c_str()) == 0)
            ::execl(testing::binary(), testing::binary(), "train", "tiny.json", static_cast<char*>(nullptr));
        ::_exit(126);
    }
    ::close(ends[0]), ::close(ends[1]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(fs::exists(testing::checkpoint_file(run_path("tiny-s1"), 8, "weights")));
}

}  // namespace
}  // namespace steepest
