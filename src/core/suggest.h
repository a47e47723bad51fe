#pragma once
// "did you mean": the nearest of the names that would have been right.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steepest {

// The least number of insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
int edit_distance(std::string_view a, std::string_view b);
// "adam, sign, spectral"
std::string join(std::span<const std::string> names);
// `; did you mean "spectral"?`, or nothing where no name is near enough: a third of the word, at least one edit.
std::string did_you_mean(std::string_view found, std::span<const std::string> names);
// `"sprectal" is not one of: sign, spectral; did you mean "spectral"?`
std::string not_one_of(std::string_view found, std::span<const std::string> names);

}  // namespace steepest
