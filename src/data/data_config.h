#pragma once
// Which tokens a run learns from and which it is judged by.
#include <string>
#include <vector>

namespace steepest {

// Files and globs, relative to the working directory; globs expand in byte order. A file that begins with the magic
// number of token shards is one (see token_shard.h); every other file is text, read as bytes (see byte_text.h).
struct DataConfig {
    std::vector<std::string> train = {};
    std::vector<std::string> validation = {};
    double validation_fraction = 0.05;

    void fields(auto& f) {
        f("train", train, "files or globs to learn from: token shards (*.bin), or text read as bytes");
        f("validation", validation, "files or globs to be judged by; none: the end of the training files is held out");
        f("validation_fraction", validation_fraction,
          "fraction of all tokens, at the end, that is held out and never trained on; unused where `validation` is "
          "given");
    }
    void check(auto&& error) const {
        if (train.empty()) error("/train", "no files to learn from");
        // Written so that a NaN is refused.
        if (!(validation_fraction >= 0 && validation_fraction <= 0.5))
            error("/validation_fraction", std::to_string(validation_fraction) + " is outside [0, 0.5]");
    }
    bool has_validation() const { return !validation.empty() || validation_fraction > 0; }
};

}  // namespace steepest
