// `steepest export`: the same log in other programs' formats, read back by those programs where they are installed.
#include "tests/cli/process.h"
#include "tests/train/run_fixture.h"

namespace steepest {
namespace {

using testing::expect_has;
using testing::Outcome;
namespace fs = std::filesystem;

// One that may have what Debian does not.
std::string python() {
    const char* chosen = std::getenv("STEEPEST_TEST_PYTHON");
    return chosen && *chosen ? chosen : "python3";
}
bool has(const std::string& module) {
    return std::system((python() + " -c 'import " + module + "' 2>/dev/null").c_str()) == 0;
}

class Export : public testing::RunTest {
protected:
    ~Export() override { ::unsetenv("STEEPEST_PYTHON"); }
    Outcome run(const std::vector<std::string>& arguments) const { return testing::steepest(arguments, folder()); }
    // What a program in Python prints, as JSON.
    Json printed(const std::string& program, const std::string& argument) const {
        EXPECT_EQ(std::system((python() + " " + program + " " + argument + " > " + path("printed.json")).c_str()), 0);
        return parse_json(read_file(path("printed.json")), "printed");
    }
    std::vector<Json> lines(const std::string& log, const std::string& kind) const {
        std::vector<Json> found;
        std::istringstream text(read_file(log));
        for (std::string line; std::getline(text, line);)
            if (Json json = Json::parse(line); json.at("kind") == kind) found.push_back(json);
        return found;
    }
};

TEST_F(Export, CsvHasAColumnAField) {
    fs::create_directories(path("x/a")), fs::create_directories(path("y/a")), fs::create_directories(path("x/b, c"));
    write_file(path("x/a/log.jsonl"),
               "{\"kind\":\"start\",\"step\":0}\n"
               "{\"kind\":\"eval\",\"step\":0,\"split\":\"validation\",\"loss\":6.25,\"time\":{\"wall_s\":1.5}}\n"
               "{\"kind\":\"train\",\"step\":1,\"loss\":null,\"nonfinite\":true,\"lr\":{\"m\":0.1,\"r\":2e-10}}\n"
               "{\"kind\":\"sample\",\"step\":1,\"tokens\":[1,2]}\n{\"kind\":\"tra");
    write_file(path("x/b, c/log.jsonl"), "{\"kind\":\"train\",\"step\":1,\"loss\":3,\"lr\":{\"all\":1}}\n");
    write_file(path("y/a/log.jsonl"), "{\"kind\":\"train\",\"step\":1,\"loss\":2}\n");
    const Outcome outcome = run({"export", "x", "y/a", "x/a", "--csv", "out.csv"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(read_file(path("out.csv")),
              "run,kind,step,split,loss,time.wall_s,nonfinite,lr.m,lr.r,lr.all\n"
              "x/a,eval,0,validation,6.25,1.5,,,,\n"
              "x/a,train,1,,,,true,0.1,2e-10,\n"
              "\"b, c\",train,1,,3,,,,,1\n"
              "y/a,train,1,,2,,,,,\n");
}

TEST_F(Export, EventFilesAreThoseOfTheTraining) {
    const std::string trained = train("a", {"log.tensorboard=true"});
    const Outcome outcome = run({"export", trained, "--tensorboard", "board"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string name = "/events.out.tfevents.steepest";
    EXPECT_EQ(read_file(path("board/a" + name)), read_file(trained + name));
}

TEST_F(Export, MistakesWriteNothing) {
    train("a");
    const Outcome nothing = run({"export", run_path("a")});
    EXPECT_EQ(nothing.code, 2);
    expect_has(nothing.err, {"--csv, --parquet, --tensorboard or --wandb"});
    const Outcome missing = run({"export", run_path("a"), path("none"), "--csv", "out.csv"});
    EXPECT_EQ(missing.code, 2);
    expect_has(missing.err, {path("none") + ": no such run"});
    write_file(path("bad.jsonl"), "{\"kind\":\"train\"}\nno\n");
    const Outcome bad = run({"export", "bad.jsonl", "--csv", "out.csv"});
    EXPECT_EQ(bad.code, 2);
    expect_has(bad.err, {"bad.jsonl:2: not a line of a run log"});
    EXPECT_FALSE(fs::exists(path("out.csv")));
    EXPECT_EQ(run({"export", run_path("a"), "--csv", "no/out.csv"}).code, 6);
}

TEST_F(Export, APythonWithoutTheLibraryIsToldOf) {
    train("a");
    write_file(path("bare"), "#!/bin/sh\nexit 3\n");
    fs::permissions(path("bare"), fs::perms::owner_all);
    ::setenv("STEEPEST_PYTHON", path("bare").c_str(), 1);
    const Outcome parquet = run({"export", run_path("a"), "--parquet", "out.parquet"});
    const Outcome wandb = run({"export", run_path("a"), "--wandb", "out"});
    ::unsetenv("STEEPEST_PYTHON");
    EXPECT_EQ(parquet.code, 2);
    expect_has(parquet.err, {"out.parquet: cannot be made: no pyarrow (tried ", "pip install pyarrow"});
    EXPECT_EQ(wandb.code, 2);
    expect_has(wandb.err, {"no wandb", "pip install wandb"});
}

TEST_F(Export, ParquetHasTypes) {
    if (!has("pyarrow"))
        GTEST_SKIP() << python() << " has no pyarrow: pip install pyarrow, STEEPEST_TEST_PYTHON=its python";
    const std::string trained = train("a", {"optimizer=muon"});
    ::setenv("STEEPEST_PYTHON", python().c_str(), 1);
    const Outcome outcome = run({"export", trained, "--parquet", "out.parquet"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Json table = printed(std::string(STEEPEST_SOURCE_DIR) + "/tests/cli/read_parquet.py", path("out.parquet"));
    for (const auto& [column, type] : std::vector<std::pair<std::string, std::string>>{{"run", "string"},
                                                                                       {"kind", "string"},
                                                                                       {"step", "int64"},
                                                                                       {"tokens", "int64"},
                                                                                       {"loss", "double"},
                                                                                       {"lr.matrices", "double"},
                                                                                       {"data_hash", "string"},
                                                                                       {"time.step_ms", "double"}})
        EXPECT_EQ(table.at("types").at(column), type) << column;
    std::size_t row = 0;
    for (const Json& line : lines(trained + "/log.jsonl", "train")) {
        while (table.at("rows").at(row).at("kind") != "train") ++row;
        const Json& read = table.at("rows").at(row++);
        EXPECT_EQ(read.at("loss"), line.at("loss"));
        EXPECT_EQ(read.at("step"), line.at("step"));
        EXPECT_EQ(read.at("lr.matrices"), line.at("lr").at("matrices"));
        EXPECT_EQ(read.at("data_hash"), line.at("data_hash"));
        EXPECT_TRUE(read.at("split").is_null());
    }
    EXPECT_EQ(table.at("rows").size(), 8u + 3u);
}

TEST_F(Export, WandbHasARunThatWasNeverOnline) {
    if (!has("wandb")) GTEST_SKIP() << python() << " has no wandb: pip install wandb, STEEPEST_TEST_PYTHON=its python";
    const std::string trained = train("a", {"optimizer=muon"});
    ::setenv("STEEPEST_PYTHON", python().c_str(), 1);
    const Outcome outcome = run({"export", trained, "--wandb", "out"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const std::string script = std::string(STEEPEST_SOURCE_DIR) + "/tests/cli/read_wandb.py";
    const Json read = printed(script, path("out"));
    EXPECT_EQ(read.at("files"), 1);
    EXPECT_EQ(read.at("name"), "a");
    EXPECT_EQ(read.at("config").at("optimizer").at("name"), "muon");
    const std::vector<Json> trains = lines(trained + "/log.jsonl", "train"),
                            evals = lines(trained + "/log.jsonl", "eval");
    ASSERT_EQ(read.at("rows").size(), 9u) << "the evaluation before the first step, and eight steps";
    EXPECT_EQ(read.at("rows")[0].at("loss/validation"), evals[0].at("loss"));
    for (int step = 1; step <= 8; ++step) {
        const Json& row = read.at("rows")[step];
        EXPECT_EQ(row.at("_step"), step);
        EXPECT_EQ(row.at("loss/train"), trains[step - 1].at("loss"));
        EXPECT_EQ(row.at("learning_rate/matrices"), trains[step - 1].at("lr").at("matrices"));
    }
    EXPECT_EQ(read.at("rows")[8].at("loss/validation"), evals[2].at("loss"));
}

}  // namespace
}  // namespace steepest
