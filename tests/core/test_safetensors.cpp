#include "core/error.h"
#include "core/hash.h"
#include "core/safetensors.h"
#include "tests/harness.h"
#include "tests/temporary_folder.h"

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace steepest {
namespace {

using testing::Guarded;
using testing::message_of;
using testing::normal;
using testing::the_device;

class SafetensorsFile : public testing::TemporaryFolder {
protected:
    // A file of this header and this many zero bytes behind it.
    std::string written(const std::string& header, std::size_t data) {
        const std::uint64_t length = header.size();
        std::string text(reinterpret_cast<const char*>(&length), sizeof length);
        write_file(path("x"), text + header + std::string(data, '\0'));
        return path("x");
    }
    std::string refusal(const std::string& header, std::size_t data) {
        const std::string file = written(header, data);
        const std::string error = message_of<InputError>([&] { Safetensors s(file); });
        EXPECT_EQ(error.rfind(file, 0), 0u) << error;
        return error.substr(std::min(error.size(), file.size()));
    }
};

std::string bits(ConstTensor t) { return {static_cast<const char*>(t.data), static_cast<std::size_t>(t.bytes())}; }

TEST_F(SafetensorsFile, ReturnsEveryBit) {
    Guarded<float> a({3, 5}, normal(15, "a")), empty({0, 4}), scalar(Shape{}, {-0.0});
    Guarded<bf16> b({7}, normal(7, "b"));
    Guarded<std::int32_t> c({2, 1, 3, 2}, {1, -2, 3, -4, 5, -6, 7, 8, 9, 10, 11, 2147483647});
    Guarded<float> nan({2});  // starts as NaN
    const std::vector<TensorSource> sources = {from_device("b", b, the_device()),
                                               from_device("h.0/estimator/m", a, the_device()),
                                               from_host("empty", empty),
                                               from_device("scalar", scalar, the_device()),
                                               from_host("c", c),
                                               from_host("nan \"\u00e9\"", nan)};
    const std::uint64_t hash = write_safetensors(path("x"), sources, {{"step", "7"}, {"odd", "\n\"\\"}});

    const Safetensors file(path("x"));
    EXPECT_EQ(hash, file.checksum());
    EXPECT_EQ(hash, hash64(read_file(path("x"))));
    EXPECT_EQ(file.metadata(), (Metadata{{"step", "7"}, {"odd", "\n\"\\"}}));
    ASSERT_EQ(file.tensors().size(), sources.size());
    EXPECT_EQ(file.find("d"), nullptr);
    const auto check = [&](const char* name, ConstTensor expected) {
        const ConstTensor* found = file.find(name);
        ASSERT_NE(found, nullptr) << name;
        EXPECT_EQ(found->dtype, expected.dtype) << name;
        EXPECT_EQ(found->shape, expected.shape) << name;
        EXPECT_EQ(bits(*found), bits(expected)) << name;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(found->data) % size_of(expected.dtype), 0u) << name;
    };
    check("h.0/estimator/m", a), check("b", b), check("c", c), check("empty", empty), check("scalar", scalar);
    check("nan \"\u00e9\"", nan);
    EXPECT_EQ(names(), std::vector<std::string>{"x"});
}

TEST_F(SafetensorsFile, NoTensorsAtAll) {
    write_safetensors(path("x"), {});
    EXPECT_TRUE(Safetensors(path("x")).tensors().empty());
    EXPECT_EQ(read_file(path("x")), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
}

// Larger than the piece that is copied at a time, and no multiple of it.
TEST_F(SafetensorsFile, StreamsInOrder) {
    const std::int64_t count = (std::int64_t{20} << 20) / 4 + 3;
    std::int64_t next = 0, largest = 0;
    const TensorSource source{"big", DType::i32, Shape{count},
                              [&](void* host, std::int64_t offset, std::int64_t bytes) {
                                  EXPECT_EQ(offset, next);
                                  next += bytes, largest = std::max(largest, bytes);
                                  for (std::int64_t i = 0; i < bytes / 4; ++i)
                                      static_cast<std::int32_t*>(host)[i] = static_cast<std::int32_t>(offset / 4 + i);
                              }};
    write_safetensors(path("x"), std::vector{source});
    EXPECT_EQ(next, count * 4);
    EXPECT_EQ(largest, std::int64_t{8} << 20);
    const Safetensors file(path("x"));
    const auto* values = file.find("big")->as<std::int32_t>();
    for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(values[i], i);
}

TEST_F(SafetensorsFile, NamesAreUnique) {
    Guarded<float> a({1}, {1});
    EXPECT_THROW(write_safetensors(path("x"), std::vector{from_host("a", a), from_host("a", a)}), std::logic_error);
    EXPECT_THROW(write_safetensors(path("x"), std::vector{from_host("__metadata__", a)}), std::logic_error);
    EXPECT_TRUE(names().empty());
}

TEST_F(SafetensorsFile, AForeignFileIsRead) {
    const Safetensors file(written(
        R"({"__metadata__":{"format":"pt"},"b":{"data_offsets":[4,8],"dtype":"F32","shape":[1]},"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]}})",
        8));
    ASSERT_EQ(file.tensors().size(), 2u);
    EXPECT_EQ(file.tensors()[0].name, "a");
    EXPECT_EQ(file.tensors()[0].tensor.shape, (Shape{2, 1}));
}

