#pragma once
// Files for the tests of the data layer, and a batch that owns its tokens.
#include "core/file.h"
#include "data/loader.h"
#include "data/token_shard.h"
#include "tests/temporary_folder.h"

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace steepest::testing {

struct OwnedBatch {
    std::vector<std::int32_t> inputs, targets;
    std::int64_t B, T;

    OwnedBatch(std::int64_t b, std::int64_t t) : inputs(b * t, -1), targets(b * t, -1), B(b), T(t) {}
    operator Batch() { return {{inputs.data(), DType::i32, Shape{B, T}}, {targets.data(), DType::i32, Shape{B, T}}}; }
    bool operator==(const OwnedBatch&) const = default;
};

inline OwnedBatch gather(const Loader& loader, std::int64_t first_sample, std::int64_t B) {
    OwnedBatch batch(B, loader.dataset().context());
    loader.gather(first_sample, batch);
    return batch;
}

class DataTest : public TemporaryFolder {
protected:
    // A shard of the tokens first, first + 1, ...: every token tells its place.
    std::string count_up(const std::string& name, std::int32_t first, std::int64_t count) const {
        std::vector<std::int32_t> tokens(count);
        std::iota(tokens.begin(), tokens.end(), first);
        write_token_shard(path(name), tokens, kShardMaxVocab);
        return path(name);
    }
    std::string text(const std::string& name, std::string_view content) const {
        write_file(path(name), content);
        return path(name);
    }
    // A shard's header over whatever `body` holds.
    std::string raw_shard(const std::string& name, std::vector<std::int32_t> words, std::string_view body) const {
        words.resize(256);
        std::string content(reinterpret_cast<const char*>(words.data()), kShardHeaderBytes);
        return text(name, content.append(body));
    }
};

}  // namespace steepest::testing
