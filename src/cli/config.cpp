// `steepest config CONFIG` and `steepest schema`: what a config means, and what one may say.
#include "core/config.h"

#include "cli/run_arguments.h"

#include <cstdio>
#include <memory>

namespace steepest::cli {

Action add_config(CLI::App& app) {
    const auto arguments = std::make_shared<ConfigArguments>();
    arguments->declare(app);
    return [arguments] { std::printf("%s\n", write_config(arguments->load()).dump(2).c_str()); };
}

Action add_schema(CLI::App&) {
    return [] { std::printf("%s\n", schema_of<RunConfig>("a run of steepest").dump(2).c_str()); };
}

}  // namespace steepest::cli
