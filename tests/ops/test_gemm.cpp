// The matrix product under every op, each engine of this machine against a triple loop in double.
#include "core/error.h"
#include "kernels/cpu/gemm.h"
#include "tests/close.h"
#include "tests/harness.h"

#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <thread>

namespace steepest {
namespace {

using namespace steepest::testing;
using cpu::Block;
using cpu::ConstMatrix;
using cpu::gemm;
using cpu::Matrix;

std::vector<Engine> engines() {
    std::vector<Engine> all;
    for (Engine e : {Engine::automatic, Engine::onednn, Engine::avx512, Engine::avx2, Engine::baseline})
        if (available(e)) all.push_back(e);
    return all;
}

struct Case {
    std::int64_t m, n, k;
    bool transpose_a = false, transpose_b = false;
    float alpha = 1, beta = 0;
    std::int64_t extra = 0;  // stride beyond the columns
    bool symmetric = false;

    std::string text() const {
        return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + (transpose_a ? " T" : " N") +
               (transpose_b ? "T" : "N") + " alpha " + std::to_string(alpha) + " beta " + std::to_string(beta) +
               " extra " + std::to_string(extra) + (symmetric ? " symmetric" : "");
    }
};

// A matrix in a guarded buffer, rows longer than needed; what lies between the rows is NaN in operands.
template <class T>
struct Stored {
    std::int64_t rows, cols, stride;
    Guarded<T> bytes;

