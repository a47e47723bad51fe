#include "data/inspect.h"

#include "core/error.h"
#include "core/hash.h"
#include "data/byte_text.h"
#include "data/token_shard.h"

#include <algorithm>
#include <numeric>

namespace steepest {

namespace {

constexpr std::int64_t kChunk = 1 << 16;
constexpr std::int32_t kGpt2EndOfText = 50256;

// Counts that need tokens one by one; the rest of the report follows from the histogram.
struct Scan {
    std::vector<std::int64_t> histogram = std::vector<std::int64_t>(kShardMaxVocab, 0);
    bool in_document = false;
};

void scan_file(const TokenFile& file, Scan& scan, InspectReport& report) {
    std::vector<std::int32_t> tokens(kChunk);
    for (std::int64_t begin = 0; begin < file.token_count(); begin += kChunk) {
        const std::int64_t n = std::min(kChunk, file.token_count() - begin);
        file.read(begin, n, tokens.data());
        for (std::int64_t i = 0; i < n; ++i) {
            const std::int32_t token = tokens[i];
            ++scan.histogram[token];
            const bool inside = token != report.end_of_text;
            report.documents += inside && !scan.in_document;
            scan.in_document = inside;
            if (report.vocab > 0 && token >= report.vocab && report.out_of_vocab.size() < InspectReport::kMaxPositions)
                report.out_of_vocab.push_back({file.path(), file.byte_offset(begin + i), token});
        }
    }
}

void summarize(const std::vector<std::int64_t>& histogram, std::int64_t top, InspectReport& report) {
    std::vector<InspectReport::Frequency> seen;
    for (std::int32_t token = 0; token < kShardMaxVocab; ++token) {
        if (histogram[token] == 0) continue;
        seen.push_back({token, histogram[token]});
        report.tokens += histogram[token];
        if (report.vocab > 0 && token >= report.vocab) report.out_of_vocab_count += histogram[token];
    }
    report.min = seen.front().token, report.max = seen.back().token;
    report.distinct = static_cast<std::int64_t>(seen.size());
    if (report.end_of_text >= 0 && report.end_of_text < kShardMaxVocab)
        report.end_of_text_count = histogram[report.end_of_text];
    std::stable_sort(seen.begin(), seen.end(), [](const auto& x, const auto& y) { return x.count > y.count; });
    seen.resize(std::min<std::size_t>(seen.size(), std::max<std::int64_t>(top, 0)));
    report.top = std::move(seen);
}

// A byte as people read it, quoted.
std::string letter(std::int32_t token) {
    if (token == kByteEndOfText) return "end of text";
    if (token == '\n') return "'\\n'";
    if (token == '\t') return "'\\t'";
    if (token < 32 || token > 126) return "";
    return {'\'', static_cast<char>(token), '\''};
}

}  // namespace

InspectReport inspect(const std::vector<std::string>& patterns, const InspectOptions& options) {
    const std::vector<TokenFile> files = open_token_files(patterns, "data inspect");
    const bool text = files.front().kind() == FileKind::text;

    InspectReport report;
    report.kind = files.front().kind();
    report.vocab = options.vocab > 0 ? options.vocab : text ? kByteVocab : 0;
    report.end_of_text = options.end_of_text >= 0 ? options.end_of_text : text ? kByteEndOfText : kGpt2EndOfText;
    Scan scan;
    Hash64 all;
    for (const TokenFile& file : files) {
        scan_file(file, scan, report);
        report.files.push_back({file.path(), file.bytes(), file.token_count(), file.fingerprint(), file.full_hash()});
        all.update(report.files.back().full_hash);
    }
    report.full_hash = all.digest();
    summarize(scan.histogram, options.top, report);
    return report;
}

std::string InspectReport::describe() const {
    const auto number = [](auto n) { return std::to_string(n); };
    std::string s;
    for (const File& f : files)
        s += f.path + ": " + std::string(name_of(kind)) + ", " + number(f.bytes) + " bytes, " + number(f.tokens) +
             " tokens, fingerprint " + to_hex(f.fingerprint) + ", full hash " + to_hex(f.full_hash) + "\n";
    s += "tokens            " + number(tokens) + " in " + number(files.size()) +
         (files.size() == 1 ? " file" : " files") + ", full hash " + to_hex(full_hash) + "\n";
    s += "range             " + number(min) + " to " + number(max) + ", " + number(distinct) + " distinct\n";
    s += "end of text       " + number(end_of_text_count) + " times (token " + number(end_of_text) + "), " +
         number(documents) + (documents == 1 ? " document" : " documents") + "\n";
    if (vocab > 0) {
        s += "out of vocabulary " + number(out_of_vocab_count) + " of tokens not below " + number(vocab) + "\n";
        for (const OutOfVocab& o : out_of_vocab)
            s += "  " + o.path + ": token " + number(o.token) + " at byte " + number(o.byte_offset) + "\n";
        if (out_of_vocab_count > static_cast<std::int64_t>(out_of_vocab.size()))
            s += "  and " + number(out_of_vocab_count - static_cast<std::int64_t>(out_of_vocab.size())) + " more\n";
    }
    if (!top.empty()) s += "most frequent\n";
    for (const Frequency& f : top) {
        const std::string token = number(f.token);
        s.append("  ").append(token).append(token.size() < 6 ? 6 - token.size() : 0, ' ');
        s.append(" ").append(number(f.count));
        if (kind == FileKind::text && !letter(f.token).empty()) s.append("  ").append(letter(f.token));
        s.append("\n");
    }
    return s;
}

}  // namespace steepest
