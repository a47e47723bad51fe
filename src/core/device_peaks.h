#pragma once
// What a GPU could do at most, by the name that its driver gives it.
#include <optional>
#include <string_view>

namespace steepest {

// Dense products on tensor cores with f32 sums, products and sums of f32 outside them, and memory. From NVIDIA's data
// sheets and white papers, at boost clock; where those print rates with sparsity, half of them. 0: not supported.
struct DevicePeaks {
    double bf16_flops, tf32_flops, f32_flops;  // 1/s
    double bytes_per_second;                   // of DRAM
};

// `name`: the name alone, e.g. "NVIDIA H100 80GB HBM3", or a description that begins with it and a comma. Names match
// whole: laptop parts, slices of a GPU and cut-down versions share words with what they are not, so a name that is not
// in the table has no peaks.
std::optional<DevicePeaks> device_peaks(std::string_view name);

}  // namespace steepest
