#include "core/error.h"
#include "core/memory.h"
#include "kernels/cpu/cpu.h"

#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace steepest {
namespace {

std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

TEST(Buffer, OwnsItsBytesThroughMoves) {
    Cpu cpu(1);
    Buffer a(&cpu, 1000);
    ASSERT_NE(a.data(), nullptr);
    EXPECT_EQ(a.bytes(), 1000);
    EXPECT_EQ(address(a.data()) % 64, 0u);
    std::memset(a.data(), 7, 1000);

    void* data = a.data();
    Buffer b(std::move(a));
    EXPECT_EQ(a.data(), nullptr);
    EXPECT_EQ(b.data(), data);
    Buffer c(&cpu, 10);
    c = std::move(b);
    EXPECT_EQ(c.data(), data);
    EXPECT_EQ(static_cast<unsigned char*>(c.data())[999], 7);
}

TEST(Buffer, OfNoBytesIsNull) {
    Cpu cpu(1);
    EXPECT_EQ(Buffer(&cpu, 0).data(), nullptr);
    EXPECT_EQ(Buffer().data(), nullptr);
}

TEST(Buffer, WhatDoesNotFitIsADeviceError) {
    Cpu cpu(1);
    // More than the 128 TiB that a process can address.
    EXPECT_THROW(Buffer(&cpu, std::int64_t{1} << 50), DeviceError);
}

TEST(Layout, PlansBeforeItAllocates) {
    Cpu cpu(1);
    Tensor a, b, c, scalar;
    Layout layout;
    layout.add("a", &a, DType::f32, {3, 5});  // 60 bytes
    layout.add("b", &b, DType::bf16, {129});  // 258 bytes
    layout.add("c", &c, DType::i32, {64});    // 256 bytes
    layout.add("scalar", &scalar, DType::f32, {});
    // Each starts on a multiple of 256.
    EXPECT_EQ(layout.bytes(), 256 + 512 + 256 + 256);
    EXPECT_FALSE(a) << "an address before allocate()";
    EXPECT_EQ(b.shape, Shape({129}));

    const Buffer buffer = layout.allocate(&cpu);
    EXPECT_EQ(buffer.bytes(), layout.bytes());
    const auto base = address(buffer.data());
    EXPECT_EQ(address(a.data), base);
    EXPECT_EQ(address(b.data), base + 256);
    EXPECT_EQ(address(c.data), base + 768);
    EXPECT_EQ(address(scalar.data), base + 1024);
    EXPECT_EQ(b.bytes(), 258);
    EXPECT_EQ(scalar.bytes(), 4);

    std::vector<std::string> names;
    for (const Layout::Entry& e : layout.entries()) names.push_back(e.name);
    EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c", "scalar"}));
}

// Tensors that never live at once share bytes, and the plan is as large as the largest set that does.
TEST(Layout, RewindOverlaps) {
    Cpu cpu(1);
    Tensor kept, first, second, third;
    Layout layout;
    layout.add("kept", &kept, DType::f32, {64});
    const std::int64_t mark = layout.mark();
    layout.add("first", &first, DType::f32, {256});
    layout.rewind(mark);
    layout.add("second", &second, DType::f32, {64});
    layout.add("third", &third, DType::f32, {64});
    EXPECT_EQ(layout.bytes(), 256 + 1024);

    const Buffer buffer = layout.allocate(&cpu);
    EXPECT_EQ(first.data, second.data);
    EXPECT_EQ(address(third.data), address(second.data) + 256);
    EXPECT_EQ(address(second.data), address(kept.data) + 256);
}

TEST(Layout, EmptyNeedsNothing) {
    Cpu cpu(1);
    Layout layout;
    EXPECT_EQ(layout.bytes(), 0);
    EXPECT_EQ(layout.allocate(&cpu).data(), nullptr);
}

}  // namespace
}  // namespace steepest
