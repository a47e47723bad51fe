#pragma once
// Tensors on disk in the safetensors format (https://github.com/huggingface/safetensors): eight bytes of header length,
// a JSON header, then the tensors without gaps. F32, BF16 and I32, little-endian, at most four dimensions.
#include "core/device.h"
#include "core/file.h"
#include "core/tensor.h"

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steepest {

// A tensor to be written, wherever it lives.
struct TensorSource {
    std::string name;  // UTF-8, unique in the file, not "__metadata__"
    DType dtype = DType::f32;
    Shape shape;
    // Copies bytes [offset, offset + bytes) of the tensor to `host`; called in order, piece by piece.
    std::function<void(void* host, std::int64_t offset, std::int64_t bytes)> copy;
};
TensorSource from_device(std::string name, ConstTensor tensor, Device device);
TensorSource from_host(std::string name, ConstTensor tensor);

using Metadata = std::map<std::string, std::string>;

// Writes `path` whole or not at all, with 8 MiB of host memory whatever the size, and returns the XXH3 of the file's
// bytes. Four-byte types come first, so that every tensor is aligned. Throws StorageError.
std::uint64_t write_safetensors(const std::string& path, std::span<const TensorSource> tensors,
                                const Metadata& metadata = {});

// A file mapped for reading. The constructor checks all of it but the tensors' values: throws InputError that names the
// file, the tensor, what was found and what was expected.
class Safetensors {
public:
    struct Entry {
        std::string name;
        // In the mapping. Aligned to its type in files written here; in others maybe not, so copy the bytes.
        ConstTensor tensor;
    };

    explicit Safetensors(std::string path);

    const std::string& path() const { return file_.path(); }
    // In the order of the file's bytes.
    const std::vector<Entry>& tensors() const { return tensors_; }
    const Metadata& metadata() const { return metadata_; }
    // Null where there is none.
    const ConstTensor* find(std::string_view name) const;
    // XXH3 of the whole file; reads it.
    std::uint64_t checksum() const;

private:
    MappedFile file_;
    std::vector<Entry> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
    Metadata metadata_;
};

}  // namespace steepest
