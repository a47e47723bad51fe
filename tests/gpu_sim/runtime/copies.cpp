#include "tests/gpu_sim/runtime/copies.h"

#include "tests/gpu_sim/runtime/capture.h"

#include <cstring>

namespace gpu_sim {

namespace {

std::uint64_t number_of(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

const char* name_of(Place::Side side) {
    switch (side) {
        case Place::Side::Pageable:
            return "pageable host memory";
        case Place::Side::Pinned:
            return "pinned host memory";
        case Place::Side::Managed:
            return "managed memory";
        case Place::Side::Device:
            return "device memory";
    }
    return "";
}

// Bytes from the first of the first row to the last of the last.
std::uint64_t extent(std::uint64_t pitch, std::uint64_t width, std::uint64_t height) {
    return height == 0 ? 0 : (height - 1) * pitch + width;
}

void check_bounds(const char* what, const void* pointer, const Place& place, std::uint64_t bytes) {
    if (place.side == Place::Side::Pageable) return;
    const std::uint64_t left = place.begin + place.bytes - number_of(pointer);
    require(bytes <= left, cudaErrorInvalidValue,
            std::string(what) + " " + hex(pointer) + " has " + std::to_string(left) + " bytes to the end of its " +
                name_of(place.side) + ", the copy needs " + std::to_string(bytes));
}

void check_direction(const Copy& c, const Place& to, const Place& from) {
    const bool to_device = c.kind == cudaMemcpyHostToDevice || c.kind == cudaMemcpyDeviceToDevice;
    const bool from_device = c.kind == cudaMemcpyDeviceToHost || c.kind == cudaMemcpyDeviceToDevice;
    require(c.kind >= cudaMemcpyHostToHost && c.kind <= cudaMemcpyDefault, cudaErrorInvalidMemcpyDirection,
            "cudaMemcpyKind " + std::to_string(int(c.kind)));
    if (c.kind == cudaMemcpyDefault) return;
    require(to_device ? to.on_device() : to.on_host(), cudaErrorInvalidValue,
            "the direction of the copy does not fit: its destination is " + std::string(name_of(to.side)));
    require(from_device ? from.on_device() : from.on_host(), cudaErrorInvalidValue,
            "the direction of the copy does not fit: its source is " + std::string(name_of(from.side)));
}

// The bytes behind a pointer. Checked again when the copy runs: the memory may have been freed meanwhile.
std::byte* bytes_at(Runtime& r, const void* pointer, const Place& place, std::uint64_t bytes) {
    if (place.side == Place::Side::Device) return r.device(place.device).memory.access(number_of(pointer), bytes);
    if (place.side != Place::Side::Pageable && !r.host.find(pointer))
        throw Error(cudaErrorIllegalAddress, hex(pointer) + ": this host memory was freed before the copy ran");
    return static_cast<std::byte*>(const_cast<void*>(pointer));
}

// What was never written stays so in the copy.
void copy_written(const DeviceMemory& from, std::uint64_t source, DeviceMemory& to, std::uint64_t target,
                  std::uint64_t bytes) {
    if (bytes == 0) return;
    if (from.all_written(source, bytes)) {
        to.mark_written(target, bytes);
        return;
    }
    if (bytes == 1) return;
    copy_written(from, source, to, target, bytes / 2);
    copy_written(from, source + bytes / 2, to, target + bytes / 2, bytes - bytes / 2);
}

void run_copy(Runtime& r, const Copy& c, const Place& to, const Place& from) {
    for (std::uint64_t row = 0; row < c.height; ++row) {
        auto* target = static_cast<std::byte*>(c.to) + row * c.to_pitch;
        const auto* source = static_cast<const std::byte*>(c.from) + row * c.from_pitch;
        std::memmove(bytes_at(r, target, to, c.width), bytes_at(r, source, from, c.width), c.width);
        if (to.side != Place::Side::Device) continue;
        DeviceMemory& memory = r.device(to.device).memory;
        if (from.side == Place::Side::Device)
            copy_written(r.device(from.device).memory, number_of(source), memory, number_of(target), c.width);
        else
            memory.mark_written(number_of(target), c.width);
    }
}

std::string direction(const Place& to, const Place& from) {
    const auto side = [](const Place& place) { return place.side == Place::Side::Device ? "device" : "host"; };
    return std::string(side(from)) + "->" + side(to);
}

// The same copy from memory of its own, as a driver stages pageable memory.
Copy staged(const Copy& c, std::shared_ptr<std::vector<std::byte>> buffer) {
    buffer->resize(c.width * c.height);
    for (std::uint64_t row = 0; row < c.height; ++row)
        std::memcpy(buffer->data() + row * c.width, static_cast<const std::byte*>(c.from) + row * c.from_pitch,
                    c.width);
    Copy copy = c;
    copy.from = buffer->data();
    copy.from_pitch = c.width;
    return copy;
}

}  // namespace

Place place_of(Runtime& r, const void* pointer) {
    if (const auto* block = r.host.find(pointer))
        return {block->kind == HostMemory::Kind::Managed ? Place::Side::Managed : Place::Side::Pinned, block->device,
                block->begin, block->bytes};
    for (const auto& device : r.devices) {
        if (!device || !device->memory.owns(pointer)) continue;
        const auto range = device->memory.allocation_of(number_of(pointer));
        return {Place::Side::Device, device->number, range.begin, range.bytes};
    }
    return {Place::Side::Pageable, 0, 0, 0};
}

void copy(Runtime& r, Stream& stream, const Copy& c, bool synchronous) {
    if (synchronous) {
        require_not_capturing(stream, "a copy that waits");
        require_unsafe_calls_allowed(r);
    }
    if (c.width == 0 || c.height == 0) return;
    require(c.to && c.from, cudaErrorInvalidValue,
            c.to ? "the source is a null pointer" : "the destination is a null pointer");
    require(c.height == 1 || (c.width <= c.to_pitch && c.width <= c.from_pitch), cudaErrorInvalidPitchValue,
            "rows of " + std::to_string(c.width) + " bytes do not fit pitches of " + std::to_string(c.to_pitch) +
                " and " + std::to_string(c.from_pitch));
    const Place to = place_of(r, c.to), from = place_of(r, c.from);
    check_direction(c, to, from);
    check_bounds("destination", c.to, to, extent(c.to_pitch, c.width, c.height));
    check_bounds("source", c.from, from, extent(c.from_pitch, c.width, c.height));

    auto operation = std::make_shared<Operation>();
    operation->type = cudaGraphNodeTypeMemcpy;
    operation->name = direction(to, from);
    operation->bytes = c.width * c.height;
    operation->what = "copy " + operation->name + " " + std::to_string(operation->bytes) + " bytes";
    operation->device = stream.device;
    const bool stage = from.side == Place::Side::Pageable && !stream.capture;
    auto buffer = std::make_shared<std::vector<std::byte>>();
    const Copy taken = stage ? staged(c, buffer) : c;
    operation->run = [&r, taken, to, from, buffer] { run_copy(r, taken, to, from); };
    r.enqueue(stream, operation);
    if (stream.capture) return;
    const bool both_host = to.side != Place::Side::Device && from.side != Place::Side::Device;
    const bool pinned = (to.side == Place::Side::Pinned || from.side == Place::Side::Pinned) && synchronous;
    if (both_host || pinned || to.side == Place::Side::Pageable) r.wait_for(stream);
}

void fill(Runtime& r, Stream& stream, void* to, std::uint64_t pitch, int value, std::uint64_t width,
          std::uint64_t height) {
    if (width == 0 || height == 0) return;
    require(to != nullptr, cudaErrorInvalidValue, "the destination is a null pointer");
    require(height == 1 || width <= pitch, cudaErrorInvalidPitchValue, "rows longer than the pitch");
    const Place place = place_of(r, to);
    require(place.side != Place::Side::Pageable, cudaErrorInvalidValue, hex(to) + " is pageable host memory");
    check_bounds("destination", to, place, extent(pitch, width, height));
    auto operation = std::make_shared<Operation>();
    operation->type = cudaGraphNodeTypeMemset;
    operation->name = "memset";
    operation->bytes = width * height;
    operation->what = "memset " + std::to_string(operation->bytes) + " bytes";
    operation->device = stream.device;
    operation->run = [&r, place, to, pitch, value, width, height] {
        for (std::uint64_t row = 0; row < height; ++row) {
            auto* target = static_cast<std::byte*>(to) + row * pitch;
            std::memset(bytes_at(r, target, place, width), value, width);
            if (place.side == Place::Side::Device) r.device(place.device).memory.mark_written(number_of(target), width);
        }
    };
    r.enqueue(stream, operation);
}

}  // namespace gpu_sim
