// Stands in for gemm_onednn.cpp where oneDNN was not found or not wanted.
#include "kernels/cpu/gemm_engine.h"

#include <cstdlib>

namespace steepest::cpu {

bool onednn_available() { return false; }
std::string onednn_version() { return {}; }
void onednn_multiply(const Product&) { std::abort(); }  // choose_kernel never sends a product here

}  // namespace steepest::cpu
