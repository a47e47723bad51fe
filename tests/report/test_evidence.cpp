// The word "reconstruction" beside what a preset says was pieced together.
#include "report/arm_export.h"
#include "report/arm_tables.h"
#include "report/compare.h"
#include "report/csv.h"
#include "tests/report/logs.h"

namespace steepest::report {
namespace {

class Evidence : public RunTest {
protected:
    RunRecord one(const std::string& optimizer, const std::string& evidence, int seed) const {
        const std::string name = optimizer + std::to_string(seed);
        write(name + "/config.json", R"({"seed": )" + std::to_string(seed) + R"(, "optimizer": {"name": ")" +
                                         optimizer + R"(", "evidence": ")" + evidence +
                                         R"(", "groups": {"all": {"learning_rate": 1}}}})");
        return read_run(
            run(name, start_line(name, optimizer) + eval_line(0, 6) + eval_line(10, 3 + seed) + end_line(10, "done")));
    }
};

TEST_F(Evidence, IsShownWhereverAnArmOrARunsOptimizerIs) {
    const std::vector<RunRecord> runs = {one("adamw", "defaults; no reconstruction", 1), one("adamw", "defaults", 2),
                                         one("gluon", "reconstruction: by the abstract", 1),
                                         one("gluon", "reconstruction: by the abstract", 2)};
    const Arms arms = arms_of(runs, Axis::step);
    const double target = 5;
    for (const std::string& text :
         {arm_table(runs, arms, 0), arm_cost_table(runs, arms, 0), arm_target_table(runs, arms, {&target, 1}),
          comparison_table(runs, 0, Axis::step), arm_curves_csv(runs, arms), learning_rates_csv(arms),
          page_data(runs, arms, {}).dump(), labelled_curves_csv(runs)}) {
        const bool arm = text.find("gluon (reconstruction)") != text.npos;
        const bool its_run = text.find("gluon1 (reconstruction)") != text.npos;
        EXPECT_TRUE(arm || its_run) << text;
        EXPECT_EQ(text.find("adamw (reconstruction)"), text.npos) << text;
        EXPECT_EQ(text.find("adamw1 (reconstruction)"), text.npos) << text;
    }
    EXPECT_EQ(arms.arms[1].name, "gluon") << "as --baseline names it";
    EXPECT_EQ(curves_csv(runs).find("reconstruction"), std::string::npos) << "names that other programs look up";
}

TEST_F(Evidence, ArmsOfOneOptimizerAreNotToldApartByIt) {
    const std::vector<RunRecord> runs = {one("gluon", "reconstruction: by the abstract", 1),
                                         one("gluon", "reconstruction: in other words", 2)};
    EXPECT_EQ(arms_of(runs, Axis::step).arms.size(), 1u);
}

}  // namespace
}  // namespace steepest::report