    Stored(std::int64_t r, std::int64_t c, std::int64_t extra, std::string_view purpose, double scale = 1)
        : rows(r), cols(c), stride(c + extra), bytes(Shape{r, c + extra}) {
        if (scale == 0) return;  // stays NaN
        const auto values = normal(r * c, purpose, scale);
        for (std::int64_t i = 0; i < r; ++i)
            for (std::int64_t j = 0; j < c; ++j) bytes.data()[i * stride + j] = T(float(values[i * c + j]));
    }
    double at(std::int64_t i, std::int64_t j) const { return double(bytes.data()[i * stride + j]); }
    ConstMatrix view() const { return {bytes.data(), dtype_of<T>(), rows, cols, stride}; }
    Matrix view() { return {bytes.data(), dtype_of<T>(), rows, cols, stride}; }
    std::vector<T> values() const {
        std::vector<T> out;
        for (std::int64_t i = 0; i < rows; ++i)
            out.insert(out.end(), bytes.data() + i * stride, bytes.data() + i * stride + cols);
        return out;
    }
};

// One product checked element by element. Each of K terms passes through at most K + 3 roundings (its product, the
// sums, alpha, beta), so the error is below (K + 4) u sum |a b|; a bf16 result is rounded once more.
template <class A, class B, class C>
void check(const Cpu& cpu, const Case& t) {
    Stored<A> a(t.transpose_a ? t.k : t.m, t.transpose_a ? t.m : t.k, t.extra, "a");
    Stored<B> b(t.transpose_b ? t.n : t.k, t.transpose_b ? t.k : t.n, t.extra, "b");
    Stored<C> c(t.m, t.n, t.extra, "c", t.beta == 0 ? 0 : 1);
    const Stored<C> before = c;
    const ConstMatrix va = t.transpose_a ? a.view().t() : a.view(), vb = t.transpose_b ? b.view().t() : b.view();
    gemm(cpu, {.c = c.view(), .a = va, .b = vb, .alpha = t.alpha, .beta = t.beta});

    const double store = std::is_same_v<C, bf16> ? kBf16 : 0;
    for (std::int64_t i = 0; i < t.m; ++i)
        for (std::int64_t j = 0; j < t.n; ++j) {
            double sum = 0, size = 0;
            for (std::int64_t k = 0; k < t.k; ++k) {
                const double term =
                    (t.transpose_a ? a.at(k, i) : a.at(i, k)) * (t.transpose_b ? b.at(j, k) : b.at(k, j));
                sum += term, size += std::abs(term);
            }
            double expected = t.alpha * sum;
            size *= std::abs(t.alpha);
            if (t.beta != 0) expected += t.beta * before.at(i, j), size += std::abs(t.beta * before.at(i, j));
            const Tolerance allowed{.absolute = double(t.k + 4) * kF32 * size * (1 + store), .relative = store};
            const double actual = c.at(i, j);
            const Mismatch m = compare<double>({&actual, 1}, {&expected, 1}, allowed);
            ASSERT_EQ(m.bad, 0u) << cpu.describe() << " " << t.text() << " at (" << i << ", " << j << "): " << actual
                                 << ", expected " << expected << ", " << m.worst_ratio << " times the allowed error";
        }
    EXPECT_TRUE(a.bytes.guards_intact() && b.bytes.guards_intact() && c.bytes.guards_intact());
    for (std::int64_t i = 0; i < t.m; ++i)
        EXPECT_EQ(std::memcmp(c.bytes.data() + i * c.stride + t.n, before.bytes.data() + i * c.stride + t.n,
                              t.extra * sizeof(C)),
                  0)
            << "written between the rows";
}

template <class A, class B, class C>
void check_layouts(const Cpu& cpu, Case t) {
    for (int layout = 0; layout < 4; ++layout) {
        t.transpose_a = layout & 1, t.transpose_b = layout & 2;
        check<A, B, C>(cpu, t);
    }
}

class Products : public ::testing::TestWithParam<Engine> {};

TEST_P(Products, MatchesDoubleOverAwkwardSizes) {
    const Cpu cpu(1, GetParam());
    const std::int64_t sizes[] = {1, 2, 3, 31, 33, 64, 127, 129};
    // Every pair of sizes meets in each two of the three places.
    for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 8; ++j) {
            const Case t{.m = sizes[i], .n = sizes[j], .k = sizes[(i + j) % 8], .extra = i % 3};
            check_layouts<float, float, float>(cpu, t);
            check_layouts<bf16, bf16, float>(cpu, t);
        }
}

TEST_P(Products, ScalesAndAccumulates) {
    const Cpu cpu(2, GetParam());
    for (const float alpha : {1.0f, -0.75f})
        for (const float beta : {0.0f, 1.0f, 0.3f}) {
            const Case t{.m = 33, .n = 65, .k = 31, .alpha = alpha, .beta = beta, .extra = 5};
            check_layouts<float, float, float>(cpu, t);
            check_layouts<bf16, bf16, float>(cpu, t);
            check_layouts<bf16, bf16, bf16>(cpu, t);
            check_layouts<float, float, bf16>(cpu, t);
            check_layouts<float, bf16, float>(cpu, t);
            check_layouts<bf16, float, float>(cpu, t);
        }
}

// Longer than every block of K and larger than every tile, none of them whole.
TEST_P(Products, CrossesBlocksAndTiles) {
    const Cpu cpu(3, GetParam());
    check_layouts<float, float, float>(cpu, {.m = 530, .n = 100, .k = 33, .alpha = 0.5f, .beta = 1});
    check_layouts<bf16, bf16, bf16>(cpu, {.m = 50, .n = 403, .k = 35, .alpha = 0.5f, .beta = 1});
    // The largest tile there is, for each engine.
    check<bf16, bf16, bf16>(Cpu(1, GetParam()), {.m = 1024, .n = 768, .k = 2, .beta = 1});
    for (const float beta : {0.0f, 1.0f}) {
        check_layouts<float, float, float>(cpu, {.m = 19, .n = 50, .k = 1111, .alpha = 0.5f, .beta = beta});
        check_layouts<bf16, bf16, float>(cpu, {.m = 19, .n = 50, .k = 1111, .alpha = 0.5f, .beta = beta});
        check_layouts<bf16, bf16, bf16>(cpu, {.m = 19, .n = 50, .k = 1111, .alpha = 0.5f, .beta = beta});
    }
}

TEST_P(Products, EmptySumScalesC) {
    const Cpu cpu(2, GetParam());
    check<float, float, float>(cpu, {.m = 3, .n = 50, .k = 0, .beta = 0.5f});
    check<float, float, float>(cpu, {.m = 3, .n = 50, .k = 0});
    check<bf16, bf16, bf16>(cpu, {.m = 3, .n = 50, .k = 0});
    gemm(cpu, {.c = Matrix(nullptr, DType::f32, 0, 4, 4),
               .a = ConstMatrix(nullptr, DType::f32, 0, 2, 2),
               .b = ConstMatrix(nullptr, DType::f32, 2, 4, 4)});
}

template <class T, class C>
std::vector<C> product(const Cpu& cpu, std::int64_t m, std::int64_t n, std::int64_t k, bool symmetric = false,
                       bool transpose = false) {
    const Stored<T> a(transpose ? k : m, transpose ? m : k, 0, "a"), b(n, k, 0, "b");
    Stored<C> c(m, n, 0, "c", 0);
    const ConstMatrix left = transpose ? a.view().t() : a.view();
    gemm(cpu,
         {.c = c.view(), .a = left, .b = symmetric ? left.t() : b.view().t(), .alpha = 0.7f, .symmetric = symmetric});
    return c.values();
}

template <class C>
void expect_same_bytes(const std::vector<C>& x, const std::vector<C>& y, std::string_view what) {
    ASSERT_EQ(x.size(), y.size());
    EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(C)), 0) << what;
}

