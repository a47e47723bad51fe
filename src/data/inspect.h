#pragma once
// A look at every token of some files: what `steepest data inspect` shows.
#include "data/token_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace steepest {

struct InspectOptions {
    std::int64_t vocab = 0;         // 0: 257 for text, unchecked for shards
    std::int32_t end_of_text = -1;  // -1: 256 for text, GPT-2's 50256 for shards
    std::int64_t top = 10;          // most frequent tokens to report
};

struct InspectReport {
    struct File {
        std::string path;
        std::int64_t bytes, tokens;
        std::uint64_t fingerprint, full_hash;  // see TokenFile
    };
    struct Frequency {
        std::int32_t token;
        std::int64_t count;
    };
    struct OutOfVocab {
        std::string path;
        std::int64_t byte_offset;
        std::int32_t token;
    };
    static constexpr std::size_t kMaxPositions = 20;

    FileKind kind;
    std::vector<File> files;
    std::int64_t tokens = 0;
    std::int32_t min = 0, max = 0;
    std::int64_t distinct = 0;
    std::vector<Frequency> top;  // most frequent first, then by token
    std::int32_t end_of_text = 0;
    std::int64_t end_of_text_count = 0;
    std::int64_t documents = 0;  // runs of tokens between ends of text, not empty, across files
    std::int64_t vocab = 0;      // 0: unchecked
    std::int64_t out_of_vocab_count = 0;
    std::vector<OutOfVocab> out_of_vocab;  // the first kMaxPositions
    std::uint64_t full_hash = 0;           // of all files' full hashes, in order

    // Some lines of text, the last one ended.
    std::string describe() const;
};

// Throws InputError as open_token_files; a token outside the vocabulary is reported, not thrown.
InspectReport inspect(const std::vector<std::string>& patterns, const InspectOptions& options = {});

}  // namespace steepest
