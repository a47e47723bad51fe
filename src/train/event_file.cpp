#include "train/event_file.h"

#include "core/error.h"
#include "core/file.h"

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace steepest {

namespace {

// Castagnoli's polynomial, as RFC 3720 has it, masked as TFRecords do: a CRC of data that hold CRCs is a bad one.
std::uint32_t masked_crc(std::string_view data) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(data.data(), data.size());
    return std::rotr(crc.checksum(), 15) + 0xa282ead8u;
}

template <class T>
std::string little_endian(T value) {
    static_assert(std::endian::native == std::endian::little);
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

// Protocol buffers' wire format: a field is its number and wire type, then its value.
enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}
std::string tagged(int field, WireType type, std::string_view value) {
    return varint(static_cast<std::uint64_t>(field << 3 | type)).append(value);
}
std::string message(int field, std::string_view bytes) {
    return tagged(field, kBytes, varint(bytes.size())).append(bytes);
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5.
std::string event(double wall_time, std::int64_t step, std::string_view what) {
    return tagged(1, kFixed64, little_endian(wall_time)) +
           tagged(2, kVarint, varint(static_cast<std::uint64_t>(step))).append(what);
}
// Summary: value = 1; Summary.Value: tag = 1, simple_value = 2. The log writes null for what is not finite.
std::string scalar(const std::string& tag, const Json& value) {
    const float number = value.is_number() ? value.get<float>() : NAN;
    return message(1, message(1, tag) + tagged(2, kFixed32, little_endian(number)));
}

double parse_utc(const std::string& text) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return end && *end == '\0' ? static_cast<double>(::timegm(&parts)) : 0;
}

std::string scalars_of(const Json& line, const Json& time) {
    const std::string kind = line.value("kind", "");
    const Json none;
    const auto of = [&none](const Json& object, const char* key) -> const Json& {
        const auto found = object.find(key);
        return found == object.end() ? none : *found;
    };
    if (kind == "eval") return scalar("loss/" + line.value("split", "validation"), of(line, "loss"));
    if (kind != "train") return "";
    std::string scalars = scalar("loss/train", of(line, "loss")) + scalar("gradient_norm", of(line, "grad_norm")) +
                          scalar("tokens_per_second", of(time, "tokens_per_s"));
    if (const Json& rates = of(line, "lr"); rates.is_object())
        for (const auto& [group, rate] : rates.items()) scalars += scalar("learning_rate/" + group, rate);
    return scalars;
}

}  // namespace

EventFile::EventFile(std::string path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw StorageError(path_ + ": cannot write: " + std::strerror(errno));
}

EventFile::~EventFile() { ::close(descriptor_); }

void EventFile::add(const Json& line) {
    const Json time = line.value("time", Json::object());
    if (line.value("kind", "") == "start") {
        started_ = parse_utc(time.value("at", ""));
        return write_record(event(started_, 0, message(3, "brain.Event:2")));
    }
    const std::string scalars = scalars_of(line, time);
    if (scalars.empty()) return;
    const auto wall = time.find("wall_s");
    const double seconds = wall != time.end() && wall->is_number() ? wall->get<double>() : 0;
    write_record(event(started_ + seconds, line.value("step", std::int64_t{0}), message(5, scalars)));
}

void EventFile::add_log(const std::string& path) {
    const MappedFile file(path);
    std::string_view rest = file.text();
    for (int number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) return;  // being written, or cut off by a crash
        add(parse_json(rest.substr(0, end), path + ":" + std::to_string(number)));
        rest.remove_prefix(end + 1);
    }
}

// length, CRC of the length, data, CRC of the data
void EventFile::write_record(std::string_view data) {
    const std::string length = little_endian(static_cast<std::uint64_t>(data.size()));
    const std::string record =
        length + little_endian(masked_crc(length)) + std::string(data) + little_endian(masked_crc(data));
    std::string_view rest = record;
    while (!rest.empty()) {
        const ssize_t n = ::write(descriptor_, rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw StorageError(path_ + ": cannot write: " + std::strerror(errno));
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace steepest
