// Peaks by name: drivers' own spellings are found, neighbours are kept apart, and nothing is guessed. The figures are
// held against what the parts consist of.
#include "core/device_peaks.h"

#include <gtest/gtest.h>

namespace steepest {
namespace {

double bf16(const char* name) {
    const auto peaks = device_peaks(name);
    return peaks ? peaks->bf16_flops * 1e-12 : -1;
}

TEST(DevicePeaks, KnowsTheNamesThatDriversGive) {
    EXPECT_EQ(bf16("NVIDIA H100 80GB HBM3"), 989.4);
    EXPECT_EQ(bf16("NVIDIA H100 PCIe"), 756);
    EXPECT_EQ(bf16("NVIDIA A100-SXM4-80GB"), 312);
    EXPECT_EQ(bf16("NVIDIA GeForce RTX 4090"), 165.2);
    EXPECT_EQ(bf16("NVIDIA L40S"), 362);
    EXPECT_EQ(bf16("NVIDIA L40"), 181);
    EXPECT_EQ(bf16("NVIDIA L4"), 121);
    EXPECT_EQ(bf16("NVIDIA H200"), 989.4);
    EXPECT_EQ(bf16("NVIDIA B200"), 2250);
    EXPECT_EQ(bf16("NVIDIA A10"), 125);
    EXPECT_EQ(bf16("NVIDIA A10G"), 70);
    EXPECT_EQ(bf16("Tesla T4"), 0) << "has no bf16";
    EXPECT_EQ(bf16("Tesla V100-SXM2-16GB"), 0);
    EXPECT_EQ(device_peaks("NVIDIA A100-SXM4-40GB")->bytes_per_second, 1555e9);
    EXPECT_EQ(device_peaks("NVIDIA A100-SXM4-80GB")->bytes_per_second, 2039e9);
}

TEST(DevicePeaks, TakesADescriptionThatBeginsWithTheName) {
    EXPECT_EQ(bf16("NVIDIA H100 80GB HBM3, sm_90, 79 GiB, driver 13.0"), 989.4);
}

TEST(DevicePeaks, GuessesNothing) {
    for (const char* name : {"", "NVIDIA", "gpu_sim", "cpu: AMD EPYC", "NVIDIA H100", "NVIDIA A100", "NVIDIA H20",
                             "NVIDIA B2000", "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 4090 D",
                             "NVIDIA A100-SXM4-40GB MIG 3g.20gb", "NVIDIA GeForce GTX 1080", "nvidia h200"})
        EXPECT_FALSE(device_peaks(name)) << name;
}

// Multiprocessors x flops a clock and multiprocessor x boost clock, by each architecture's white paper: the data sheets
// must be what that comes to, so that none of ours is with sparsity or of another dtype.
TEST(DevicePeaks, AreWhatThePartsComeTo) {
    struct Part {
        const char* name;
        int multiprocessors, bf16_per_clock, f32_per_clock;
        double ghz, bus_bytes, gbit_per_pin;
    };
    for (const Part& p : {Part{"NVIDIA A100-SXM4-80GB", 108, 2048, 128, 1.410, 5120 / 8, 3.186},
                          Part{"NVIDIA A100-SXM4-40GB", 108, 2048, 128, 1.410, 5120 / 8, 2.43},
                          Part{"NVIDIA GeForce RTX 3090", 82, 512, 256, 1.695, 384 / 8, 19.5},
                          Part{"NVIDIA GeForce RTX 4090", 128, 512, 256, 2.520, 384 / 8, 21},
                          Part{"NVIDIA GeForce RTX 5090", 170, 512, 256, 2.407, 512 / 8, 28},
                          Part{"NVIDIA L40S", 142, 1024, 256, 2.520, 384 / 8, 18},
                          Part{"NVIDIA H100 80GB HBM3", 132, 4096, 256, 1.830, 5120 / 8, 5.238}}) {
        const auto peaks = device_peaks(p.name);
        ASSERT_TRUE(peaks) << p.name;
        const double clock = p.multiprocessors * p.ghz * 1e9, memory = p.bus_bytes * p.gbit_per_pin * 1e9;
        EXPECT_NEAR(peaks->bf16_flops / (clock * p.bf16_per_clock), 1, 0.02) << p.name;
        EXPECT_NEAR(peaks->tf32_flops / peaks->bf16_flops, 0.5, 0.01) << p.name;
        EXPECT_NEAR(peaks->bytes_per_second / memory, 1, 0.01) << p.name;
    }
    for (const Part& p : {Part{"NVIDIA A100-SXM4-80GB", 108, 0, 128, 1.410, 0, 0},
                          Part{"NVIDIA GeForce RTX 4090", 128, 0, 256, 2.520, 0, 0},
                          Part{"NVIDIA H100 80GB HBM3", 132, 0, 256, 1.980, 0, 0}})
        EXPECT_NEAR(device_peaks(p.name)->f32_flops / (p.multiprocessors * p.ghz * 1e9 * p.f32_per_clock), 1, 0.02)
            << p.name;
}

}  // namespace
}  // namespace steepest
