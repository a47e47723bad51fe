#pragma once
// A split of the data, cut into samples: windows of T + 1 tokens, of which a model reads the first T and predicts the
// last T.
#include "data/data_config.h"
#include "data/token_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace steepest {

enum class Split : std::uint8_t { train, validation };

// The files of the config, in order, are one stream of tokens. Without files for validation, the last
// round(validation_fraction * tokens) of the stream are the validation split and the tokens before them the training
// split, so the two share no token, and the cut depends on nothing but the files and the fraction.
//
// Window i of a piece covers its tokens [i T, i T + T]: every token is predicted once, and the last token of a window
// is the first of the next. A piece is what the split holds of one shard, or of all text files together (documents are
// as short as a line; end of text stands between them). What remains at the end of a piece, up to T tokens, is left
// out.
class Dataset {
public:
    struct Needs {
        std::int64_t context;    // T
        std::int64_t vocab;      // every token must be below
        std::int64_t batch = 1;  // a split with fewer windows is refused
    };

    // Checks headers and sizes, not tokens. Throws InputError: see TokenFile, open_token_files; and if the split is too
    // short, text meets a vocabulary under 257, or a file is in both `train` and `validation`.
    static Dataset open(const DataConfig& config, Split split, Needs needs);

    std::int64_t context() const { return needs_.context; }
    // Windows.
    std::int64_t sample_count() const { return samples_; }
    // Tokens of the split, those left out at the ends included.
    std::int64_t total_tokens() const { return end_ - begin_; }
    const std::vector<TokenFile>& files() const { return files_; }
    // Of the files' fingerprints in order and the split's place in the stream; paths do not count.
    std::uint64_t fingerprint() const;
    // One line for people: files, kind, tokens, windows.
    std::string describe() const;

    // The T + 1 tokens of a window in [0, sample_count()). Thread-safe. Throws InputError naming file, byte offset and
    // token if one is outside the vocabulary.
    void read_window(std::int64_t window, std::int32_t* tokens) const;

private:
    struct Piece {
        std::int64_t begin;         // in the stream
        std::int64_t first_window;  // of the split
    };

    Dataset(std::vector<TokenFile> files, Split split, Needs needs);
    void cut(std::int64_t begin, std::int64_t end);
    std::size_t file_at(std::int64_t token) const;
    void check_vocab(std::int64_t begin, std::int64_t n, const std::int32_t* tokens) const;

    std::vector<TokenFile> files_;
    std::vector<std::int64_t> starts_;  // of each file in the stream, and the stream's end
    std::vector<Piece> pieces_;
    Split split_;
    Needs needs_;
    std::int64_t begin_ = 0, end_ = 0;  // of the split in the stream
    std::int64_t samples_ = 0;
};

}  // namespace steepest
