#pragma once
// Who owns memory: a Buffer owns bytes on a device; a Layout plans named tensors and then gives them one Buffer, so
// that the exact size is known, by name, before anything is allocated.
#include "core/device.h"
#include "core/tensor.h"

#include <string>
#include <utility>
#include <vector>

namespace steepest {

// Uninitialised bytes on one device, freed with the Buffer. Move-only.
class Buffer {
public:
    Buffer() = default;
    Buffer(Device device, std::int64_t bytes);
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer other) noexcept {
        swap(other);
        return *this;
    }
    ~Buffer();

    void* data() const { return data_; }
    std::int64_t bytes() const { return bytes_; }

private:
    void swap(Buffer& other) noexcept {
        std::swap(device_, other.device_), std::swap(data_, other.data_), std::swap(bytes_, other.bytes_);
    }

    Device device_{};
    void* data_ = nullptr;
    std::int64_t bytes_ = 0;
};

class Layout {
public:
    struct Entry {
        std::string name;
        Tensor* slot;
        std::int64_t offset;
    };

    // `slot` gets its shape now and its address in allocate(); it must outlive both and not move between them.
    void add(std::string name, Tensor* slot, DType dtype, Shape shape);
    // Plans what follows over the bytes planned since `mark`, for tensors whose lifetimes do not overlap.
    std::int64_t mark() const { return end_; }
    void rewind(std::int64_t mark) { end_ = mark; }

    std::int64_t bytes() const { return peak_; }
    const std::vector<Entry>& entries() const { return entries_; }

    [[nodiscard]] Buffer allocate(Device device) const;

private:
    std::vector<Entry> entries_;
    std::int64_t end_ = 0, peak_ = 0;
};

}  // namespace steepest
