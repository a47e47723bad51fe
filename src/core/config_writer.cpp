#include "core/config_writer.h"

#include <cmath>
#include <stdexcept>

namespace steepest::detail {

Json finite(double value, Json json) {
    if (!std::isfinite(value)) throw std::logic_error("a config value is not finite: use std::optional for \"none\"");
    return json;
}

}  // namespace steepest::detail
