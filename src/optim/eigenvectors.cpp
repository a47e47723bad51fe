#include "optim/eigenvectors.h"

#include "ops/eigenvectors.h"
#include "ops/elementwise.h"
#include "ops/multiply.h"
#include "optim/sides.h"

#include <algorithm>
#include <bit>

namespace steepest {

namespace {

constexpr std::int64_t kMost = SymmetricEigenvectors::kMostRows;

// Rows of the panels of a large matrix, an even number of them.
std::int64_t panels_of(std::int64_t side) { return (side + kMost - 1) / kMost * 2; }
Tensor panel(const Tensor& square, std::int64_t p) {
    const std::int64_t side = square.shape[0], panels = panels_of(side);
    const std::int64_t begin = side * p / panels, end = side * (p + 1) / panels;
    return square.rows(begin, end - begin);
}

// From one sweep to the next what is off the diagonal becomes a third, later its square. Measured on G G^T of Gaussian
// G, of full rank and of a quarter of it: 6 sweeps for 12 panels, 8 for 24, 10 for 96 leave 1e-5.
int sweeps_of(std::int64_t panels) { return 4 + static_cast<int>(std::bit_width(static_cast<std::uint64_t>(panels))); }

// Within a pair of panels: more would be undone by the next pair.
constexpr int kSweepsOfPair = 4;

class Memory {
public:
    explicit Memory(const Tensor& whole) : at_(whole.as<float>()) {}
    Tensor take(std::int64_t rows, std::int64_t cols) {
        const Tensor t(at_, DType::f32, Shape{rows, cols});
        at_ += padded(rows * cols);
        return t;
    }
    static std::int64_t padded(std::int64_t count) { return (count + 15) / 16 * 16; }

private:
    float* at_;
};

// A large matrix and what it takes to rotate it.
struct Work {
    Tensor q, w;                   // (n, n), in panels
    Tensor old_q, old_w;           // (n, n): the rows of each pair before its rotation, one after the other
    TensorList product, rotation;  // of each pair, (rows, rows) in kMost squares

    Work(const Tensor& vectors, Memory& memory) : q(vectors) {
        const std::int64_t n = q.shape[0];
        for (Tensor* t : {&w, &old_q, &old_w}) *t = memory.take(n, n);
        for (std::int64_t k = 0; k < panels_of(n) / 2; ++k)
            for (TensorList* list : {&product, &rotation}) list->push_back(memory.take(kMost, kMost));
    }
    static std::int64_t floats(std::int64_t n) {
        return 3 * Memory::padded(n * n) + panels_of(n) * Memory::padded(kMost * kMost);
    }
};

// The ops of one round for all matrices that have it.
struct Round {
    Copy copy{};
    Multiply products{.c = {}, .a = {}, .b = {}, .transpose_b = true};
    SymmetricEigenvectors small{.q = {}, .h = {}, .sweeps = kSweepsOfPair};
    Multiply rotations{.c = {}, .a = {}, .b = {}};

    void add(const Work& work, std::int64_t round) {
        const std::int64_t panels = panels_of(work.q.shape[0]);
        std::int64_t row = 0;
        for (std::int64_t k = 0; k < panels / 2; ++k) {
            const std::int64_t a = k == 0 ? panels - 1 : (round + k) % (panels - 1),
                               c = k == 0 ? round : (round - k + panels - 1) % (panels - 1);
            add_pair(work, static_cast<std::size_t>(k), {std::min(a, c), std::max(a, c)}, row);
        }
    }
    // Larger eigenvalues to the first panel, which sorts them as it goes, and converges faster than not.
    void add_pair(const Work& work, std::size_t k, std::array<std::int64_t, 2> pair, std::int64_t& row) {
        const std::int64_t heights[] = {panel(work.q, pair[0]).shape[0], panel(work.q, pair[1]).shape[0]};
        const std::int64_t height = heights[0] + heights[1];
        const Shape square{height, height};
        products.a.push_back(work.old_w.rows(row, height)), products.b.push_back(work.old_q.rows(row, height));
        products.c.emplace_back(work.product[k].data, DType::f32, square);
        small.h.push_back(products.c.back());
        small.q.emplace_back(work.rotation[k].data, DType::f32, square);
        for (const auto& [now, before] : {std::pair{&work.q, &work.old_q}, {&work.w, &work.old_w}}) {
            std::int64_t of_pair = 0;
            for (int half = 0; half < 2; ++half) {
                const Tensor to = panel(*now, pair[half]);
                copy.to.push_back(before->rows(row + of_pair, heights[half])), copy.from.push_back(to);
                rotations.c.push_back(to);
                rotations.a.push_back(small.q.back().rows(of_pair, heights[half]));
                rotations.b.push_back(before->rows(row, height));
                of_pair += heights[half];
            }
        }
        row += height;
    }
    void run_on(Device device) const {
        run(device, copy);
        run(device, products);
        run(device, small);
        run(device, rotations);
    }
};

}  // namespace

void Eigenvectors::prepare(Binding& binding, const std::string& name, const std::vector<Shape>& squares) {
    std::int64_t total = 0, largest = 0;
    for (const Shape& s : squares) {
        if (s[0] <= kMost) continue;
        total += Work::floats(s[0]), largest = std::max(largest, Work::floats(s[0]));
    }
    const std::int64_t limit = std::max(largest, (kScratch << 20) / size_of(DType::f32));
    binding.scratch(name, &memory_, DType::f32, {std::min(total, limit)});
}

void Eigenvectors::find(Device device, const TensorList& q, const TensorList& a) const {
    SymmetricEigenvectors small{.q = {}, .h = {}};
    TensorList some_q, some_a;
    std::int64_t floats = 0;
    const auto flush = [&] {
        if (!some_q.empty()) find_some(device, some_q, some_a);
        some_q.clear(), some_a.clear(), floats = 0;
    };
    for (std::size_t i = 0; i < q.size(); ++i) {
        const std::int64_t side = q[i].shape[0];
        if (side <= kMost) {
            small.q.push_back(q[i]), small.h.push_back(a[i]);
            continue;
        }
        if (floats + Work::floats(side) > memory_.count()) flush();
        some_q.push_back(q[i]), some_a.push_back(a[i]);
        floats += Work::floats(side);
    }
    flush();
    if (!small.q.empty()) run(device, small);
}

void Eigenvectors::find_some(Device device, const TensorList& q, const TensorList& a) const {
    Memory memory(memory_);
    std::vector<Work> all;
    Copy start{.to = {}, .from = a};
    std::int64_t panels = 0;
    for (const Tensor& t : q) {
        start.to.push_back(all.emplace_back(t, memory).w);
        panels = std::max(panels, panels_of(t.shape[0]));
    }
    run(device, start);
    set_to_identity(device, q);
    for (int sweep = 0; sweep < sweeps_of(panels); ++sweep)
        for (std::int64_t round = 0; round < panels - 1; ++round) {
            Round ops;
            for (const Work& work : all)
                if (round < panels_of(work.q.shape[0]) - 1) ops.add(work, round);
            ops.run_on(device);
        }
}

}  // namespace steepest
