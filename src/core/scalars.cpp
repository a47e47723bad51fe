#include "core/scalars.h"

#include <cassert>

namespace steepest {

int StepScalars::add(std::string name) {
    assert(buffer_.data() == nullptr);
    names_.push_back(std::move(name));
    host_.push_back(0);
    return static_cast<int>(host_.size()) - 1;
}

void StepScalars::allocate(Device device) {
    device_ = device;
    buffer_ = Buffer(device, static_cast<std::int64_t>(host_.size() * sizeof(float)));
    upload();
}

void StepScalars::upload() {
    if (!host_.empty())
        copy_to_device(device_, buffer_.data(), host_.data(), static_cast<std::int64_t>(host_.size() * sizeof(float)));
}

ConstTensor StepScalars::operator[](int slot) const {
    assert(buffer_.data() != nullptr);
    return {static_cast<const float*>(buffer_.data()) + slot, DType::f32, Shape{1}};
}

}  // namespace steepest
