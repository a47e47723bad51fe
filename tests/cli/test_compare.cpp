// `steepest compare` as a user calls it, but within this process.
#include "cli/command.h"
#include "core/error.h"
#include "core/file.h"
#include "tests/report/logs.h"

#include <algorithm>

namespace steepest::cli {
namespace {

class CompareCommand : public report::RunTest {
protected:
    void SetUp() override {
        run("a", report::start_line("a", "adamw") + report::eval_line(0, 6) + report::train_line(10, 4) +
                     report::eval_line(10, 4) + report::end_line(10, "done"));
        run("b", report::start_line("b", "muon") + report::eval_line(0, 6) + report::eval_line(10, 2) +
                     report::end_line(10, "done"));
    }
    // What it prints.
    std::string compare(std::vector<std::string> arguments) const {
        CLI::App app;
        const Action action = add_compare(app);
        std::ranges::reverse(arguments);
        app.parse(arguments);
        ::testing::internal::CaptureStdout();
        try {
            action();
        } catch (...) {
            ::testing::internal::GetCapturedStdout();
            throw;
        }
        return ::testing::internal::GetCapturedStdout();
    }
};

TEST_F(CompareCommand, PrintsTablesPlotAndWritesCsv) {
    const std::string text =
        compare({path("a"), path("b"), "--target", "5", "--target", "3", "--plot", "--csv", path("curves.csv")});
    for (const char* part :
         {"to the final loss of a, 4.0000", "to loss 5", "to loss 3", "\nb    muon", " validation loss (nats/token)\n"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    EXPECT_EQ(read_file(path("curves.csv")),
              "run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n"
              "a,adamw,eval,0,0,0,0,0,6\n"
              "a,adamw,train,10,100,10,1080,5,4\n"
              "a,adamw,eval,10,100,10,1080,5,4\n"
              "b,muon,eval,0,0,0,0,0,6\n"
              "b,muon,eval,10,100,10,1080,5,2\n");
}

TEST_F(CompareCommand, InAPipeThereIsNoPlotUnlessAskedFor) {
    EXPECT_EQ(compare({path("a")}).find("(nats/token)\n"), std::string::npos);
}

TEST_F(CompareCommand, TheBaselineIsTheFirstRunOrTheOneNamed) {
    EXPECT_NE(compare({path("b"), path("a")}).find("of b, 2.0000"), std::string::npos);
    EXPECT_NE(compare({path("a"), path("b"), "--baseline", "b"}).find("of b, 2.0000"), std::string::npos);
    EXPECT_EQ(report::message_of<InputError>([&] {
                  compare({path("a"), path("b"), "--baseline", "other"});
              }),
              "--baseline: \"other\" is not one of: a, b");
}

TEST_F(CompareCommand, NothingIsWrittenOnBadInput) {
    EXPECT_THROW(compare({path("a"), path("missing"), "--csv", path("x.csv")}), InputError);
    EXPECT_THROW(compare({path("a"), "--csv", path("x.csv"), "--png", path("x.gif")}), InputError);
    EXPECT_THROW(compare({path("a"), "--csv", path("x.csv"), "--by", "hours"}), InputError);
    EXPECT_FALSE(std::filesystem::exists(path("x.csv")));
    EXPECT_THROW(compare({path("a"), "--csv", path("no/x.csv")}), StorageError);
}

}  // namespace
}  // namespace steepest::cli