TEST_P(Products, SameBytesForAnyThreadCount) {
    const Cpu one(1, GetParam());
    const auto f32 = product<float, float>(one, 300, 500, 700), bf = product<bf16, float>(one, 300, 500, 700);
    const auto tn = product<float, float>(one, 300, 500, 700, false, true);
    const auto rounded = product<bf16, bf16>(one, 300, 500, 700);
    for (const int threads : {1, 2, 3, 5}) {
        const Cpu cpu(threads, GetParam());
        expect_same_bytes(product<float, float>(cpu, 300, 500, 700), f32, "f32");
        expect_same_bytes(product<float, float>(cpu, 300, 500, 700, false, true), tn, "f32 TN");
        expect_same_bytes(product<bf16, float>(cpu, 300, 500, 700), bf, "bf16");
        expect_same_bytes(product<bf16, bf16>(cpu, 300, 500, 700), rounded, "bf16 result");
    }
}

TEST_P(Products, RunsInsideAParallelRegion) {
    const Cpu cpu(3, GetParam());
    const auto alone = product<float, float>(cpu, 130, 140, 150);
    const auto alone_bf16 = product<bf16, bf16>(cpu, 130, 140, 150);
    // Operands are made beforehand: the generator of test data asks GoogleTest for the test's name.
    const Stored<float> a(130, 150, 0, "a"), b(140, 150, 0, "b");
    const Stored<bf16> a16(130, 150, 0, "a"), b16(140, 150, 0, "b");
    std::vector<Stored<float>> c(7, Stored<float>(130, 140, 0, "c", 0));
    std::vector<Stored<bf16>> c16(7, Stored<bf16>(130, 140, 0, "c", 0));
    cpu.parallel_for(7, [&](std::int64_t i) {
        gemm(cpu, {.c = c[i].view(), .a = a.view(), .b = b.view().t(), .alpha = 0.7f});
        gemm(cpu, {.c = c16[i].view(), .a = a16.view(), .b = b16.view().t(), .alpha = 0.7f});
    });
    for (const auto& each : c) expect_same_bytes(each.values(), alone, "f32");
    for (const auto& each : c16) expect_same_bytes(each.values(), alone_bf16, "bf16");
}

template <class T, class C>
void check_symmetric(const Cpu& cpu, std::int64_t m, std::int64_t k, bool transpose) {
    const Stored<T> a(transpose ? k : m, transpose ? m : k, 1, "a");
    const ConstMatrix left = transpose ? a.view().t() : a.view();
    // C is symmetric before, as beta C must be; its lower triangle is not read.
    Stored<C> start(m, m, 3, "c"), full = start, half = start;
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < i; ++j) {
            full.bytes.data()[i * full.stride + j] = full.bytes.data()[j * full.stride + i];
            half.bytes.data()[i * half.stride + j] = C(std::numeric_limits<float>::quiet_NaN());
        }
    gemm(cpu, {.c = full.view(), .a = left, .b = left.t(), .alpha = 0.7f, .beta = -0.3f});
    gemm(cpu, {.c = half.view(), .a = left, .b = left.t(), .alpha = 0.7f, .beta = -0.3f, .symmetric = true});
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = i; j < m; ++j) {
            ASSERT_EQ(half.at(i, j), full.at(i, j))
                << cpu.describe() << " " << m << "x" << k << " (" << i << ", " << j << ")";
            ASSERT_EQ(half.at(j, i), half.at(i, j)) << cpu.describe() << " mirrored (" << j << ", " << i << ")";
        }
    EXPECT_TRUE(half.bytes.guards_intact());
}

TEST_P(Products, SymmetricHasTheBitsOfTheFullProduct) {
    const Cpu cpu(2, GetParam());
    for (const std::int64_t m : {1, 7, 49, 130, 402, 523})
        for (const bool transpose : {false, true}) {
            check_symmetric<float, float>(cpu, m, 77, transpose);
            check_symmetric<bf16, float>(cpu, m, 77, transpose);
            check_symmetric<bf16, bf16>(cpu, m, 77, transpose);
        }
}

