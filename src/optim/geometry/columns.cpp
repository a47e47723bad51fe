// The largest norm of a column: the direction is each column over its norm. Scion's ColNorm up to a factor: Pethick et
// al. 2025, arXiv:2502.07529.
#include "optim/geometry/axis_norm.h"

namespace steepest {

namespace {

const Register<Geometry, AxisNorm<Axis::columns>> registered("columns",
                                                             "largest column norm: each column over its norm");

}  // namespace

}  // namespace steepest
