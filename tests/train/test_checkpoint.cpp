#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "tests/small_disk.h"
#include "tests/train/checkpoint_fixture.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace steepest {
namespace {

namespace fs = std::filesystem;
using testing::message_of;
using testing::TinyRun;

using Checkpoint = testing::CheckpointTest;

const std::vector<std::string> kFiles = {"weights.safetensors", "optimizer.safetensors", "state.json"};

TEST_F(Checkpoint, Names) {
    EXPECT_EQ(checkpoint_name(0), "step_000000");
    EXPECT_EQ(checkpoint_name(500), "step_000500");
    EXPECT_EQ(checkpoint_name(12345678), "step_12345678");
}

TEST_F(Checkpoint, ReturnsEveryBit) {
    TinyRun run, other;
    EXPECT_EQ(load(other), std::nullopt);
    EXPECT_EQ(save(run, 500), path("checkpoints/step_000500"));
    EXPECT_EQ(load(other), TinyRun::state(500));
    EXPECT_TRUE(other.is_at(500));
    EXPECT_EQ(warnings(), "");
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(path("checkpoints/step_000500")))
        files.push_back(entry.path().filename().string());
    std::sort(files.begin(), files.end());
    EXPECT_EQ(files, (std::vector<std::string>{"optimizer.safetensors", "state.json", "weights.safetensors"}));

    const Json state = parse_json(read_file(path("checkpoints/step_000500/state.json")), "state");
    EXPECT_EQ(state["weights_checksum"],
              to_hex(hash64(read_file(path("checkpoints/step_000500/weights.safetensors")))));
    EXPECT_EQ(state["data_hash"], "fedcba9876543210");
    EXPECT_EQ(Safetensors(path("checkpoints/step_000500/weights.safetensors")).metadata().at("step"), "500");
}

TEST_F(Checkpoint, NewestByNumberNotByName) {
    TinyRun run, other;
    save(run, 999999), save(run, 1000000), save(run, 5);
    EXPECT_EQ(load(other)->step, 1000000);
    EXPECT_TRUE(other.is_at(1000000));
}

TEST_F(Checkpoint, OptimizerWithoutState) {
    TinyRun run, other;
    run.set(1);
    checkpoints().save(TinyRun::state(1), run.weights(), {});
    EXPECT_EQ(checkpoints().load_latest(other.weights(), {})->step, 1);
    EXPECT_TRUE(other.is_at(1, false));
}

TEST_F(Checkpoint, WeightsAlone) {
    TinyRun run, other;
    const std::string folder = save(run, 1);
    fs::remove(folder + "/optimizer.safetensors");
    EXPECT_EQ(checkpoints().load_latest_weights(other.weights())->step, 1);
    EXPECT_TRUE(other.is_at(1, false));
    EXPECT_EQ(checkpoints().load_weights(folder, other.weights()).step, 1);
    EXPECT_NE(message_of<InputError>([&] {
                  checkpoints().load(folder, other.weights(), other.optimizer());
              }).find("optimizer.safetensors: cannot open"),
              std::string::npos);
}

TEST_F(Checkpoint, KeepsTheLastOnes) {
    TinyRun run;
    for (int step = 1; step <= 5; ++step) save(run, step, 2);
    EXPECT_EQ(steps(), (std::vector<std::string>{"step_000004", "step_000005"}));
    save(run, 6, 0);
    EXPECT_EQ(steps().size(), 3u);
    save(run, 7, 1);
    EXPECT_EQ(steps(), std::vector<std::string>{"step_000007"});
}

TEST_F(Checkpoint, ADamagedNewerOneCostsNoGoodOne) {
    TinyRun run, other;
    save(run, 1), save(run, 2), save(run, 9);
    fs::remove(path("checkpoints/step_000009/state.json"));
    EXPECT_EQ(load(other)->step, 2);
    save(run, 3, 2);
    EXPECT_EQ(steps(), (std::vector<std::string>{"step_000002", "step_000003", "step_000009"}));
    EXPECT_EQ(load(other)->step, 3);
}

