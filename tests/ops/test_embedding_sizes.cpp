// The embedding's gradient where many positions share a token, and where tokens are many: more than a block of any
// backend takes at once. Gradients are small whole numbers, so that every sum is exact in f32 and its order does not
// matter.
#include "ops/embedding.h"
#include "tests/ops/op_test.h"
#include "tests/reference/embedding.h"

namespace steepest::testing {
namespace {

struct Sizes {
    std::int64_t B, T, vocabulary, C;
    bool one_frequent;  // half of the positions hold token 0
};

template <class T>
void check_exactly(const Sizes& s) {
    SCOPED_TRACE(std::to_string(s.B * s.T) + " positions, " + std::to_string(s.vocabulary) + " tokens, C " +
                 std::to_string(s.C));
    const std::int64_t positions = s.B * s.T;
    const Random random(1, "embedding sizes");
    std::vector<double> tokens(static_cast<std::size_t>(positions)), dy(static_cast<std::size_t>(positions * s.C));
    for (std::int64_t i = 0; i < positions; ++i)
        tokens[i] = s.one_frequent && i % 2 ? 0 : double(random.below(s.vocabulary, i));
    for (std::int64_t i = 0; i < positions * s.C; ++i) dy[i] = double(random.below(5, positions + i)) - 2;

    const Guarded<std::int32_t> ids({s.B, s.T}, tokens);
    const Guarded<T> gradient({s.B, s.T, s.C}, dy);
    const auto [dwte, dwpe] = on_all_backends([&](Device device) {
        Guarded<float> e({s.vocabulary, s.C}, std::vector<double>(s.vocabulary * s.C, 1.0)), p({s.T, s.C});
        run(device, EmbeddingBackward{.dwte = e, .dwpe = p, .dy = gradient, .tokens = ids});
        expect_intact(e, p);
        return std::tuple(e.values(), p.values());
    });
    std::vector<double> dwte_reference(s.vocabulary * s.C, 1.0), dwpe_reference(s.T * s.C, 0.0);
    embedding_gradient_reference(dwte_reference, dwpe_reference, dy, tokens, s.T, s.C);
    expect_close("dwte", dwte, dwte_reference, {.absolute = 0, .relative = 0});
    expect_close("dwpe", dwpe, dwpe_reference, {.absolute = 0, .relative = 0});
}

TEST(EmbeddingSizes, GradientsAreExactForAnyNumberOfPositionsAndTokens) {
    for (const Sizes& s : {Sizes{1, 64, 1, 8, false}, Sizes{1, 128, 1, 8, false}, Sizes{1, 129, 1, 33, false},
                           Sizes{3, 1000, 2, 40, false}, Sizes{5, 1000, 300, 24, true}, Sizes{2, 4100, 256, 3, true},
                           Sizes{3, 700, 70000, 5, false}}) {
        check_exactly<float>(s);
        check_exactly<bf16>(s);
    }
}

}  // namespace
}  // namespace steepest::testing
