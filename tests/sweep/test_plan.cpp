// A sweep's file into its runs.
#include "sweep/plan.h"
#include "tests/temporary_folder.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace steepest::sweep {
namespace {

using testing::message_of;

SweepConfig sweep_of(const char* text) { return read_config<SweepConfig>(parse_json(text, "s.json"), "s.json"); }
std::vector<std::string> names_of(const std::vector<PlannedRun>& runs) {
    std::vector<std::string> names;
    for (const PlannedRun& run : runs) names.push_back(run.name);
    return names;
}

TEST(Plan, ArmsHaveGridsOfTheirOwnAndShareTheRest) {
    const auto runs = plan(sweep_of(R"({"config": "c", "seeds": [1, 2], "set": {"steps": 5, "batch": 2},
        "arms": [{"name": "a", "set": {"optimizer": "adamw", "batch": 4}, "axes": {"optimizer.lr_scale": [0.5, 1]}},
                 {"name": "m", "set": {"optimizer": "muon"}, "axes": {"optimizer.lr_scale": [2]}}]})"),
                           "s.json");
    EXPECT_EQ(names_of(runs), (std::vector<std::string>{"a-lr_scale0.5-s1", "a-lr_scale0.5-s2", "a-lr_scale1-s1",
                                                        "a-lr_scale1-s2", "m-lr_scale2-s1", "m-lr_scale2-s2"}));
    EXPECT_EQ(runs[3].sets(),
              (std::vector<std::string>{"batch=4", "optimizer=\"adamw\"", "optimizer.lr_scale=1", "seed=2", "steps=5"}))
        << "the arm wins over the sweep, and a preset stands before what is changed in it";
    EXPECT_EQ(runs[4].settings.at("batch"), 2);
    EXPECT_EQ(runs[2].point, runs[3].point);
    EXPECT_NE(runs[1].point, runs[2].point);
}

TEST(Plan, PresetsAreAnAxisAndPointsAreAList) {
    EXPECT_EQ(names_of(plan(sweep_of(R"({"config": "c", "axes": {"optimizer": ["muon", "adamw"]},
                                         "points": [{"batch": 2, "steps": 8}, {"batch": 4}]})"),
                            "s.json")),
              (std::vector<std::string>{"batch2-steps8-muon-s1", "batch2-steps8-adamw-s1", "batch4-muon-s1",
                                        "batch4-adamw-s1"}));
}

TEST(Plan, DrawsStayWhenThereAreMoreOfThem) {
    const char* text = R"({"config": "c", "samples": 200, "axes": {
        "optimizer.lr_scale": {"log_uniform": [0.001, 10]}, "max_gradient_norm": {"uniform": [1, 3]},
        "batch": {"choice": [2, 4]}}})";
    SweepConfig config = sweep_of(text);
    const auto many = plan(config, "s.json");
    config.samples = 20;
    const auto few = plan(config, "s.json");
    ASSERT_EQ(many.size(), 200u);
    double mean = 0;
    std::set<int> batches;
    for (std::size_t i = 0; i < many.size(); ++i) {
        if (i < few.size()) {
            EXPECT_EQ(many[i].settings, few[i].settings) << i;
        }
        const double lr = many[i].settings.at("optimizer.lr_scale").get<double>();
        EXPECT_TRUE(lr >= 0.001 && lr <= 10) << lr;
        const double norm = many[i].settings.at("max_gradient_norm").get<double>();
        EXPECT_TRUE(norm >= 1 && norm <= 3) << norm;
        mean += std::log10(lr) / 200;
        batches.insert(many[i].settings.at("batch").get<int>());
    }
    // log10 is uniform on [-3, 1]: mean -1, and the mean of 200 has a standard deviation of (4/sqrt(12))/sqrt(200).
    EXPECT_NEAR(mean, -1, 4 * 4 / std::sqrt(12.0) / std::sqrt(200.0));
    EXPECT_EQ(batches, (std::set<int>{2, 4}));
}

TEST(Plan, ShardsPartitionTheRuns) {
    const auto runs = plan(sweep_of(R"({"config": "c", "axes": {"batch": [1, 2, 3, 4, 5]}, "seeds": [1, 2, 3]})"), "s");
    using Unit = SweepConfig::Unit;
    for (const Unit unit : {Unit::run, Unit::point, Unit::arm}) {
        std::vector<int> taken(runs.size());
        for (std::size_t shard = 1; shard <= 4; ++shard)
            for (std::size_t i = 0; i < runs.size(); ++i) taken[i] += Shard{shard, 4}.has(runs[i], i, unit);
        EXPECT_EQ(taken, std::vector<int>(runs.size(), 1));
    }
    EXPECT_EQ(parse_shard("2/8").index, 2u);
    for (const char* bad : {"0/2", "3/2", "1", "1/", "a/b", "1/2x", "-1/2", ""})
        EXPECT_THROW(parse_shard(bad), InputError) << bad;
}

TEST(Plan, AllMistakesAtOnce) {
    const std::string message = message_of<InputError>([] {
        sweep_of(R"({"config": "c", "sedes": [1], "axes": {"a": {"log_uniform": [0, 1]}, "b": {"unifrom": [1, 2]},
                     "c": [], "d": {"uniform": [2, 1]}}})");
    });
    for (const char* part : {"5 mistakes", "did you mean \"seeds\"?", "/axes/a", "above 0", "did you mean \"uniform\"?",
                             "/axes/c", "/axes/d", "low below high"})
        EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
    EXPECT_NE(message_of<InputError>([] {
                  plan(sweep_of(R"({"config": "c", "axes": {"batch": [1, 1]}})"), "s.json");
              }).find("two runs would be called \"batch1-s1\""),
              std::string::npos);
}

}  // namespace
}  // namespace steepest::sweep
