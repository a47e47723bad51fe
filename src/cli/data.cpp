// `steepest data inspect FILE...`: a look at every token.
#include "cli/command.h"
#include "data/inspect.h"

#include <cstdio>
#include <memory>

namespace steepest::cli {

Action add_data(CLI::App& app) {
    struct Options {
        std::vector<std::string> files;
        InspectOptions inspect;
    };
    const auto options = std::make_shared<Options>();
    app.require_subcommand(1);
    CLI::App* inspect =
        app.add_subcommand("inspect", "count tokens, documents and ids outside a vocabulary; hash everything");
    inspect->add_option("FILE", options->files, "token shards or texts; globs are expanded")->required();
    inspect->add_option("--vocab", options->inspect.vocab, "report ids at or above this; 257 for text")
        ->check(CLI::PositiveNumber);
    inspect->add_option("--top", options->inspect.top, "most frequent ids to show")->capture_default_str();
    return [options] { std::printf("%s", steepest::inspect(options->files, options->inspect).describe().c_str()); };
}

}  // namespace steepest::cli
