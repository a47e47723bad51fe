#include "core/memory.h"

#include <algorithm>

namespace steepest {

namespace {

// A cache line, and what every vector load of every backend wants.
constexpr std::int64_t kAlign = 256;

}  // namespace

Buffer::Buffer(Device device, std::int64_t bytes) : device_(device), bytes_(bytes) {
    if (bytes > 0) data_ = std::visit([&](auto* backend) { return steepest::allocate(*backend, bytes); }, device);
}

Buffer::~Buffer() {
    if (data_) std::visit([&](auto* backend) { steepest::release(*backend, data_, bytes_); }, device_);
}

void Layout::add(std::string name, Tensor* slot, DType dtype, Shape shape) {
    *slot = Tensor(nullptr, dtype, shape);
    entries_.push_back({std::move(name), slot, end_});
    end_ += (shape.count() * size_of(dtype) + kAlign - 1) / kAlign * kAlign;
    peak_ = std::max(peak_, end_);
}

Buffer Layout::allocate(Device device) const {
    Buffer buffer(device, peak_);
    for (const Entry& e : entries_) e.slot->data = static_cast<std::byte*>(buffer.data()) + e.offset;
    return buffer;
}

}  // namespace steepest
