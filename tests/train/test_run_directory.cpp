#include "core/error.h"
#include "core/file.h"
#include "tests/small_disk.h"
#include "tests/temporary_folder.h"
#include "train/run_directory.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace steepest {
namespace {

namespace fs = std::filesystem;
using testing::message_of;

class RunDirectoryTest : public testing::TemporaryFolder {
protected:
    RunRequest request(const std::string& name = "a") const {
        return {.runs = path("runs"), .name = name, .config_path = "configs/nano-adamw.json", .seed = 3};
    }
    RunRequest resume(const std::string& name = "a") const {
        RunRequest r = request(name);
        r.resume = true;
        return r;
    }
    RunRequest overwrite(const std::string& name = "a") const {
        RunRequest r = request(name);
        r.overwrite = true;
        return r;
    }
    std::string refusal(const RunRequest& r) {
        return message_of<InputError>([&] { RunDirectory d(r); });
    }
};

TEST_F(RunDirectoryTest, SaysWhetherItsWriterLives) {
    fs::create_directories(path("runs"));
    EXPECT_EQ(writer_lives(path("runs/a")), std::nullopt);
    {
        const RunDirectory directory(request());
        EXPECT_EQ(writer_lives(directory.path()), true);
    }
    const pid_t child = ::fork();
    if (child == 0) {
        const RunDirectory directory(resume());
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(writer_lives(path("runs/a")), false);
    write_file(path("runs/a/.lock"), "process 1 on another-machine");
    EXPECT_EQ(writer_lives(path("runs/a")), std::nullopt);
}

TEST_F(RunDirectoryTest, NamesItselfAfterConfigAndSeed) {
    RunRequest r = request("");
    EXPECT_EQ(run_path(r), path("runs/nano-adamw-s3"));
    EXPECT_TRUE(names().empty()) << "looking must not write";
    const RunDirectory run(r);
    EXPECT_EQ(run.path(), path("runs/nano-adamw-s3"));
    EXPECT_EQ(run.name(), "nano-adamw-s3");
    EXPECT_FALSE(run.resumed());
    run.write_config({{"seed", 3}});
    run.write_manifest({{"commit", "abc"}});
    EXPECT_EQ(parse_json(read_file(run.config_path()), "c"), (Json{{"seed", 3}}));
    EXPECT_EQ(parse_json(read_file(path("runs/nano-adamw-s3/manifest.json")), "m"), (Json{{"commit", "abc"}}));
}

TEST_F(RunDirectoryTest, RefusesNamesThatAreNone) {
    for (const char* name : {".", "..", ".hidden", "a/b", "/", "-x", "a\nb"})
        EXPECT_NE(refusal(request(name)).find("expected a file name"), std::string::npos) << name;
    EXPECT_TRUE(names().empty());
}

TEST_F(RunDirectoryTest, RefusesAnExistingRunAndSaysWhatHelps) {
    { RunDirectory(request()).write_config({}); }
    const std::string error = refusal(request());
    for (const char* help : {"exists", "--resume", "--overwrite", "--set name="})
        EXPECT_NE(error.find(help), std::string::npos) << error;
}

TEST_F(RunDirectoryTest, ResumesOrStartsFresh) {
    EXPECT_FALSE(RunDirectory(resume()).resumed());
    { RunDirectory(resume("b")).write_config({}); }
    const RunDirectory again(resume("b"));
    EXPECT_TRUE(again.resumed());
    EXPECT_TRUE(fs::exists(again.config_path()));
}

TEST_F(RunDirectoryTest, OverwriteEmptiesARunOnly) {
    {
        RunDirectory run(request());
        run.write_config({});
        write_file(run.log_path(), "{}\n");
        fs::create_directories(run.checkpoints_path() + "/step_000001");
    }
    {
        const RunDirectory run(overwrite());
        EXPECT_FALSE(run.resumed());
        EXPECT_FALSE(fs::exists(run.config_path()) || fs::exists(run.log_path()) || fs::exists(run.checkpoints_path()));
    }
    // A log alone makes a run too.
    write_file(path("runs/a/log.jsonl"), "");
    { RunDirectory run(overwrite()); }
    EXPECT_FALSE(fs::exists(path("runs/a/log.jsonl")));
    // A run that was stopped before it wrote anything.
    { RunDirectory run(overwrite()); }

    fs::create_directories(path("runs/thesis"));
    write_file(path("runs/thesis/chapter1.tex"), "years of work");
    EXPECT_NE(refusal(overwrite("thesis")).find("it is no run"), std::string::npos);
    EXPECT_NE(refusal(resume("thesis")).find("it is no run"), std::string::npos);
    EXPECT_EQ(read_file(path("runs/thesis/chapter1.tex")), "years of work");
    EXPECT_FALSE(fs::exists(path("runs/thesis/.lock")));
    write_file(path("runs/file"), "x");
    EXPECT_NE(refusal(overwrite("file")).find("is no folder"), std::string::npos);
}

TEST_F(RunDirectoryTest, AReplayGoesBeside) {
    { RunDirectory(request()).write_config({}); }
    write_file(path("runs/a/log.jsonl"), "{}\n");
    RunRequest replay = request("");
    replay.config_path = path("runs/a/config.json"), replay.runs = path("elsewhere");
    {
        const RunDirectory first(replay);
        EXPECT_EQ(first.path(), path("runs/a-replay-1"));
    }
    EXPECT_EQ(run_path(replay), path("runs/a-replay-2"));
    replay.name = "a";  // as the resolved config says
    EXPECT_EQ(run_path(replay), path("runs/a-replay-2"));
    replay.name = "b";
    EXPECT_EQ(run_path(replay), path("elsewhere/b"));
    replay.name = "", replay.resume = true;
    EXPECT_EQ(run_path(replay), path("runs/a"));
    // A config that happens to have that name.
    write_file(path("config.json"), "{}");
    RunRequest plain = request("");
    plain.config_path = path("config.json");
    EXPECT_EQ(run_path(plain), path("runs/config-s3"));
}

TEST_F(RunDirectoryTest, AReplayFromInsideTheRun) {
    { RunDirectory(request()).write_config({}); }
    write_file(path("runs/a/log.jsonl"), "{}\n");
    const fs::path before = fs::current_path();
    fs::current_path(path("runs/a"));
    RunRequest replay = request("");
    replay.config_path = "config.json";
    const std::string bare = run_path(replay);
    replay.config_path = "./config.json";
    const std::string dotted = run_path(replay);
    fs::current_path(before);
    EXPECT_EQ(fs::path(bare).filename(), "a-replay-1");
    EXPECT_EQ(fs::path(bare).parent_path().filename(), "runs");
    EXPECT_EQ(dotted, bare);
}

TEST_F(RunDirectoryTest, OneWriterAtATime) {
    const auto first = std::make_unique<RunDirectory>(request());
    first->write_config({});
    for (const RunRequest& r : {resume(), overwrite()}) {
        const std::string error = refusal(r);
        EXPECT_NE(error.find("another process is writing this run (process " + std::to_string(::getpid()) + " on "),
                  std::string::npos)
            << error;
    }
    EXPECT_TRUE(fs::exists(first->config_path())) << "overwrite must not delete a run that is being written";
}

TEST_F(RunDirectoryTest, TheLockGoesWithItsProcess) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            const RunDirectory run(request());
            run.write_config({});
            if (::write(ready[1], "x", 1) == 1) ::pause();
        } catch (...) {
        }
        ::_exit(1);
    }
    char x = 0;
    ASSERT_EQ(::read(ready[0], &x, 1), 1);
    EXPECT_NE(refusal(resume()).find("process " + std::to_string(child)), std::string::npos);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]), ::close(ready[1]);
    EXPECT_TRUE(RunDirectory(resume()).resumed());
}

TEST_F(RunDirectoryTest, AParentThatIsAFile) {
    write_file(path("runs"), "x");
    EXPECT_NE(refusal(request()).find(path("runs")), std::string::npos);
    EXPECT_EQ(names(), std::vector<std::string>{"runs"});
}

TEST_F(RunDirectoryTest, AReadOnlyParent) {
    const testing::SmallDisk disk(folder(), 1 << 20);
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a small disk";
    fs::create_directories(path("runs/old"));
    write_file(path("runs/old/config.json"), "{}");
    ASSERT_TRUE(disk.make_read_only());
    EXPECT_EQ(message_of<StorageError>([&] { RunDirectory d(request()); }),
              path("runs/a") + ": cannot make the run's folder: Read-only file system");
    EXPECT_EQ(message_of<StorageError>([&] { RunDirectory d(resume("old")); }),
              path("runs/old") + ": cannot write in the run's folder: Read-only file system");
    EXPECT_EQ(message_of<StorageError>([&] { RunDirectory d(overwrite("old")); }),
              path("runs/old") + ": cannot write in the run's folder: Read-only file system");
}

}  // namespace
}  // namespace steepest
