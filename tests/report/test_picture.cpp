#include "core/error.h"
#include "core/file.h"
#include "report/picture.h"
#include "tests/report/logs.h"

#include <cstdlib>

namespace steepest::report {
namespace {

constexpr const char* kCsv =
    "run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n"
    "a,adamw,eval,0,0,0,0,0,11\na,adamw,train,1,10,1,100,0.5,8\na,adamw,eval,10,100,10,1000,5,4\n"
    "a,adamw,eval,20,200,20,2000,10,3.5\n"
    "\"b, c\",muon,eval,0,0,0,0,0,11\n\"b, c\",muon,eval,10,100,20,1000,5,nan\n\"b, "
    "c\",muon,eval,20,200,40,2000,nan,3.4\n"
    "none,sgd,eval,0,0,0,0,0,nan\n";

class PictureTest : public RunTest {
protected:
    void SetUp() override {
        if (std::system("/usr/bin/python3 -c 'import matplotlib' 2>/dev/null") != 0)
            GTEST_SKIP() << "no matplotlib: Debian's python3-matplotlib is not installed";
        ::setenv("STEEPEST_PYTHON", "/usr/bin/python3", 1);
    }
    void TearDown() override { ::unsetenv("STEEPEST_PYTHON"); }

    // All there is in a folder of this test.
    std::vector<std::string> files(const std::string& folder) const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path(folder)))
            names.push_back(entry.path().filename().string());
        return names;
    }
};

TEST_F(PictureTest, DrawsEachFormatWholeAndLeavesNothingElse) {
    for (const auto& [name, begin] : {std::pair<std::string, std::string>{"curves.png", "\x89PNG\r\n\x1a\n"},
                                      {"curves.svg", "<?xml"},
                                      {"curves.pdf", "%PDF-"}}) {
        std::filesystem::create_directories(path(name + ".d"));
        const std::string picture = path(name + ".d/" + name);
        draw_picture(kCsv, picture, {.axis = Axis::tokens, .train = true});
        const std::string bytes = read_file(picture);
        EXPECT_EQ(bytes.substr(0, begin.size()), begin) << name;
        EXPECT_GT(bytes.size(), 5000u) << name;
        EXPECT_EQ(files(name + ".d"), std::vector<std::string>{name});
    }
}

TEST_F(PictureTest, SameCurvesSameBytesAndLabelsAreText) {
    draw_picture(kCsv, path("1.svg"), {});
    draw_picture(kCsv, path("2.svg"), {});
    const std::string svg = read_file(path("1.svg"));
    EXPECT_EQ(svg, read_file(path("2.svg")));
    for (const char* text : {">step<", ">validation loss (nats per token)<", "a  3.5000", "b, c  3.4000"})
        EXPECT_NE(svg.find(text), std::string::npos) << text;
}

TEST_F(PictureTest, SecondsNoRunsAndManyRuns) {
    // The one axis that may be NaN.
    draw_picture(kCsv, path("axis.svg"), {.axis = Axis::seconds});
    draw_picture("run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n", path("none.png"), {});
    std::string many = "run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n";
    for (int r = 0; r < 30; ++r)
        for (int step = 0; step < 3; ++step)
            many += std::string("r") + std::to_string(r) + ",x,eval," + std::to_string(step) + ",0,0,0,0," +
                    std::to_string(9 - step) + "\n";
    draw_picture(many, path("many.svg"), {});
    EXPECT_NE(read_file(path("many.svg")).find("r29"), std::string::npos);
}

TEST_F(PictureTest, AFolderThatIsNotThereIsAStorageError) {
    EXPECT_EQ(message_of<StorageError>([&] { draw_picture(kCsv, path("no/such.png"), {}); }),
              path("no/such.png") + ": cannot write: No such file or directory");
}

TEST_F(PictureTest, WhatTheScriptCannotReadIsItsLastWord) {
    const std::string message = message_of<Error>([&] { draw_picture("run,kind\na,b\n", path("x.png"), {}); });
    EXPECT_NE(message.find("plot_compare.py failed with code 1: "), std::string::npos) << message;
    EXPECT_FALSE(std::filesystem::exists(path("x.png")));
}

using PictureErrors = RunTest;

TEST_F(PictureErrors, APythonWithoutMatplotlibOrNoPythonAtAll) {
    // A stand-in that says what the script says where the module is missing.
    const std::string bare = write("bare-python", "#!/bin/sh\nexit 3\n");
    std::filesystem::permissions(bare, std::filesystem::perms::owner_all);
    for (const std::string& python : {bare, path("no-python")}) {
        ::setenv("STEEPEST_PYTHON", python.c_str(), 1);
        EXPECT_EQ(message_of<InputError>([&] { draw_picture(kCsv, path("x.png"), {}); }),
                  path("x.png") + ": cannot be made: no matplotlib (tried " + python +
                      "); install Debian's python3-matplotlib, or set STEEPEST_PYTHON to a Python that has it");
    }
    ::unsetenv("STEEPEST_PYTHON");
}

TEST_F(PictureErrors, OtherEndings) {
    for (const char* name : {"x.gif", "x", "png", "x.PNG"})
        EXPECT_EQ(message_of<InputError>([&] { check_picture_name(name); }),
                  std::string(name) + ": a picture's name must end in .png, .svg or .pdf");
    check_picture_name("a.b/x.svg");
}

}  // namespace
}  // namespace steepest::report
