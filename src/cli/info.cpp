// `steepest info`: for bug reports and for people who wonder which binary this is.
#include "cli/command.h"
#include "core/build_config.h"
#include "core/device_peaks.h"
#include "core/presets.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cuda/devices.h"

#include <cstdio>

namespace steepest::cli {

Action add_info(CLI::App&) {
    return [] {
        const Cpu cpu;
        std::printf("steepest %s, commit %s, %s build by %s\n", kVersion.data(), kCommit.data(), kBuildType.data(),
                    kCompiler.data());
        std::printf("cpu: %s\n", cpu.describe().c_str());
        const CudaDevices gpus = cuda_devices();
        for (std::size_t i = 0; i < gpus.all.size(); ++i) {
            const auto& [name, unusable] = gpus.all[i];
            std::printf("cuda:%zu: %s%s\n", i, name.c_str(),
                        unusable.empty() ? "" : ("; unusable: " + unusable).c_str());
            if (const auto peaks = device_peaks(name))
                std::printf("  at most: bf16 %.4g, tf32 %.4g, fp32 %.4g TFLOP/s, memory %.4g GB/s\n",
                            peaks->bf16_flops * 1e-12, peaks->tf32_flops * 1e-12, peaks->f32_flops * 1e-12,
                            peaks->bytes_per_second * 1e-9);
        }
        if (gpus.all.empty()) std::printf("gpu: none (%s)\n", gpus.absence.c_str());
        std::printf("presets are looked for in:\n");
        for (const auto& root : config_roots(".")) std::printf("  %s\n", root.c_str());
    };
}

}  // namespace steepest::cli
