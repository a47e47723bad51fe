// The machine on kernels without mistakes, against sums of the host, and on kernels with one mistake each.
#include "tests/gpu_sim/machine/machine.h"

#include <bit>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace gpu_sim {
namespace {

std::string ptx(const std::string& name) {
    std::ifstream file(std::string(GPU_SIM_KERNELS) + "/" + name + ".ptx");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

class Machine : public testing::Test {
protected:
    DeviceMemory memory{std::uint64_t{1} << 32};

    template <class T>
    std::uint64_t upload(const std::vector<T>& values) {
        const std::uint64_t address = memory.allocate(values.size() * sizeof(T));
        std::memcpy(memory.access(address, values.size() * sizeof(T)), values.data(), values.size() * sizeof(T));
        memory.mark_written(address, values.size() * sizeof(T));
        return address;
    }
    template <class T>
    std::vector<T> download(std::uint64_t address, std::size_t count) {
        std::vector<T> values(count);
        std::memcpy(values.data(), memory.access(address, count * sizeof(T)), count * sizeof(T));
        return values;
    }
    template <class... T>
    void launch(const Module& module, const std::string& kernel, Dim3 grid, Dim3 block, T... arguments) {
        Launch now{.module = &module, .kernel = kernel, .grid = grid, .block = block, .parameters = {}};
        const auto* info = module.find(kernel);
        ASSERT_NE(info, nullptr);
        now.parameters.resize(info->parameter_bytes);
        std::size_t i = 0;
        (std::memcpy(now.parameters.data() + info->parameters[i++].offset, &arguments, sizeof arguments), ...);
        execute(now, memory, options, &counters);
    }
    Options options;
    KernelCounters counters;
};

std::vector<float> ramp(std::size_t n) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = float(i % 17) - 8;
    return x;
}

TEST_F(Machine, ScalesAnArray) {
    const Module module(ptx("good_zoo"), memory);
    const auto x = ramp(1000);
    const std::uint64_t from = upload(x), to = memory.allocate(4000);
    launch(module, "scale", {4}, {256}, to, from, 2.5f, 1000);
    const auto y = download<float>(to, 1000);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], 2.5f * x[i]);
    EXPECT_EQ(counters.requested_global_read, 4000u);
    EXPECT_EQ(counters.launch_sectors_read, 125u);
}

TEST_F(Machine, SumsRowsWithShuffles) {
    const Module module(ptx("good_zoo"), memory);
    const auto x = ramp(5 * 77);
    const std::uint64_t from = upload(x), to = memory.allocate(20);
    launch(module, "row_sums", {5}, {32}, to, from, 77);
    const auto y = download<float>(to, 5);
    for (std::size_t n = 0; n < 5; ++n) {
        double sum = 0;
        for (std::size_t c = 0; c < 77; ++c) sum += x[n * 77 + c];
        EXPECT_EQ(y[n], sum);  // small integers: exact
    }
}

TEST_F(Machine, MultipliesTiles) {
    const Module module(ptx("good_zoo"), memory);
    constexpr int n = 48;
    const auto a = ramp(n * n), b = ramp(n * n);
    const std::uint64_t pa = upload(a), pb = upload(b), pc = memory.allocate(4 * n * n);
    for (options.seed = 1; options.seed <= 3; ++options.seed) {
        launch(module, "tiled_matmul", {3, 3}, {16, 16}, pc, pa, pb, n);
        const auto c = download<float>(pc, n * n);
        for (int i = 0; i < n; ++i) {
            for (int j = 0; j < n; ++j) {
                double sum = 0;
                for (int k = 0; k < n; ++k) sum += double(a[i * n + k]) * b[k * n + j];
                ASSERT_EQ(c[i * n + j], sum);
            }
        }
    }
}

TEST_F(Machine, AddsAtomically) {
    const Module module(ptx("good_zoo"), memory);
    std::vector<unsigned> x(500);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = unsigned(i * i);
    const std::uint64_t from = upload(x), to = upload(std::vector<unsigned>(8));
    launch(module, "histogram", {4}, {128}, to, from, 500);
    std::vector<unsigned> expected(8);
    for (const unsigned v : x) ++expected[v % 8];
    EXPECT_EQ(download<unsigned>(to, 8), expected);
}

