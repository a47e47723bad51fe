// Which device a run takes, what it says of it, and what it does where there is none.
#include "tests/cli/process.h"
#include "tests/train/run_fixture.h"

namespace steepest {
namespace {

using testing::expect_has;
using testing::Outcome;
namespace fs = std::filesystem;

class DeviceChoice : public testing::RunTest {
protected:
    Outcome train(const std::string& config, const Sets& sets) const {
        std::vector<std::string> arguments = {"train", config};
        for (const std::string& set : sets) arguments.push_back("--set"), arguments.push_back(set);
        return testing::steepest(arguments, folder());
    }
    void refused(const Sets& sets, const std::vector<std::string>& parts) const {
        const Outcome outcome = train("tiny.json", sets);
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        expect_has(outcome.err, parts);
        EXPECT_FALSE(fs::exists(path("runs"))) << "something was written";
    }
    Json manifest(const std::string& name) const {
        const std::string file = run_path(name) + "/manifest.json";
        return parse_json(read_file(file), file);
    }
};

TEST_F(DeviceChoice, WhatIsNoDeviceIsRefused) {
    for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999"})
        refused({std::string("device=") + name}, {"/device", name, "auto, cpu, cuda, cuda:N"});
    refused({"device=cpu", "precision.compute=tf32"}, {"/precision/compute", "tf32 needs a GPU"});
}

TEST_F(DeviceChoice, ADeviceThatIsNotThereIsRefused) { refused({"device=cuda:77"}, {"cuda:77"}); }

// 13 TB of weights alone.
TEST_F(DeviceChoice, ARunThatDoesNotFitIsRefusedWithItsPlan) {
    refused({"model.layers=1000", "model.width=16384"}, {"the run needs", "the device has", "weights", "gradients",
                                                         "activations", "optimizer state", "micro_batch"});
}

TEST_F(DeviceChoice, AutoTakesAGpuWhereThereIsOneAndSaysWhatItTook) {
    const Outcome outcome = train("tiny.json", {"name=a", "steps=2"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const std::string said = outcome.out + outcome.err, device = manifest("a").at("device").get<std::string>();
    if (testing::testing_cuda()) {
        expect_has(said, {"cuda:0: ", "sm_", "cuBLASLt"});
        expect_has(device, {"cuda:0: "});
    } else {
        expect_has(said, {"cpu: ", "no GPU: "});
        expect_has(device, {"cpu: "});
        EXPECT_EQ(train("tiny.json", {"name=b", "steps=2", "device=cpu"}).err.find("no GPU"), std::string::npos);
    }
}

// What the library chose is in the manifest and in checkpoints; a run that resumes or replays uses exactly that, also
// where the choice was made by the clock.
TEST_F(DeviceChoice, AlgorithmsOfProductsAreKept) {
    if (!testing::testing_cuda()) GTEST_SKIP() << "no GPU is under test: STEEPEST_TEST_DEVICE is not cuda";
    const Sets searched = {"name=a", "steps=8", "checkpoint.every=4", "cuda.search_algorithms=true"};
    ASSERT_EQ(train("tiny.json", searched).code, 0);
    const Json chosen = manifest("a").at("library_choices");
    EXPECT_GT(chosen.at("products").size(), 5u);
    const std::string state = run_path("a") + "/checkpoints/step_000008/state.json";
    EXPECT_EQ(parse_json(read_file(state), state).at("library_choices"), chosen);

    const Outcome replayed = train("runs/a", {});
    ASSERT_EQ(replayed.code, 0) << replayed.err;
    EXPECT_EQ(manifest("a-replay-1").at("library_choices"), chosen);
    testing::expect_same_run(run_path("a"), run_path("a-replay-1"), 8);

    // Choices of another device are no use; the run says so and goes on.
    Json other = manifest("a");
    other["library_choices"]["device"] = "NVIDIA H100";
    write_file(run_path("a") + "/manifest.json", other.dump());
    const Outcome warned = train("runs/a", {"name=c", "steps=1"});
    EXPECT_EQ(warned.code, 0) << warned.err;
    expect_has(warned.out + warned.err, {"products may be rounded otherwise", "NVIDIA H100"});
}

}  // namespace
}  // namespace steepest
