#pragma once
// Scaling: the factor of a direction that depends on its shape alone, a named formula. Names are the formulas
// themselves, because the same nickname means different factors in different projects.
#include "core/tensor.h"

#include <string>
#include <string_view>
#include <vector>

namespace steepest {

// "none": 1.
// "sqrt(max(1, rows/cols))": K. Jordan et al., "Muon", 2024.
// "0.2*sqrt(max(rows, cols))": of a semi-orthogonal direction, an update whose root mean square is 0.2, as AdamW's is;
//     Liu et al. 2025, arXiv:2502.16982, eq. 4.
// "sqrt(rows/cols)": the operator norm between root-mean-square norms; Bernstein, Newhouse 2024, arXiv:2409.20325.
// "sqrt(cols)": of rows of norm 1, a root mean square of 1.
// "1/cols": of signs, an operator norm of 1 from the max norm to it; Pethick et al. 2025, arXiv:2502.07529.
// "sqrt(rows*cols)": of a direction of norm 1, a root mean square of 1; for vectors too, whose length it counts.
std::vector<std::string> scaling_formulas();

// True where a vector, which has no rows, has no such factor.
bool scaling_needs_matrices(std::string_view formula);
// rows = d_out, cols = d_in of a weight [d_out, d_in], after any split. `formula` must be one of scaling_formulas().
double scaling_factor(std::string_view formula, const Shape& shape);

}  // namespace steepest
