// Products of lists on the GPU: those of batched_products.h, in as few launches as there are kinds of matrices. Equal
// shapes that lie at equal distances, as a group's blocks in scratch do, are one entry of a launch; 16 entries a
// launch.
//
// Cost: see batched_products.cu. The result is read back once where it is added to.
#include "kernels/cuda/batched_products.h"
#include "kernels/cuda/gpu.h"
#include "ops/multiply.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

namespace steepest {

namespace {

using cuda::Form;
using cuda::Matrices;
using cuda::Product;
using cuda::Products;

Form form_of(const Multiply& op, bool packed) {
    // A transposed left side has no form that mirrors; without 16-byte rows the whole is computed too, to keep the
    // kernels few. Sums over the same terms in the same order are symmetric anyway.
    if (op.symmetric && !op.transpose_a && packed) return Form::symmetric;
    return op.transpose_a ? Form::at_b : op.transpose_b ? Form::a_bt : Form::a_b;
}

class Lister {
public:
    Lister(const Multiply& op, bool packed) : op_(op), base_(cuda::data<float>(op.c[0])), packed_(packed) {}

    static bool packs(const Multiply& op, std::size_t i) {
        const auto rows_pack = [](const Tensor& t) { return t.shape.cols() % 4 == 0 && cuda::aligned16(t.data); };
        return rows_pack(op.c[i]) && rows_pack(op.a[i]) && rows_pack(op.b[i]) && (op.d.empty() || rows_pack(op.d[i]));
    }

    Product product(std::size_t i) const {
        const auto narrow = [&](std::int64_t side) {
            require(side < std::numeric_limits<int>::max() - 256, op_.name, "a side of a matrix is 2^31 or longer");
            return static_cast<int>(side);
        };
        return {.to = matrix(op_.c[i]),
                .a = matrix(op_.a[i]),
                .b = matrix(op_.b[i]),
                .from = op_.d.empty() ? Matrices{} : matrix(op_.d[i]),
                .rows = narrow(op_.c[i].shape.rows()),
                .cols = narrow(op_.c[i].shape.cols()),
                .depth = narrow(op_.depth(i)),
                .count = 1,
                .alpha = op_.alpha,
                .beta = op_.beta,
                .identity = op_.identity};
    }
    Products empty() const {
        return {.memory = base_,
                .dtype = DType::f32,
                .form = form_of(op_, packed_),
                .gate = cuda::data<float>(op_.gate),
                .packed = packed_};
    }

private:
    Matrices matrix(const Tensor& t) const {
        return {.offset = cuda::data<float>(t) - base_, .stride = 0, .pitch = static_cast<int>(t.shape.cols())};
    }

    const Multiply& op_;
    float* base_;
    bool packed_;
};

// Takes `next` into `all` where it goes on at the distance of those before; false where it does not.
bool append(Product& all, const Product& next) {
    if (std::tie(all.rows, all.cols, all.depth) != std::tie(next.rows, next.cols, next.depth)) return false;
    const auto goes_on = [&](const Matrices& m, const Matrices& n) {
        return all.count == 1 || n.offset == m.offset + all.count * m.stride;
    };
    for (const auto part : {&Product::to, &Product::a, &Product::b, &Product::from})
        if (!goes_on(all.*part, next.*part)) return false;
    for (const auto part : {&Product::to, &Product::a, &Product::b, &Product::from})
        if (all.count == 1) (all.*part).stride = (next.*part).offset - (all.*part).offset;
    ++all.count;
    return true;
}

void multiply(Cuda& cuda, const Multiply& op, const std::vector<std::size_t>& order, bool packed) {
    if (order.empty()) return;
    const Lister lister(op, packed);
    Products products = lister.empty();
    for (const std::size_t i : order) {
        const Product next = lister.product(i);
        if (products.size > 0 && append(products.list[products.size - 1], next)) continue;
        if (products.size == Products::kMost) cuda::multiply(cuda, std::exchange(products, lister.empty()));
        products.list[products.size++] = next;
    }
    if (products.size > 0) cuda::multiply(cuda, products);
}

}  // namespace

void run(Cuda& cuda, const Multiply& op) {
    std::vector<std::size_t> packed, others;
    for (std::size_t i = 0; i < op.c.size(); ++i)
        if (op.c[i].count() > 0) (Lister::packs(op, i) ? packed : others).push_back(i);
    for (std::vector<std::size_t>* order : {&packed, &others})
        // Equal shapes together, the longest sums first, so that the last blocks of a launch are short ones.
        std::ranges::stable_sort(*order, std::greater(), [&](std::size_t i) {
            return std::tuple(op.depth(i), op.c[i].shape.rows(), op.c[i].shape.cols());
        });
    multiply(cuda, op, packed, true);
    multiply(cuda, op, others, false);
}

}  // namespace steepest
