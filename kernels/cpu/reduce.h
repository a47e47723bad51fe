#pragma once
// Sums over contiguous f32, on the calling thread: products and sums in double, in an order fixed by n alone.
#include <cstdint>

namespace steepest::cpu {

double sum_of_squares(const float* x, std::int64_t n);
double sum_of_magnitudes(const float* x, std::int64_t n);
double dot(const float* x, const float* y, std::int64_t n);

}  // namespace steepest::cpu
