// What a user meets who gives the binary something wrong: the exit code, the words that help, and that nothing was
// written.
#include "data/token_shard.h"
#include "tests/cli/process.h"
#include "tests/small_disk.h"
#include "tests/train/run_fixture.h"

#include <map>

namespace steepest {
namespace {

using testing::expect_has;
using testing::Outcome;
namespace fs = std::filesystem;

class BadInput : public testing::RunTest {
protected:
    std::map<std::string, std::string> everything() const {
        std::map<std::string, std::string> all;
        for (const auto& entry : fs::recursive_directory_iterator(folder()))
            all[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path().string()) : "";
        return all;
    }
    // Refused with this exit code, one message on stderr with all `parts`, and no byte of the folder changed.
    void refused(Exit code, const std::vector<std::string>& arguments, const std::vector<std::string>& parts) const {
        const auto before = everything();
        const Outcome outcome = testing::steepest(arguments, folder());
        EXPECT_EQ(outcome.code, static_cast<int>(code)) << outcome.err;
        expect_has(outcome.err, parts);
        EXPECT_EQ(outcome.err.substr(0, 10), "steepest: ") << outcome.err;
        EXPECT_EQ(outcome.err.find("internal"), std::string::npos) << outcome.err;
        EXPECT_TRUE(everything() == before) << "something was written";
    }
    void refused_train(const Sets& sets, const std::vector<std::string>& parts, Exit code = Exit::bad_input) const {
        std::vector<std::string> arguments = {"train", "tiny.json", "--quiet"};
        for (const std::string& set : sets) arguments.push_back("--set"), arguments.push_back(set);
        refused(code, arguments, parts);
    }
    void refused_config(const std::string& text, const std::vector<std::string>& parts) const {
        write_file(path("bad.json"), text);
        refused(Exit::bad_input, {"train", "bad.json"}, parts);
    }
    std::string data(const std::string& name) const { return "data.train=[\"" + path(name) + "\"]"; }
    // A shard whose header says what `words` say.
    void shard(const std::string& name, std::vector<std::int32_t> words, std::size_t tokens) const {
        words.resize(256);
        write_file(path(name),
                   std::string(reinterpret_cast<const char*>(words.data()), 1024) + std::string(2 * tokens, '\1'));
    }
};

TEST_F(BadInput, MisspeltKey) {
    refused_config("{\n  \"base\": \"tiny.json\",\n  \"evaluation\": {\"evry\": 3}\n}\n",
                   {"bad.json", "/evaluation/evry", "unknown key", "did you mean \"every\"?"});
    refused_train({"evaluation.evry=3"}, {"/evaluation/evry", "did you mean \"every\"?"});
}

TEST_F(BadInput, DuplicateKey) {
    refused_config("{\n  \"base\": \"tiny.json\",\n  \"steps\": 3,\n  \"seed\": 1,\n  \"steps\": 4\n}\n",
                   {"bad.json", "/steps", "duplicate key", "3", "5"});
}

TEST_F(BadInput, StringForNumber) {
    refused_config(R"({"base": "tiny.json", "steps": "many"})", {"bad.json", "/steps", "integer", "\"many\""});
}

TEST_F(BadInput, AllMistakesAtOnce) {
    refused_config(
        R"({"base": "tiny.json", "steps": "many", "batch": -1, "modle": {}, "optimizer": {"schedule": {"type": "cosin"}}})",
        {"4 mistakes", "/steps", "/batch", "/modle", "did you mean \"model\"?", "/optimizer/schedule/type",
         "did you mean \"cosine\"?"});
}

TEST_F(BadInput, MissingFile) {
    refused(Exit::bad_input, {"train", "none.json"}, {"none.json", "looked in"});
    refused_train({data("none.txt")}, {"data.train", "no file", path("none.txt")});
    refused_train({"optimizer=adamv"}, {"/optimizer", "adamv", "did you mean \"adamw\"?"});
    refused(Exit::bad_input, {"eval", "runs/none"}, {"runs/none", "no run is there"});
    refused(Exit::bad_input, {"sample", "runs/none"}, {"runs/none", "no run is there"});
    refused(Exit::bad_input, {"data", "inspect", "none.bin"}, {"none.bin"});
}

TEST_F(BadInput, EmptyFile) {
    write_file(path("empty"), "");
    refused_train({data("empty")}, {path("empty"), "empty"});
    refused(Exit::bad_input, {"train", "empty"}, {"empty"});
}

TEST_F(BadInput, TooShort) {
    write_file(path("short"), "hello");
    refused_train({data("short")}, {path("short"), "token"});
}

TEST_F(BadInput, TruncatedShard) {
    shard("cut.bin", {kShardMagic, kShardVersion, 5000}, 1000);
    refused_train({data("cut.bin")}, {path("cut.bin"), "truncated at byte 3024", "expected 11024", "5000 tokens"});
    write_file(path("head.bin"), read_file(path("cut.bin")).substr(0, 500));
    refused_train({data("head.bin")}, {path("head.bin"), "500"});
}

TEST_F(BadInput, WrongMagic) {
    shard("other.bin", {20240519, kShardVersion, 1000}, 1000);
    refused_train({data("other.bin")}, {path("other.bin"), "magic", "found 20240519", "expected 20240520"});
    shard("version.bin", {kShardMagic, 2, 1000}, 1000);
    refused_train({data("version.bin")}, {path("version.bin"), "version", "found 2", "expected 1"});
}

// Found as batches are gathered, so the run has begun: its log says how far it came, and the message where the token
// is.
TEST_F(BadInput, TokenOutsideTheVocabulary) {
    std::vector<std::int32_t> tokens(3000, 7);
    tokens[1234] = 4321;
    write_token_shard(path("range.bin"), tokens, 65536);
    const Outcome outcome =
        testing::steepest({"train", "tiny.json", "--set", data("range.bin"), "--set", "steps=2000"}, folder());
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    expect_has(outcome.err, {path("range.bin"), "4321", "257", std::to_string(1024 + 2 * 1234)});
    EXPECT_GE(testing::log_lines(run_path("tiny-s1") + "/log.jsonl").size(), 1u);
}

TEST_F(BadInput, ExistingRunDirectory) {
    train("a");
    refused_train({"name=a"}, {run_path("a"), "exists", "--resume", "--overwrite", "--set name="});
    expect_has(testing::steepest({"train", "tiny.json", "--set", "name=a", "--resume", "--overwrite"}, folder()).err,
               {"--resume excludes --overwrite"});
    fs::create_directory(path("runs/mine"));
    write_file(path("runs/mine/thesis.txt"), "years of work");
    refused(Exit::bad_input, {"train", "tiny.json", "--set", "name=mine", "--overwrite"},
            {path("runs/mine"), "no run", "neither resumed nor deleted"});
    refused_train({"name=../up"}, {"../up", "file name"});
}

TEST_F(BadInput, FileInPlaceOfTheRunDirectory) {
    write_file(path("file"), "");
    refused_train({"runs=" + path("file")}, {path("file"), "folder"});
    fs::create_directory(path("runs"));
    write_file(path("runs/a"), "");
    refused_train({"name=a"}, {path("runs/a"), "no folder"});
}

TEST_F(BadInput, ReadOnlyRunDirectory) {
    fs::create_directory(path("disk"));
    const testing::SmallDisk disk(path("disk"), 1 << 20);
    if (disk.mounted() && disk.make_read_only())
        refused_train({"runs=" + path("disk")}, {path("disk"), "Read-only file system"}, Exit::storage);
    else if (::geteuid() != 0 && ::chmod(path("disk").c_str(), 0555) == 0)
        refused_train({"runs=" + path("disk")}, {path("disk"), "Permission denied"}, Exit::storage);
    else
        GTEST_SKIP() << "root ignores permissions, and mounting is not allowed";
}

TEST_F(BadInput, CheckpointOfAnotherModel) {
    train("a");
    train("wide", {"model.width=32"});
    refused(Exit::bad_input, {"eval", "runs/a", "--set", "model.width=32"},
            {"is of another model", "wte.weight", "(384, 16)", "(384, 32)"});
    refused(Exit::bad_input, {"sample", "runs/a", "--checkpoint", "runs/wide/checkpoints/step_000008"},
            {"step_000008", "is of another model", "wte.weight"});
    refused(Exit::bad_input, {"eval", "runs/a", "--checkpoint", "runs/a/checkpoints/step_000009"}, {"step_000009"});
    fs::remove_all(run_path("a") + "/checkpoints");
    refused(Exit::bad_input, {"eval", "runs/a"}, {"runs/a", "no checkpoint"});
}

TEST_F(BadInput, AnotherConfigIsNotResumed) {
    train("a");
    const Outcome outcome = testing::steepest(
        {"train", "tiny.json", "--resume", "--set", "name=a", "--set", "optimizer.lr_scale=2"}, folder());
    EXPECT_EQ(outcome.code, 2);
    expect_has(outcome.err, {"cannot resume", run_path("a"), "/optimizer/lr_scale: 1.0 in the run, 2.0 in the config"});
}

// A disk that fills up in the midst of a run, and is freed again: exit 6, everything written before stands, and the
// resumed run is the one that would have been.
TEST_F(BadInput, DiskFull) {
    fs::create_directory(path("disk"));
    const testing::SmallDisk disk(path("disk"), 2 << 20);
    if (!disk.mounted()) GTEST_SKIP() << "mounting is not allowed; see DiskFullByLimit";
    const std::vector<std::string> arguments = {"train",  "tiny.json", "--set",
                                                "name=a", "--set",     "runs=" + path("disk")};
    // Room for one checkpoint of 155 kB, not for two.
    write_file(path("disk/filler"), std::string((2 << 20) - 250000, 'x'));
    const Outcome full = testing::steepest(arguments, folder());
    EXPECT_EQ(full.code, 6) << full.err;
    expect_has(full.err, {path("disk/a"), "No space left on device"});
    const std::string run = path("disk/a");
    EXPECT_GE(testing::log_lines(run + "/log.jsonl").size(), 5u) << "whole lines only, or this throws";
    const Outcome eval = testing::steepest({"eval", run}, folder());
    EXPECT_EQ(eval.code, 0) << eval.err;
    expect_has(eval.out, {"step 4"});

    fs::remove(path("disk/filler"));
    auto again = arguments;
    again.push_back("--resume");
    const Outcome resumed = testing::steepest(again, folder());
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    testing::expect_same_run(train("straight"), run, 8);
}

// The same without the right to mount: no file can grow past a limit, here the weights of the first checkpoint.
TEST_F(BadInput, DiskFullByLimit) {
    const std::vector<std::string> arguments = {"train", "tiny.json", "--set", "name=a"};
    const Outcome full = testing::steepest(arguments, folder(), 20000);
    EXPECT_EQ(full.code, 6) << full.err;
    expect_has(full.err, {run_path("a"), "File too large"});
    EXPECT_GE(testing::log_lines(run_path("a") + "/log.jsonl").size(), 5u);
    for (const auto& entry : fs::recursive_directory_iterator(run_path("a")))
        EXPECT_EQ(entry.path().string().find("step_"), std::string::npos) << entry.path() << " is left over";
    auto again = arguments;
    again.push_back("--resume");
    EXPECT_EQ(testing::steepest(again, folder()).code, 0);
    testing::expect_same_run(train("straight"), run_path("a"), 8);
}

TEST_F(BadInput, Arguments) {
    const auto code = [&](const std::vector<std::string>& arguments) {
        return testing::steepest(arguments, folder()).code;
    };
    refused(Exit::bad_input, {"trian", "tiny.json"}, {"no such command", "did you mean \"train\"?"});
    refused(Exit::bad_input, {"list", "optimisers"}, {"did you mean \"optimizers\"?"});
    EXPECT_EQ(code({}), 2);
    EXPECT_EQ(code({"train"}), 2);
    EXPECT_EQ(code({"train", "tiny.json", "--nonsense"}), 2);
    EXPECT_EQ(code({"train", "tiny.json", "--set", "steps"}), 2);
    EXPECT_EQ(code({"train", "tiny.json", "--set", "steps=0"}), 2);
    EXPECT_EQ(names(), (std::vector<std::string>{"text.txt", "tiny.json"}));
}

}  // namespace
}  // namespace steepest
