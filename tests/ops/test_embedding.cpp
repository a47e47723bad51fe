#include "ops/embedding.h"
#include "tests/ops/op_test.h"
#include "tests/reference/embedding.h"

namespace steepest::testing {
namespace {

template <class T>
struct Embedding : ::testing::Test {};
TYPED_TEST_SUITE(Embedding, FloatTypes, TypeName);

constexpr std::int64_t kBatch = 3, kPositions = 21,
                       kVocab = 7;  // rows of wpe past T; tokens that repeat, and one that never occurs

std::vector<double> tokens(std::int64_t T) {
    std::vector<double> values(kBatch * T);
    const Random random(1, "tokens");
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = double(random.below(kVocab - 1, i));
    return values;
}

TYPED_TEST(Embedding, ForwardMatchesTheReference) {
    using T = TypeParam;
    for (const std::int64_t C : {1, 2, 3, 31, 33, 64, 127, 768}) {
        SCOPED_TRACE(C);
        const std::int64_t length = 17;
        const Guarded<std::int32_t> ids({kBatch, length}, tokens(length));
        const Guarded<T> wte({kVocab, C}, normal(kVocab * C, "wte")),
            wpe({kPositions, C}, normal(kPositions * C, "wpe"));
        const auto [y] = on_all_backends([&](Device device) {
            Guarded<T> out({kBatch, length, C});
            run(device, EmbeddingForward{.y = out, .tokens = ids, .wte = wte, .wpe = wpe});
            expect_intact(out);
            return std::tuple(out.values());
        });
        // One addition in f32 and one store.
        expect_close("y", y, embedding_reference(tokens(length), wte.as_double(), wpe.as_double(), length, C),
                     {.absolute = 0, .relative = kStore<T> + kF32});
    }
}

TYPED_TEST(Embedding, BackwardMatchesTheReference) {
    using T = TypeParam;
    for (const std::int64_t C : {1, 2, 3, 31, 33, 64, 127, 768})
        for (const bool accumulate : {false, true}) {
            SCOPED_TRACE(C);
            const std::int64_t length = C == 3 ? kPositions : 17;
            const Guarded<std::int32_t> ids({kBatch, length}, tokens(length));
            const Guarded<T> dy({kBatch, length, C}, normal(kBatch * length * C, "dy"));
            const Guarded<float> head({kVocab, C}, normal(kVocab * C, "head")),
                before({kPositions, C}, normal(kPositions * C, "before"));
            const auto [dwte, dwpe] = on_all_backends([&](Device device) {
                Guarded<float> e = head, p = accumulate ? before : Guarded<float>({kPositions, C});
                run(device, EmbeddingBackward{.dwte = e, .dwpe = p, .dy = dy, .tokens = ids, .accumulate = accumulate});
                expect_intact(e, p);
                return std::tuple(e.values(), p.values());
            });
            auto dwte_reference = head.as_double();
            auto dwpe_reference = accumulate ? before.as_double() : std::vector<double>(kPositions * C);
            embedding_gradient_reference(dwte_reference, dwpe_reference, dy.as_double(), tokens(length), length, C);
            // At most as many additions as tokens, of values up to the largest partial sum.
            const double n = double(kBatch * length),
                         size = n / (kVocab - 1) * 2 * largest(dy.as_double()) + largest(head.as_double());
            expect_close("dwte", dwte, dwte_reference, {.absolute = n * kF32 * size, .relative = 0});
            expect_close("dwpe", dwpe, dwpe_reference,
                         {.absolute = kBatch * kF32 * (kBatch * largest(dy.as_double()) + largest(before.as_double())),
                          .relative = 0});
        }
}

}  // namespace
}  // namespace steepest::testing
