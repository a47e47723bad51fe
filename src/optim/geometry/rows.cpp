// The largest norm of a row: the direction is each row over its norm. RMNP, arXiv:2603.20527; Scion's RowNorm up to a
// factor (Pethick et al. 2025, arXiv:2502.07529). For an embedding a row is a token.
#include "optim/geometry/axis_norm.h"

namespace steepest {

namespace {

const Register<Geometry, AxisNorm<Axis::rows>> registered("rows", "largest row norm: each row over its norm");

}  // namespace

}  // namespace steepest