TEST_F(Machine, MultipliesFragments) {
    const Module module(ptx("good_zoo"), memory);
    const auto bf16 = [](float x) { return std::uint16_t(std::bit_cast<std::uint32_t>(x) >> 16); };
    std::vector<std::uint16_t> a(256), b(128);
    const auto value = [](std::size_t i) { return float(int(i * 7 % 23) - 11); };
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = bf16(value(i));
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = bf16(value(i + 5));
    const std::uint64_t pa = upload(a), pb = upload(b), pd = memory.allocate(512);
    launch(module, "tensor_core", {1}, {32}, pd, pa, pb);
    const auto d = download<float>(pd, 128);
    for (std::size_t m = 0; m < 16; ++m) {
        for (std::size_t n = 0; n < 8; ++n) {
            float sum = 0;
            for (std::size_t k = 0; k < 16; ++k) sum += value(m * 16 + k) * value(k * 8 + n + 5);
            EXPECT_EQ(d[m * 8 + n], sum);
        }
    }
    EXPECT_EQ(counters.mma, 1u);
    EXPECT_EQ(counters.ldmatrix, 2u);
}

TEST_F(Machine, BlocksMayShareAWordThatTheyDoNotBothTouch) {
    const Module module(ptx("good_zoo"), memory);
    const std::uint64_t y = upload(std::vector<std::uint16_t>(4 * 33));
    for (options.seed = 1; options.seed <= 3; ++options.seed) launch(module, "count_rows", {4}, {32}, y, 33);
    EXPECT_EQ(download<std::uint16_t>(y, 4 * 33), std::vector<std::uint16_t>(4 * 33, 3));
}

// `run` must throw a Fault whose report holds all of `words`.
template <class F>
void expect_fault(F run, std::initializer_list<const char*> words) {
    try {
        run();
        ADD_FAILURE() << "no fault";
    } catch (const Fault& fault) {
        const std::string text = fault.what();
        for (const char* word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " not in: " << text;
    }
}

TEST_F(Machine, FindsSeededBugs) {
    const Module module(ptx("seeded_bugs"), memory);
    options.instruction_limit = 100'000;
    const std::uint64_t y = memory.allocate(64 * 16), never = memory.allocate(256);
    const std::uint64_t x = upload(ramp(256)), zero = upload(std::vector<int>(1));
    const auto run = [&](const char* kernel, std::uint32_t blocks, std::uint32_t threads, auto... arguments) {
        return [=, this, &module] { launch(module, kernel, {blocks}, {threads}, arguments...); };
    };
    const char* file = "seeded_bugs.cu:";
    // Without this the warp that reads first meets memory that nobody wrote yet, which is as good a report.
    options.uninitialised = false;
    expect_fault(run("missing_barrier", 1, 64, y), {"race on shared", "barrier", "missing_barrier", file, "thread ("});
    options.uninitialised = true;
    expect_fault(run("missing_syncwarp", 1, 32, y), {"race on shared", "__syncwarp", file});
    expect_fault(run("global_overrun", 1, 32, y, 240), {"write of global", "out of bounds", "past the end", file});
    expect_fault(run("shared_overrun", 1, 32, y, 8), {"shared memory out of bounds", file});
    expect_fault(run("uninitialised_shared", 1, 64, y), {"shared memory that nobody wrote", file});
    expect_fault(run("uninitialised_global", 1, 32, y, never), {"global memory that nobody wrote", file});
    expect_fault(run("wrong_mask", 1, 32, y), {"member mask", "shfl.sync", file});
    expect_fault(run("divergent_barrier", 1, 64, y), {"barrier", "divergent", file});
    expect_fault(run("misaligned", 1, 8, y, x), {"misaligned", file});
    expect_fault(run("race_of_blocks", 2, 32, y), {"race between blocks", file});
    expect_fault(run("endless", 1, 32, zero), {"endless loop", file});
    expect_fault(run("missing_wait", 1, 32, y, x), {"cp.async", file});
    memory.free(x);
    expect_fault(run("uninitialised_global", 1, 8, y, x), {"freed"});
}

TEST_F(Machine, NamesAnUnknownOpcode) {
    const Module module(
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{\n.reg .b32 %r<3>;\n"
        "frobnicate.u32 %r1, %r2;\nret;\n}\n",
        memory);
    expect_fault([&] { module.find("k"); }, {"unknown opcode", "frobnicate.u32", "PTX line 7"});
}

}  // namespace
}  // namespace gpu_sim
