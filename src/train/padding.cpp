#include "train/padding.h"

#include "ops/elementwise.h"

namespace steepest {

std::vector<Member> members_of(std::span<const ParamSpec> specs) {
    std::vector<Member> all;
    for (const ParamSpec& spec : specs) all.push_back({.spec = &spec, .index = static_cast<int>(all.size())});
    return all;
}

void clear_padding(Device device, std::span<const Member> members, const TensorList& list) {
    TensorList padding;
    for (const Member& m : members)
        if (const std::int64_t rows = m.spec->padding_rows; rows > 0)
            padding.push_back(list[static_cast<std::size_t>(m.index)].rows(m.spec->shape.rows() - rows, rows));
    if (!padding.empty()) run(device, AddScaled{.x = padding, .y = padding, .a = 0, .b = 0});
}

}  // namespace steepest
