#include "core/device_peaks.h"

#include <algorithm>

namespace steepest {

namespace {

struct Entry {
    std::string_view name;           // without vendor and brand
    double bf16, tf32, f32, memory;  // TFLOP/s, GB/s
};

constexpr Entry kEntries[] = {
    // Volta, Turing: no bf16, and older than what the kernels are built for
    {"V100-SXM2-16GB", 0, 0, 15.7, 900},
    {"V100-SXM2-32GB", 0, 0, 15.7, 900},
    {"V100-PCIE-16GB", 0, 0, 14.0, 900},
    {"V100-PCIE-32GB", 0, 0, 14.0, 900},
    {"T4", 0, 0, 8.1, 320},
    // Ampere
    {"A100-SXM4-40GB", 312, 156, 19.5, 1555},
    {"A100-PCIE-40GB", 312, 156, 19.5, 1555},
    {"A100-SXM4-80GB", 312, 156, 19.5, 2039},
    {"A100 80GB PCIe", 312, 156, 19.5, 1935},
    {"A30", 165, 82, 10.3, 933},
    {"A40", 149.7, 74.8, 37.4, 696},
    {"A10", 125, 62.5, 31.2, 600},
    {"A10G", 70, 35, 31.5, 600},
    {"RTX A6000", 154.8, 77.4, 38.7, 768},
    {"RTX 3090", 71, 35.6, 35.6, 936},
    {"RTX 3090 Ti", 80, 40, 40, 1008},
    // Ada
    {"L4", 121, 60, 30.3, 300},
    {"L40", 181, 90.5, 90.5, 864},
    {"L40S", 362, 183, 91.6, 864},
    {"RTX 6000 Ada Generation", 364.2, 182.1, 91.1, 960},
    {"RTX 4080", 97.5, 48.7, 48.7, 716.8},
    {"RTX 4090", 165.2, 82.6, 82.6, 1008},
    // Hopper
    {"H100 80GB HBM3", 989.4, 494.7, 66.9, 3352},
    {"H100 PCIe", 756, 378, 51, 2039},
    {"H100 NVL", 835, 417.5, 60, 3938},
    {"H200", 989.4, 494.7, 66.9, 4800},
    {"H200 NVL", 835.5, 417.5, 60, 4800},
    // Blackwell
    {"B200", 2250, 1125, 75, 8000},
    {"GB200", 2500, 1250, 80, 8000},
    {"RTX 5080", 112.6, 56.3, 56.3, 960},
    {"RTX 5090", 209.5, 104.8, 104.8, 1792},
};

}  // namespace

std::optional<DevicePeaks> device_peaks(std::string_view name) {
    name = name.substr(0, name.find(','));
    for (const std::string_view prefix : {"NVIDIA ", "Tesla ", "GeForce "})
        if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    const auto* found = std::ranges::find(kEntries, name, &Entry::name);
    if (found == std::end(kEntries)) return std::nullopt;
    return DevicePeaks{found->bf16 * 1e12, found->tf32 * 1e12, found->f32 * 1e12, found->memory * 1e9};
}

}  // namespace steepest