TEST_F(Checkpoint, TheSameStepAgainReplacesIt) {
    TinyRun run, other;
    save(run, 1), save(run, 2);
    fs::resize_file(path("checkpoints/step_000002/weights.safetensors"), 30);
    save(run, 2);
    EXPECT_EQ(steps(), (std::vector<std::string>{"step_000001", "step_000002"}));
    EXPECT_EQ(load(other)->step, 2);
    EXPECT_TRUE(other.is_at(2));
}

// What a kill can leave between the renames of a replacement, and of half a removal.
TEST_F(Checkpoint, LeftoversOfAKill) {
    TinyRun run, other;
    save(run, 1), save(run, 2);
    fs::rename(path("checkpoints/step_000002"), path("checkpoints/step_000002.replaced"));
    fs::create_directory(path("checkpoints/step_000003.tmp"));
    write_file(path("checkpoints/step_000003.tmp/weights.safetensors"), "half");
    EXPECT_EQ(load(other)->step, 2);
    EXPECT_EQ(warnings(), "");
    save(run, 2);
    EXPECT_EQ(steps(), (std::vector<std::string>{"step_000001", "step_000002"}));
}

TEST_F(Checkpoint, EveryFlippedByteIsFound) {
    TinyRun run, other;
    save(run, 100);
    const std::string folder = save(run, 200);
    for (const std::string& name : kFiles) {
        const std::string file = folder + "/" + name, good = read_file(file);
        for (std::size_t i = 0; i < good.size(); ++i) {
            std::string bad = good;
            bad[i] = static_cast<char>(bad[i] ^ 1);
            // Not through write_file: a thousand syncs take their time.
            std::FILE* out = std::fopen(file.c_str(), "wb");
            std::fwrite(bad.data(), 1, bad.size(), out), std::fclose(out);
            ASSERT_EQ(load(other)->step, 100) << name << " byte " << i;
            ASSERT_NE(warnings().find(file), std::string::npos) << name << " byte " << i;
        }
        write_file(file, good);
    }
    EXPECT_EQ(load(other)->step, 200);
    EXPECT_TRUE(other.is_at(200));
}

TEST_F(Checkpoint, EveryTruncationIsFound) {
    TinyRun run, other;
    save(run, 100);
    const std::string folder = save(run, 200);
    for (const std::string& name : kFiles) {
        const std::string file = folder + "/" + name, good = read_file(file);
        for (std::size_t tenth = 0; tenth < 10; ++tenth) {
            write_file(file, good.substr(0, good.size() * tenth / 10));
            ASSERT_EQ(load(other)->step, 100) << name << " at " << tenth << "/10";
            ASSERT_TRUE(other.is_at(100));
            ASSERT_NE(warnings().find(file), std::string::npos) << name << " at " << tenth << "/10";
        }
        write_file(file, good + "x");
        EXPECT_EQ(load(other)->step, 100) << name;
        write_file(file, good);
    }
}

TEST_F(Checkpoint, MissingAndForeignFiles) {
    TinyRun run, other;
    save(run, 100);
    const std::string folder = save(run, 200);
    for (const std::string& name : kFiles) {
        const std::string file = folder + "/" + name, good = read_file(file);
        fs::remove(file);
        EXPECT_EQ(load(other)->step, 100) << name;
        EXPECT_NE(warnings().find(file + ": cannot open: No such file"), std::string::npos);
        for (const char* foreign : {"{}", "[1, 2]", "\"text\"", "not json", "{\"step\": 3}", "null"}) {
            write_file(file, foreign);
            EXPECT_EQ(load(other)->step, 100) << name << foreign;
            EXPECT_NE(warnings().find(file), std::string::npos) << foreign;
        }
        // The right kind of file, of another checkpoint.
        write_file(file, read_file(path("checkpoints/step_000100/" + name)));
        EXPECT_EQ(load(other)->step, 100) << name;
        EXPECT_NE(warnings().find("checksum is "), std::string::npos);
        write_file(file, good);
    }
    EXPECT_EQ(load(other)->step, 200);
}

