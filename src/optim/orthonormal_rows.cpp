#include "optim/orthonormal_rows.h"

#include "ops/gram_schmidt.h"
#include "ops/multiply.h"

#include <algorithm>

namespace steepest {

namespace {

constexpr std::int64_t kPanel = GramSchmidt::kMostRows;

// panel -= (panel before^T) before.
struct Subtraction {
    TensorList panel, before, parts;

    void run_on(Device device) const {
        if (panel.empty()) return;
        run(device, Multiply{.c = parts, .a = panel, .b = before, .transpose_b = true});
        run(device, Multiply{.c = panel, .a = parts, .b = before, .d = panel, .alpha = -1});
    }
};

}  // namespace

void OrthonormalRows::prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes) {
    std::vector<Shape> parts;
    for (const Shape& s : shapes) parts.push_back({kPanel, s.rows()});
    binding.scratch(name, std::move(parts), &parts_);
}

void OrthonormalRows::replace(Device device, const TensorList& x) const {
    std::int64_t rows = 0;
    for (const Tensor& t : x) rows = std::max(rows, t.shape.rows());
    for (std::int64_t begin = 0; begin < rows; begin += kPanel) {
        Subtraction subtraction;
        TensorList panels;
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (x[i].shape.rows() <= begin) continue;
            panels.push_back(x[i].rows(begin, std::min(kPanel, x[i].shape.rows() - begin)));
            if (begin == 0) continue;
            subtraction.panel.push_back(panels.back());
            subtraction.before.push_back(x[i].rows(0, begin));
            subtraction.parts.emplace_back(parts_[i].data, DType::f32, Shape{panels.back().shape.rows(), begin});
        }
        for (int pass = 0; pass < 2; ++pass) {
            subtraction.run_on(device);
            run(device, GramSchmidt{.x = panels});
        }
    }
}

std::int64_t OrthonormalRows::flops(const std::vector<Shape>& shapes) {
    std::int64_t total = 0;
    for (const Shape& s : shapes) total += 4 * s.rows() * s.count();
    return total;
}

}  // namespace steepest
