// `steepest info`: for bug reports and for people who wonder which binary this is.
#include "cli/command.h"
#include "core/build_config.h"
#include "core/presets.h"
#include "kernels/cpu/cpu.h"

#include <cstdio>

namespace steepest::cli {

Action add_info(CLI::App&) {
    return [] {
        const Cpu cpu;
        std::printf("steepest %s, commit %s, %s build by %s\n", kVersion.data(), kCommit.data(), kBuildType.data(),
                    kCompiler.data());
        std::printf("cpu: %s\n", cpu.describe().c_str());
        std::printf("presets are looked for in:\n");
        for (const auto& root : config_roots(".")) std::printf("  %s\n", root.c_str());
    };
}

}  // namespace steepest::cli