// Each element is seen once, in f32 and before C is rounded, and what the epilogue writes is what is stored.
template <class C>
void check_epilogue(const Cpu& cpu) {
    const std::int64_t m = 200, n = 310, k = 65;
    const Stored<bf16> a(m, k, 0, "a"), b(k, n, 0, "b");
    Stored<float> plain(m, n, 0, "c", 0);
    Stored<C> c(m, n, 4, "c", 0);
    gemm(cpu, {.c = plain.view(), .a = a.view(), .b = b.view()});
    std::vector<int> seen(m * n, 0);
    gemm(cpu, {.c = c.view(), .a = a.view(), .b = b.view(), .epilogue = [&](const Block& block) {
                   for (std::int64_t i = 0; i < block.rows; ++i)
                       for (std::int64_t j = 0; j < block.cols; ++j) {
                           const std::int64_t row = block.row + i, col = block.col + j;
                           float& x = block.data[i * block.stride + j];
                           seen[row * n + col] += 1 + 1000 * (x != float(plain.at(row, col)));
                           x = 2 * x + float(row);
                       }
               }});
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
            ASSERT_EQ(seen[i * n + j], 1) << i << ", " << j;
            ASSERT_EQ(float(c.at(i, j)), float(C(2 * float(plain.at(i, j)) + float(i)))) << i << ", " << j;
        }
}

TEST_P(Products, EpilogueSeesEachElementOnceBeforeItIsRounded) {
    for (const int threads : {1, 3}) {
        const Cpu cpu(threads, GetParam());
        check_epilogue<float>(cpu);
        check_epilogue<bf16>(cpu);
    }
}

// Every element is one chain of sums over K, wherever it lies: a row computed alone has the bits it has among others.
// (oneDNN picks its own order by shape.)
TEST_P(Products, BitsDoNotDependOnTheNeighbours) {
    const Cpu cpu(2, GetParam());
    const Stored<bf16> a(301, 777, 0, "a"), b(777, 402, 0, "b");
    Stored<float> whole(301, 402, 0, "c", 0), part(3, 50, 0, "d", 0);
    gemm(cpu, {.c = whole.view(), .a = a.view(), .b = b.view()});
    gemm(cpu, {.c = part.view(), .a = a.view().block(298, 0, 3, 777), .b = b.view().block(0, 352, 777, 50)});
    for (std::int64_t i = 0; i < 3; ++i)
        for (std::int64_t j = 0; j < 50; ++j) ASSERT_EQ(part.at(i, j), whole.at(298 + i, 352 + j)) << i << ", " << j;
}

TEST_P(Products, NonFiniteNumbersArrive) {
    const Cpu cpu(2, GetParam());
    Stored<bf16> a(20, 70, 0, "a"), b(70, 90, 0, "b");
    a.bytes.data()[7 * 70 + 69] = bf16(std::numeric_limits<float>::quiet_NaN());
    b.bytes.data()[3 * 90 + 11] = bf16(std::numeric_limits<float>::infinity());
    Stored<float> c(20, 90, 0, "c", 0);
    gemm(cpu, {.c = c.view(), .a = a.view(), .b = b.view()});
    for (std::int64_t i = 0; i < 20; ++i)
        for (std::int64_t j = 0; j < 90; ++j) EXPECT_EQ(std::isfinite(c.at(i, j)), i != 7 && j != 11) << i << ", " << j;
}

// A thread that is not OpenMP's own starts with OpenMP's default of one thread a core, which a library would take.
TEST_P(Products, StartsNoThreadsOfItsOwn) {
    const auto threads = [] {
        const std::filesystem::directory_iterator all("/proc/self/task");
        return std::distance(begin(all), end(all));
    };
    const Cpu cpu(1, GetParam());
    const Stored<float> a(300, 300, 0, "a");
    Stored<float> c(300, 300, 0, "c", 0);
    std::thread([&] {
        omp_set_num_threads(4);
        const auto before = threads();
        gemm(cpu, {.c = c.view(), .a = a.view(), .b = a.view()});
        EXPECT_EQ(threads(), before);
    }).join();
}

std::string engine_name(const ::testing::TestParamInfo<Engine>& info) {
    constexpr const char* kNames[] = {"automatic", "onednn", "avx512", "avx2", "baseline"};
    return kNames[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Gemm, Products, ::testing::ValuesIn(engines()), engine_name);

TEST(Cpu, RefusesAnEngineThatIsNotHere) {
    for (Engine e : {Engine::automatic, Engine::onednn, Engine::avx512, Engine::avx2, Engine::baseline}) {
        if (available(e))
            EXPECT_NE(Cpu(1, e).describe().find("bf16"), std::string::npos);
        else
            EXPECT_THROW(Cpu(1, e), InputError);
    }
}

}  // namespace
}  // namespace steepest
