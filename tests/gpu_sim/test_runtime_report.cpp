// The report of a run: another test of this program, run again with GPU_SIM_REPORT set.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

nlohmann::json report_of(const std::string& test) {
    const fs::path file = fs::temp_directory_path() / ("gpu_sim_report." + std::to_string(getpid()));
    const std::string self = fs::read_symlink("/proc/self/exe");
    const std::string command =
        "GPU_SIM_REPORT=" + file.string() + " '" + self + "' --gtest_filter=" + test + " >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::ifstream stream(file);
    auto report = nlohmann::json::parse(stream);
    fs::remove(file);
    return report;
}

// Three launches of a graph with one kernel: y[i] += a * x[i] on 100 floats.
TEST(RuntimeReport, CountsAKernelInAGraph) {
    const auto report = report_of("RuntimeLaunch.AGraphFreezesArguments");
    EXPECT_EQ(report["graph_launches"], 3);
    ASSERT_EQ(report["kernels"].size(), 1u);
    const auto& axpy = report["kernels"].begin().value();
    EXPECT_NE(report["kernels"].begin().key().find("axpy<float>"), std::string::npos);
    EXPECT_EQ(axpy["launches"], 3);
    EXPECT_EQ(axpy["flops"], 3 * 2 * 100);
    EXPECT_EQ(axpy["requested_global_read"], 3 * 2 * 400);
    EXPECT_EQ(axpy["requested_global_written"], 3 * 400);
    // 400 bytes touch 13 sectors.
    EXPECT_EQ(axpy["sectors_read"], 3 * 2 * 13);
    EXPECT_EQ(axpy["launch_sectors_written"], 3 * 13);
    EXPECT_EQ(axpy["opcodes"]["fma.rn.f32"], 3 * 4) << "four warps";
    EXPECT_EQ(report["copies"]["host->device"]["calls"], 2);
    EXPECT_EQ(report["copies"]["host->device"]["bytes"], 800);
    std::vector<std::string> where;
    for (const auto& one : report["executed"])
        if (one["kind"] == "kernel") where.push_back(one["where"]);
    ASSERT_EQ(where.size(), 3u);
    EXPECT_NE(where[0], where[1]);
    EXPECT_TRUE(where[2].ends_with("launch3")) << where[2];
}

TEST(RuntimeReport, CountsProducts) {
    const auto report = report_of("CublasLt.TakesManagedMemory");
    ASSERT_EQ(report["library"].size(), 1u);
    const auto& product = report["library"].begin().value();
    EXPECT_EQ(product["calls"], 1);
    EXPECT_EQ(product["flops"], 2 * 2 * 2 * 2);
    EXPECT_EQ(product["bytes"], 3 * 4 * 4);
}

}  // namespace
