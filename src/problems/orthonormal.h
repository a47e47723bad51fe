#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace steepest {

// A random orthogonal (n, n) matrix, row-major, that (seed, purpose) decide.
std::vector<double> random_orthogonal(std::int64_t n, std::uint64_t seed, std::string_view purpose);

}  // namespace steepest
