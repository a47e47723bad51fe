#include "core/safetensors.h"

#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

namespace steepest {

namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian, and so is this code");

constexpr std::int64_t kPiece = std::int64_t{8} << 20;
constexpr std::int64_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kLargestRank = 4;
constexpr std::string_view kMetadataKey = "__metadata__";

std::string_view format_name(DType t) { return t == DType::f32 ? "F32" : t == DType::bf16 ? "BF16" : "I32"; }

std::optional<DType> dtype_named(std::string_view name) {
    for (const DType t : {DType::f32, DType::bf16, DType::i32})
        if (name == format_name(t)) return t;
    return std::nullopt;
}

std::int64_t bytes_of(const TensorSource& t) { return t.shape.count() * size_of(t.dtype); }

std::vector<const TensorSource*> by_alignment(std::span<const TensorSource> tensors) {
    std::vector<const TensorSource*> order;
    std::set<std::string_view> names;
    for (const TensorSource& t : tensors) {
        if (!names.insert(t.name).second || t.name == kMetadataKey)
            throw std::logic_error("tensor name \"" + t.name + "\" is reserved or used twice");
        order.push_back(&t);
    }
    std::ranges::stable_sort(order, std::greater{}, [](const TensorSource* t) { return size_of(t->dtype); });
    return order;
}

std::string header_of(std::span<const TensorSource* const> tensors, const Metadata& metadata) {
    Json header = Json::object();
    if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
    std::int64_t begin = 0;
    for (const TensorSource* t : tensors) {
        Json shape = Json::array();
        for (int i = 0; i < t->shape.rank(); ++i) shape.push_back(t->shape[i]);
        const std::int64_t end = begin + bytes_of(*t);
        header[t->name] = {{"dtype", format_name(t->dtype)}, {"shape", shape}, {"data_offsets", {begin, end}}};
        begin = end;
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
}

// What is wrong with one tensor's entry, or with the file.
class Complaint {
public:
    Complaint(const std::string& path, const std::string& tensor)
        : prefix_(path + (tensor.empty() ? "" : ": tensor \"" + tensor + "\"") + ": ") {}
    [[noreturn]] void operator()(const std::string& what) const { throw InputError(prefix_ + what); }

private:
    std::string prefix_;
};

Shape make_shape(std::span<const std::int64_t> d) {
    switch (d.size()) {
        case 0:
            return {};
        case 1:
            return {d[0]};
        case 2:
            return {d[0], d[1]};
        case 3:
            return {d[0], d[1], d[2]};
        default:
            return {d[0], d[1], d[2], d[3]};
    }
}

std::vector<std::int64_t> read_sizes(const Json& entry, const char* key, const Complaint& complain) {
    const auto found = entry.find(key);
    if (found == entry.end()) complain(std::string(key) + " is missing");
    std::vector<std::int64_t> sizes;
    bool good = found->is_array();
    if (good)
        for (const Json& n : *found) {
            good = good && n.is_number_unsigned() &&
                   n.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
            if (good) sizes.push_back(n.get<std::int64_t>());
        }
    if (!good)
        complain(std::string(key) + " is " + brief(*found) +
                 "; expected a list of whole numbers that are not negative");
    return sizes;
}

struct Place {
    std::string name;
    DType dtype;
    Shape shape;
    std::int64_t begin, end;
};

Place read_place(const std::string& name, const Json& entry, const Complaint& complain) {
    if (!entry.is_object()) complain("is " + brief(entry) + "; expected an object with dtype, shape and data_offsets");
    for (const auto& [key, value] : entry.items())
        if (key != "dtype" && key != "shape" && key != "data_offsets") complain("unknown key \"" + key + "\"");
    const auto type = entry.find("dtype");
    const auto dtype = type != entry.end() && type->is_string() ? dtype_named(type->get<std::string>()) : std::nullopt;
    if (!dtype)
        complain("dtype is " + (type == entry.end() ? "missing" : brief(*type)) +
                 "; expected \"F32\", \"BF16\" or \"I32\"");

    const std::vector<std::int64_t> dims = read_sizes(entry, "shape", complain);
    const std::vector<std::int64_t> offsets = read_sizes(entry, "data_offsets", complain);
    if (dims.size() > kLargestRank)
        complain("has " + std::to_string(dims.size()) + " dimensions; expected at most " +
                 std::to_string(kLargestRank));
    if (offsets.size() != 2 || offsets[0] > offsets[1])
        complain("data_offsets are " + brief(entry["data_offsets"]) + "; expected a begin and an end not before it");
    std::int64_t bytes = size_of(*dtype);
    for (const std::int64_t d : dims)
        if (__builtin_mul_overflow(bytes, d, &bytes)) complain("shape " + brief(entry["shape"]) + " is too large");
    if (offsets[1] - offsets[0] != bytes)
        complain("data_offsets " + brief(entry["data_offsets"]) + " span " + std::to_string(offsets[1] - offsets[0]) +
                 " bytes; " + std::string(format_name(*dtype)) + " of shape " + brief(entry["shape"]) + " needs " +
                 std::to_string(bytes));
    return {name, *dtype, make_shape(dims), offsets[0], offsets[1]};
}

Metadata read_metadata(const Json& json, const Complaint& complain) {
    if (!json.is_object()) complain("__metadata__ is " + brief(json) + "; expected an object of strings");
    Metadata metadata;
    for (const auto& [key, value] : json.items()) {
        if (!value.is_string()) complain("__metadata__." + key + " is " + brief(value) + "; expected a string");
        metadata[key] = value.get<std::string>();
    }
    return metadata;
}

// The header's text, and behind it where the data begin.
std::string_view read_header(const MappedFile& file, const Complaint& complain) {
    std::uint64_t length = 0;
    if (file.size() < std::int64_t{sizeof length})
        complain("is " + std::to_string(file.size()) + " bytes long; a safetensors file begins with 8 bytes of length");
    std::memcpy(&length, file.data(), sizeof length);
    if (length > std::uint64_t{kLargestHeader} || length > file.size() - sizeof length)
        complain("the first 8 bytes give a header of " + std::to_string(length) + " bytes; the file has " +
                 std::to_string(file.size()) + ": no safetensors file, or cut off");
    return file.text().substr(sizeof length, length);
}

}  // namespace

TensorSource from_device(std::string name, ConstTensor tensor, Device device) {
    return {std::move(name), tensor.dtype, tensor.shape, [=](void* host, std::int64_t offset, std::int64_t bytes) {
                copy_to_host(device, host, static_cast<const std::byte*>(tensor.data) + offset, bytes);
            }};
}

TensorSource from_host(std::string name, ConstTensor tensor) {
    return {std::move(name), tensor.dtype, tensor.shape, [=](void* host, std::int64_t offset, std::int64_t bytes) {
                std::memcpy(host, static_cast<const std::byte*>(tensor.data) + offset, bytes);
            }};
}

std::uint64_t write_safetensors(const std::string& path, std::span<const TensorSource> tensors,
                                const Metadata& metadata) {
    const std::vector<const TensorSource*> order = by_alignment(tensors);
    const std::string header = header_of(order, metadata);
    AtomicFile file(path);
    Hash64 hash;
    const auto put = [&](const void* data, std::int64_t bytes) {
        file.write(data, bytes);
        hash.update(data, bytes);
    };

    const std::uint64_t length = header.size();
    put(&length, sizeof length);
    put(header.data(), static_cast<std::int64_t>(header.size()));
    std::vector<std::byte> piece;
    for (const TensorSource* t : order) {
        const std::int64_t bytes = bytes_of(*t);
        for (std::int64_t offset = 0; offset < bytes; offset += kPiece) {
            const std::int64_t n = std::min(kPiece, bytes - offset);
            piece.resize(std::max(piece.size(), static_cast<std::size_t>(n)));
            t->copy(piece.data(), offset, n);
            put(piece.data(), n);
        }
    }
    file.commit();
    return hash.digest();
}

Safetensors::Safetensors(std::string path) : file_(std::move(path)) {
    const Complaint complain(file_.path(), "");
    const std::string_view text = read_header(file_, complain);
    const std::byte* data = file_.data() + sizeof(std::uint64_t) + text.size();
    const std::int64_t size = file_.data() + file_.size() - data;

    const Json header = parse_json(text, file_.path() + " (header)");
    if (!header.is_object()) complain("the header is " + brief(header) + "; expected an object");
    std::vector<Place> places;
    for (const auto& [name, entry] : header.items()) {
        if (name == kMetadataKey)
            metadata_ = read_metadata(entry, complain);
        else
            places.push_back(read_place(name, entry, Complaint(file_.path(), name)));
    }

    // Tensors without elements lie where others begin.
    std::ranges::stable_sort(places, std::less{}, [](const Place& p) { return std::pair(p.begin, p.end); });
    std::int64_t end = 0;
    for (const Place& p : places) {
        if (p.begin != end)
            Complaint(file_.path(), p.name)("begins at byte " + std::to_string(p.begin) + " of the data; expected " +
                                            std::to_string(end) + ", where the one before it ends");
        end = p.end;
        if (end > size) break;
        index_.emplace(p.name, tensors_.size());
        tensors_.push_back({p.name, ConstTensor(data + p.begin, p.dtype, p.shape)});
    }
    if (end != size)
        complain("holds " + std::to_string(size) + " bytes of data; its header describes " +
                 std::to_string(places.empty() ? 0 : places.back().end));
}

const ConstTensor* Safetensors::find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second].tensor;
}

std::uint64_t Safetensors::checksum() const { return hash64(file_.data(), file_.size()); }

}  // namespace steepest
