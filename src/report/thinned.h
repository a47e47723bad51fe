#pragma once
// A curve with fewer rows that looks the same: nothing that stands out is lost.
#include "report/run_record.h"

namespace steepest::report {

// At most `most_rows` rows (8 at least; none for 0) of the curve: its first and last row, and of each bucket of
// neighbouring rows those of the least and of the largest loss and the first whose loss is not finite. A row kept is
// kept whole and unchanged. A curve that fits is returned as it is.
Curve thinned(Curve curve, std::size_t most_rows);

}  // namespace steepest::report
