#include "data/dataset.h"

#include "core/error.h"
#include "core/hash.h"
#include "data/byte_text.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

namespace steepest {

namespace {

// Training on what a run is judged by makes every curve a lie.
void require_disjoint(const std::vector<TokenFile>& train, const std::vector<TokenFile>& validation) {
    std::set<std::string> trained;
    for (const TokenFile& file : train) trained.insert(std::filesystem::canonical(file.path()).string());
    for (const TokenFile& file : validation)
        if (trained.count(std::filesystem::canonical(file.path()).string()))
            throw InputError("data.validation: " + file.path() + " is among the files of data.train too");
}

std::string names_of(const std::vector<TokenFile>& files) {
    return files.size() == 1
               ? files.front().path()
               : std::to_string(files.size()) + " files from " + files.front().path() + " to " + files.back().path();
}

}  // namespace

Dataset::Dataset(std::vector<TokenFile> files, Split split, Needs needs)
    : files_(std::move(files)), split_(split), needs_(needs) {
    std::int64_t tokens = 0;
    for (const TokenFile& file : files_) starts_.push_back(tokens), tokens += file.token_count();
    starts_.push_back(tokens);
    if (files_.front().kind() == FileKind::text && needs.vocab < kByteVocab)
        throw InputError(files_.front().path() +
                         ": text is read as bytes and needs a vocabulary of at least 257 (256 " +
                         "bytes and end of text); the model has " + std::to_string(needs.vocab));
}

Dataset Dataset::open(const DataConfig& config, Split split, Needs needs) {
    std::vector<TokenFile> train = open_token_files(config.train, "data.train");
    const bool held_out = config.validation.empty();
    if (!held_out) {
        std::vector<TokenFile> validation = open_token_files(config.validation, "data.validation");
        require_disjoint(train, validation);
        if (split == Split::validation) train = std::move(validation);
    } else if (split == Split::validation && !config.has_validation()) {
        throw InputError("data: no validation data: data.validation is empty and data.validation_fraction is 0");
    }

    Dataset data(std::move(train), split, needs);
    const std::int64_t tokens = data.starts_.back();
    if (!held_out) {
        data.cut(0, tokens);
    } else {
        const std::int64_t middle = tokens - std::llround(config.validation_fraction * static_cast<double>(tokens));
        split == Split::train ? data.cut(0, middle) : data.cut(middle, tokens);
    }
    return data;
}

void Dataset::cut(std::int64_t begin, std::int64_t end) {
    begin_ = begin, end_ = end;
    const auto add = [&](std::int64_t from, std::int64_t to) {
        from = std::max(from, begin), to = std::min(to, end);
        const std::int64_t windows = (to - from - 1) / needs_.context;
        if (to <= from || windows == 0) return;
        pieces_.push_back({from, samples_});
        samples_ += windows;
    };
    if (files_.front().kind() == FileKind::text)
        add(0, starts_.back());
    else
        for (std::size_t i = 0; i < files_.size(); ++i) add(starts_[i], starts_[i + 1]);
    if (samples_ >= std::max<std::int64_t>(needs_.batch, 1)) return;

    const std::string which = split_ == Split::train ? "data.train" : "data.validation";
    throw InputError(which + ": too short: " + names_of(files_) + ": " + std::to_string(starts_.back()) +
                     " tokens, of which " + std::to_string(total_tokens()) + " are for " +
                     (split_ == Split::train ? "training" : "validation") + ", make " + std::to_string(samples_) +
                     " samples of context + 1 = " + std::to_string(needs_.context + 1) + " tokens; expected at least " +
                     std::to_string(std::max<std::int64_t>(needs_.batch, 1)));
}

std::uint64_t Dataset::fingerprint() const {
    Hash64 hash;
    for (const TokenFile& file : files_) hash.update(file.fingerprint());
    return hash.update(static_cast<std::uint64_t>(begin_)).update(static_cast<std::uint64_t>(end_)).digest();
}

std::string Dataset::describe() const {
    return names_of(files_) + " (" + std::string(name_of(files_.front().kind())) +
           "): " + std::to_string(total_tokens()) + " tokens for " +
           (split_ == Split::train ? "training" : "validation") + ", " + std::to_string(samples_) + " samples of " +
           std::to_string(needs_.context) + " tokens";
}

std::size_t Dataset::file_at(std::int64_t token) const {
    return std::upper_bound(starts_.begin(), starts_.end(), token) - starts_.begin() - 1;
}

void Dataset::read_window(std::int64_t window, std::int32_t* tokens) const {
    const auto piece = std::prev(std::upper_bound(pieces_.begin(), pieces_.end(), window,
                                                  [](std::int64_t w, const Piece& p) { return w < p.first_window; }));
    const std::int64_t begin = piece->begin + (window - piece->first_window) * needs_.context, n = needs_.context + 1;
    std::int64_t done = 0;
    for (std::size_t f = file_at(begin); done < n; ++f) {
        const std::int64_t from = begin + done - starts_[f], count = std::min(n - done, files_[f].token_count() - from);
        files_[f].read(from, count, tokens + done);
        done += count;
    }
    check_vocab(begin, n, tokens);
}

void Dataset::check_vocab(std::int64_t begin, std::int64_t n, const std::int32_t* tokens) const {
    if (*std::max_element(tokens, tokens + n) < needs_.vocab) return;
    const std::int64_t bad =
        std::find_if(tokens, tokens + n, [&](std::int32_t t) { return t >= needs_.vocab; }) - tokens;
    const std::size_t f = file_at(begin + bad);
    throw InputError(files_[f].path() + ": token " + std::to_string(tokens[bad]) + " at byte " +
                     std::to_string(files_[f].byte_offset(begin + bad - starts_[f])) +
                     " is outside the model's vocabulary of " + std::to_string(needs_.vocab));
}

}  // namespace steepest
