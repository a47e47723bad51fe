#include "core/field.h"

namespace steepest {

std::string Rules::interval(const Json& least, const Json& most) const {
    const Json& from = low ? *low : least;
    const Json& to = high ? *high : most;
    return (from.is_null() ? "(-inf" : (low && open_low ? "(" : "[") + from.dump()) + ", " +
           (to.is_null() ? "inf)" : to.dump() + (high && open_high ? ")" : "]"));
}

}  // namespace steepest
