#pragma once
// Which tokens a run learns from and which it is judged by.
#include "core/field.h"

#include <string>
#include <vector>

namespace steepest {

// Files and globs, relative to the working directory; what a glob matches is taken in byte order. A file that begins
// with the magic number of token shards is one (see token_shard.h); every other file is text, read as bytes (see
// byte_text.h).
struct DataConfig {
    std::vector<std::string> train = {}, validation = {};
    double validation_fraction = 0.05;

    void fields(auto& f) {
        f("train", train, "files or globs to learn from: token shards (*.bin), or text read as bytes");
        f("validation", validation, "files or globs to be judged by; none: the end of the training files is held out");
        f("validation_fraction", validation_fraction,
          "fraction of all tokens, at the end, that is held out and never trained on; unused where validation is given",
          Range<double>{0, 0.5});
    }
    bool has_validation() const { return !validation.empty() || validation_fraction > 0; }
};

}  // namespace steepest