TEST_F(SafetensorsFile, SaysWhatIsWrong) {
    const std::string a = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
    EXPECT_EQ(refusal(a + "}", 7), ": holds 7 bytes of data; its header describes 8");
    EXPECT_EQ(refusal(a + "}", 9), ": holds 9 bytes of data; its header describes 8");
    EXPECT_EQ(refusal(a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
              ": tensor \"b\": begins at byte 4 of the data; expected 8, where the one before it ends");
    EXPECT_EQ(refusal(a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})", 16),
              ": tensor \"b\": begins at byte 12 of the data; expected 8, where the one before it ends");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
              ": tensor \"a\": data_offsets [0,8] span 8 bytes; F32 of shape [3] needs 12");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", 8),
              ": tensor \"a\": dtype is \"F64\"; expected \"F32\", \"BF16\" or \"I32\"");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8),
              ": tensor \"a\": shape is [-1]; expected a list of whole numbers that are not negative");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0),
              ": tensor \"a\": shape [4611686018427387904,4] is too large");
    EXPECT_EQ(
        refusal(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0),
        ": tensor \"a\": shape is [18446744073709551615]; expected a list of whole numbers that are not negative");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[1,1,1,1,2],"data_offsets":[0,8]}})", 8),
              ": tensor \"a\": has 5 dimensions; expected at most 4");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8),
              ": tensor \"a\": data_offsets are [8,0]; expected a begin and an end not before it");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"c":1}})", 8),
              ": tensor \"a\": unknown key \"c\"");
    EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8), ": tensor \"a\": shape is missing");
    EXPECT_EQ(refusal(R"({"a":3})", 8), ": tensor \"a\": is 3; expected an object with dtype, shape and data_offsets");
    EXPECT_EQ(refusal(R"({"__metadata__":{"x":1}})", 0), ": __metadata__.x is 1; expected a string");
    EXPECT_EQ(refusal("[]", 0), ": the header is []; expected an object");
    EXPECT_NE(refusal(a, 8).find("(header)"), std::string::npos);
    EXPECT_NE(refusal(a + R"(,"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8).find("twice"),
              std::string::npos);
}

TEST_F(SafetensorsFile, WrongLengths) {
    const auto error = [&](const std::string& text) {
        write_file(path("x"), text);
        return message_of<InputError>([&] { Safetensors s(path("x")); });
    };
    EXPECT_NE(error("").find("is 0 bytes long"), std::string::npos);
    EXPECT_NE(error("1234567").find("is 7 bytes long"), std::string::npos);
    EXPECT_NE(error("\xff\xff\xff\xff\xff\xff\xff\xff{}").find("no safetensors file, or cut off"), std::string::npos);
    EXPECT_NE(error(std::string("\x03\0\0\0\0\0\0\0{}", 10)).find("a header of 3 bytes"), std::string::npos);
    EXPECT_NE(message_of<InputError>([&] { Safetensors s(path("y")); }).find("No such file"), std::string::npos);
}

// The format as its own description has it, by somebody else's JSON and byte order.
TEST_F(SafetensorsFile, PythonReadsIt) {
    if (std::system("python3 -c pass 2>/dev/null") != 0) GTEST_SKIP() << "no python3";
    Guarded<float> a({2, 3}, {1, -2, 3.5, 0, 1e-30, 65504});
    Guarded<bf16> b({3}, {1, -2, 0.5});
    Guarded<std::int32_t> c({2}, {-7, 1 << 30});
    write_safetensors(path("x"), std::vector{from_host("b", b), from_host("a", a), from_host("c", c)}, {{"k", "v"}});
    write_file(path("read.py"), R"(
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
n, = struct.unpack("<Q", raw[:8])
assert n % 8 == 0 and raw[8:9] == b"{"
head = json.loads(raw[8:8 + n])
assert head.pop("__metadata__") == {"k": "v"}
data, end = raw[8 + n:], 0
for name, t in sorted(head.items(), key=lambda item: item[1]["data_offsets"]):
    begin, stop = t["data_offsets"]
    assert begin == end
    end, part = stop, data[begin:stop]
    if t["dtype"] == "BF16":
        values = [struct.unpack("<f", b"\0\0" + part[i:i + 2])[0] for i in range(0, len(part), 2)]
    else:
        values = struct.unpack("<%d%s" % (len(part) // 4, {"F32": "f", "I32": "i"}[t["dtype"]]), part)
    print(name, t["shape"], *values)
assert end == len(data)
try:
    import numpy, safetensors
    with safetensors.safe_open(sys.argv[1], "numpy") as f:
        assert set(f.keys()) == set(head) and f.get_tensor("c").tolist() == [-7, 1 << 30]
except ImportError:
    pass
)");
    std::FILE* pipe = ::popen(("python3 " + path("read.py") + " " + path("x") + " 2>&1").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string output;
    for (int ch; (ch = std::fgetc(pipe)) != EOF;) output += static_cast<char>(ch);
    EXPECT_EQ(::pclose(pipe), 0);
    EXPECT_EQ(output,
              "a [2, 3] 1.0 -2.0 3.5 0.0 1.0000000031710769e-30 65504.0\n"
              "c [2] -7 1073741824\n"
              "b [3] 1.0 -2.0 0.5\n");
}

}  // namespace
}  // namespace steepest
