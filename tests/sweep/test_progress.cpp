// A sweep's folder, made by hand, as rows and as text.
#include "core/file.h"
#include "sweep/progress.h"
#include "tests/temporary_folder.h"

namespace steepest::sweep {
namespace {

class Progress : public testing::TemporaryFolder {
protected:
    Progress() {
        config_ = read_config<SweepConfig>(
            parse_json(R"({"config": "c", "name": "s", "seeds": [1, 2, 3, 4, 5]})", "s.json"), "s.json");
        config_.runs = folder();
        std::vector<PlannedRun> runs = plan(config_, "s.json");
        for (PlannedRun& run : runs) run.steps = 100;
        made_.emplace(config_, runs);
    }
    const PlannedRun& run(int i) const { return made_->runs()[static_cast<std::size_t>(i)]; }
    void log(int i, const std::string& more) const {
        std::filesystem::create_directories(made_->path() + "/" + run(i).name);
        write_file(made_->log_path(run(i)), R"({"kind":"start","step":0,"run":"r"})"
                                            "\n" +
                                                more);
    }
    static std::string train(int step, double loss) {
        return R"({"kind":"train","step":)" + std::to_string(step) +
               R"(,"tokens":1,"gradients":1,"model_flops":1,"optimizer_flops":1,"loss":)" + Json(loss).dump() +
               R"(,"time":{"wall_s":)" + std::to_string(2 * step) + "}}\n";
    }
    static std::string end(const char* why) {
        return std::string(R"({"kind":"end","step":9,"reason":")") + why + "\"}\n";
    }

    SweepConfig config_;
    std::optional<Folder> made_;
};

TEST_F(Progress, IsReadFromTheDiskAlone) {
    log(0, train(9, 2.5) + end("done"));
    log(1, train(10, 3) + train(40, 2) +
               R"({"kind":"eval","step":40,"tokens":1,"gradients":1,"model_flops":1,"optimizer_flops":1,"loss":2.25,)"
               R"("split":"validation"})"
               "\n"
               R"({"kind":"train","step":41,"to)");
    log(2, train(9, 7) + end("diverged"));
    made_->set_failed(run(3), "no disk");
    const auto held = Lock::take(made_->lock_path(run(1)));
    ASSERT_TRUE(held);

    const Folder folder = Folder::open(made_->path());
    ProgressReader reader(folder);
    std::vector<RunProgress> rows = reader.read();
    ASSERT_EQ(rows.size(), 5u);
    std::vector<std::string> status;
    for (const RunProgress& row : rows) status.emplace_back(row.status());
    EXPECT_EQ(status, (std::vector<std::string>{"done", "running", "diverged", "failed", "waiting"}));
    EXPECT_EQ(rows[1].step, 40);
    EXPECT_EQ(rows[1].steps, 100);
    EXPECT_EQ(rows[1].loss, 2);
    EXPECT_EQ(rows[1].validation, 2.25);
    EXPECT_EQ(rows[1].seconds_left(), 120) << "60 steps at 2 seconds";
    EXPECT_EQ(rows[3].note, "no disk");
    // The running one, and a whole run at the mean pace.
    EXPECT_EQ(summary(rows), "1 running, 1 waiting, 1 done, 1 diverged, 1 failed; about 5:20 left");

    log(1, train(40, 2) + train(50, 1));
    EXPECT_EQ(reader.read()[1].step, 50) << "it is read again when it has changed";
}

TEST_F(Progress, WhatDoesNotFitIsCounted) {
    log(0, train(9, 2.5) + end("done"));
    log(2, train(9, 7) + end("diverged"));
    const auto held = Lock::take(made_->lock_path(run(3)));
    ProgressReader reader(*made_);
    const std::vector<RunProgress> rows = reader.read();
    const std::string all = progress_text(rows, 8), few = progress_text(rows, 6);
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 8);
    EXPECT_EQ(std::count(few.begin(), few.end(), '\n'), 6);
    for (const char* shown : {"s3", "s4", "... and 3 more runs"}) EXPECT_NE(few.find(shown), few.npos) << few;
    for (const char* hidden : {"s1", "s2", "s5"}) EXPECT_EQ(few.find(hidden), few.npos) << few;
}

TEST_F(Progress, AFolderThatIsNoSweepIsSaid) {
    EXPECT_FALSE(Folder::is_sweep(folder()));
    EXPECT_TRUE(Folder::is_sweep(made_->path()));
    EXPECT_NE(testing::message_of<InputError>([&] { Folder::open(folder()); }).find("sweep.json"), std::string::npos);
}

}  // namespace
}  // namespace steepest::sweep