TEST_F(Checkpoint, NoneIntactListsAll) {
    TinyRun run, other;
    save(run, 100), save(run, 200);
    for (const char* step : {"100", "200"})
        fs::resize_file(path(std::string("checkpoints/step_000") + step + "/optimizer.safetensors"), 3);
    other.set(7);
    const std::string error = message_of<InputError>([&] { load(other); });
    EXPECT_NE(error.find("no checkpoint is intact:\n"), std::string::npos) << error;
    EXPECT_NE(error.find("step_000100/optimizer.safetensors: is 3 bytes"), std::string::npos) << error;
    EXPECT_NE(error.find("step_000200/optimizer.safetensors: is 3 bytes"), std::string::npos) << error;
    EXPECT_TRUE(other.is_at(7));
}

TEST_F(Checkpoint, AnotherModelOrOptimizerIsRefused) {
    TinyRun run;
    save(run, 100), save(run, 200);
    const auto refusal = [&](TinyRun& other) {
        other.set(7);
        const std::string error = message_of<InputError>([&] { load(other); });
        EXPECT_TRUE(other.is_at(7)) << "touched before it was refused";
        const std::string folder = path("checkpoints/step_000200/");
        EXPECT_EQ(error.rfind(folder, 0), 0u) << error;
        return error.substr(std::min(error.size(), folder.size()));
    };
    {
        TinyRun wider(8);
        EXPECT_EQ(refusal(wider),
                  "weights.safetensors: is of another model: tensor \"wte.weight\" is f32 (6, 2); expected f32 (8, 2)");
    }
    {
        TinyRun renamed;
        renamed.weight_list()[1].name = "ln_g.bias";
        EXPECT_EQ(refusal(renamed),
                  "weights.safetensors: is of another model: tensor \"ln_g.bias\" is missing; expected f32 (3)");
    }
    {
        TinyRun fewer;
        fewer.weight_list().pop_back();
        EXPECT_EQ(
            refusal(fewer),
            "weights.safetensors: is of another model: tensor \"ln_f.bias\", f32 (3), is unknown to this run's model");
    }
    {
        TinyRun sgd;
        sgd.optimizer_list().clear();
        EXPECT_EQ(refusal(sgd),
                  "optimizer.safetensors: is of another optimizer: tensor \"wte.weight/estimator/m\", f32 (6, 2), is "
                  "unknown to this run's optimizer");
    }
    {
        TinyRun half;
        half.optimizer_list()[1].tensor.dtype = DType::bf16;
        EXPECT_EQ(refusal(half),
                  "optimizer.safetensors: is of another optimizer: tensor \"wte.weight/estimator/v\" is f32 (6, 2); "
                  "expected bf16 (6, 2)");
    }
    EXPECT_EQ(warnings(), "");
}

TEST_F(Checkpoint, AFullDiskLeavesWhatIsThere) {
    TinyRun run(200000), other(200000);  // 1.6 MB a tensor
    save(run, 100);
    std::string error;
    {
        const testing::FileSizeLimit limit(1 << 20);
        error = message_of<StorageError>([&] { save(run, 200, 1); });
    }
    EXPECT_NE(error.find("weights.safetensors: cannot write: File too large; the checkpoint of step 200 was not "
                         "written; the last one is " +
                         path("checkpoints/step_000100")),
              std::string::npos)
        << error;
    EXPECT_EQ(steps(), std::vector<std::string>{"step_000100"});
    EXPECT_EQ(load(other)->step, 100);
    EXPECT_TRUE(other.is_at(100));
    save(run, 200, 1);
    EXPECT_EQ(load(other)->step, 200);
}

TEST_F(Checkpoint, ASmallDiskLeavesWhatIsThere) {
    const testing::SmallDisk disk(folder(), 8 << 20);
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a small disk";
    TinyRun run(200000), other(200000);  // 4.8 MB a checkpoint
    save(run, 100);
    const std::string error = message_of<StorageError>([&] { save(run, 200, 1); });
    EXPECT_NE(error.find("No space left on device"), std::string::npos) << error;
    EXPECT_EQ(steps(), std::vector<std::string>{"step_000100"});
    EXPECT_EQ(load(other)->step, 100);
    ASSERT_TRUE(disk.make_read_only());
    const std::string read_only = message_of<StorageError>([&] { save(run, 200, 1); });
    EXPECT_NE(read_only.find("Read-only file system"), std::string::npos) << read_only;
    EXPECT_EQ(load(other)->step, 100);
    EXPECT_TRUE(other.is_at(100));
}

}  // namespace
}  // namespace steepest
