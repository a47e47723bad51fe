#include "core/scalars.h"

#include <algorithm>
#include <cassert>

namespace steepest {

int StepScalars::add(std::string name) {
    assert(buffer_.data() == nullptr);
    names_.push_back(std::move(name));
    host_.push_back(0);
    return static_cast<int>(host_.size()) - 1;
}

void StepScalars::allocate(Device device) {
    if (host_.empty()) return;
    buffer_ = Buffer(device, static_cast<std::int64_t>(host_.size() * sizeof(float)));
    feed_ = make_feed(device, buffer_.data(), buffer_.bytes());
    upload();
}

void StepScalars::upload() {
    if (!feed_) return;
    std::ranges::copy(host_, static_cast<float*>(feed_->host()));
    feed_->send();
}

ConstTensor StepScalars::operator[](int slot) const {
    assert(buffer_.data() != nullptr);
    return {static_cast<const float*>(buffer_.data()) + slot, DType::f32, Shape{1}};
}

}  // namespace steepest
