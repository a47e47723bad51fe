#include "core/suggest.h"

#include <algorithm>

namespace steepest {

int edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the table: a swap looks two rows back.
    std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = static_cast<int>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last), std::swap(last, row);
    }
    return last[b.size()];
}

std::string join(std::span<const std::string> names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string did_you_mean(std::string_view found, std::span<const std::string> names) {
    constexpr std::size_t kLongest = 200;  // of a name: the table above is quadratic
    if (found.size() > kLongest) return {};
    int least = std::max(1, static_cast<int>(found.size()) / 3) + 1;
    std::string nearest;
    for (const std::string& name : names)
        if (const int distance = edit_distance(found, name); distance < least) least = distance, nearest = name;
    return nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
}

std::string not_one_of(std::string_view found, std::span<const std::string> names) {
    return "\"" + std::string(found) + "\" is not one of: " + join(names) + did_you_mean(found, names);
}

}  // namespace steepest
