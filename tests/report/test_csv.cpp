#include "report/csv.h"
#include "tests/report/logs.h"

#include <cmath>
#include <sstream>

namespace steepest::report {
namespace {

using CsvTest = RunTest;

TEST_F(CsvTest, LongFormAtFullPrecisionInOrderOfStep) {
    auto run = read_run(this->run("a", start_line("a", "x") + eval_line(0, 5.5610337257385254, 2) +
                                           train_line(1, 1.0 / 3) + eval_line(1, NAN, 2) + train_line(2, 4)));
    run.start.optimizer = "say \"x\"";
    run.name = "lr=0.1,b=2";
    run.train.seconds[1] = kUnknown;
    EXPECT_EQ(curves_csv(std::vector{run}),
              "run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n"
              "\"lr=0.1,b=2\",\"say \"\"x\"\"\",eval,0,0,0,0,0,5.561033725738525\n"
              "\"lr=0.1,b=2\",\"say \"\"x\"\"\",train,1,10,1,108,0.5,0.3333333333333333\n"
              "\"lr=0.1,b=2\",\"say \"\"x\"\"\",eval,1,10,2,108,0.5,nan\n"
              "\"lr=0.1,b=2\",\"say \"\"x\"\"\",train,2,20,2,216,nan,4\n");
}

TEST_F(CsvTest, ReadsBackToTheSameBits) {
    std::string log = start_line("a", "x");
    for (int step = 1; step <= 50; ++step)
        log += train_line(step, 6 / std::sqrt(step)) + eval_line(step, std::log(step + 1.1));
    const RunRecord run = read_run(this->run("a", log));
    std::istringstream csv(curves_csv(std::vector{run}));
    std::string line;
    std::getline(csv, line);
    Curve train, eval;
    while (std::getline(csv, line)) {
        std::vector<std::string> cells;
        std::istringstream row(line);
        for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
        ASSERT_EQ(cells.size(), 9u);
        Curve& curve = cells[2] == "train" ? train : eval;
        curve.step.push_back(std::stoll(cells[3])), curve.tokens.push_back(std::stoll(cells[4]));
        curve.gradients.push_back(std::stoll(cells[5])), curve.flops.push_back(std::stod(cells[6]));
        curve.seconds.push_back(std::stod(cells[7])), curve.loss.push_back(std::stod(cells[8]));
    }
    for (const auto& [read, written] : {std::pair(&train, &run.train), std::pair(&eval, &run.eval)}) {
        EXPECT_EQ(read->step, written->step);
        EXPECT_EQ(read->tokens, written->tokens);
        EXPECT_EQ(read->gradients, written->gradients);
        EXPECT_EQ(read->flops, written->flops);
        EXPECT_EQ(read->seconds, written->seconds);
        EXPECT_EQ(read->loss, written->loss);
    }
}

}  // namespace
}  // namespace steepest::report
