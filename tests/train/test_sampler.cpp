#include "tests/train/run_fixture.h"
#include "train/text_task.h"

#include <cmath>
#include <limits>

namespace steepest {
namespace {

const std::vector<float> kLogits = {0.5f, -1.0f, 2.0f, 1.0f, 2.0f, -3.0f, 0.0f};

// How often each token comes in `draws` draws.
std::vector<int> counts(const SamplingRule& rule, int draws) {
    std::vector<int> n(kLogits.size());
    const Random random(7, "counts");
    for (int i = 0; i < draws; ++i) ++n.at(pick_token(kLogits, rule, random.uniform(i)));
    return n;
}

TEST(PickToken, TemperatureZeroIsTheLikeliestAndTheLowerOfEquals) {
    for (const double u : {0.0, 0.3, 0.999999}) {
        EXPECT_EQ(pick_token(kLogits, {.temperature = 0}, u), 2);
        EXPECT_EQ(pick_token(kLogits, {.temperature = 0, .top_k = 5}, u), 2);
        EXPECT_EQ(pick_token(kLogits, {.temperature = 1, .top_k = 1}, u), 2);
        EXPECT_EQ(pick_token(std::vector<float>{1, 3, 3}, {.temperature = 0}, u), 1);
    }
}

TEST(PickToken, TopKLeavesTheOthersOut) {
    const std::vector<int> n = counts({.temperature = 5, .top_k = 3}, 2000);
    for (const int token : {0, 1, 5, 6}) EXPECT_EQ(n[token], 0) << token;
    for (const int token : {2, 3, 4}) EXPECT_GT(n[token], 0) << token;
    // More than there are is all of them.
    EXPECT_EQ(counts({.temperature = 1, .top_k = 100}, 500), counts({.temperature = 1, .top_k = 0}, 500));
}

// Pearson's statistic of draws from the right distribution is chi-square with k - 1 degrees of freedom; it exceeds
// k - 1 + 2 sqrt((k - 1) x) + 2 x with probability at most exp(-x) (Laurent, Massart 2000, lemma 1). x = 14: 1e-6.
TEST(PickToken, DrawsFollowTheSoftmax) {
    constexpr int kDraws = 20000;
    for (const SamplingRule rule : {SamplingRule{1, 0}, {0.5, 0}, {2, 0}, {1, 4}}) {
        std::vector<double> p(kLogits.size());
        double total = 0;
        for (std::size_t i = 0; i < p.size(); ++i) {
            const auto above = std::count_if(kLogits.begin(), kLogits.end(), [&](float x) { return x > kLogits[i]; });
            if (rule.top_k == 0 || above < rule.top_k) total += p[i] = std::exp(kLogits[i] / rule.temperature);
        }
        const std::vector<int> n = counts(rule, kDraws);
        double statistic = 0;
        int kept = 0;
        for (std::size_t i = 0; i < p.size(); ++i) {
            if (p[i] == 0) {
                EXPECT_EQ(n[i], 0);
                continue;
            }
            const double expected = kDraws * p[i] / total;
            ++kept;
            statistic += (n[i] - expected) * (n[i] - expected) / expected;
        }
        const double k = kept - 1, x = 14;
        EXPECT_LT(statistic, k + 2 * std::sqrt(k * x) + 2 * x) << rule.temperature << " " << rule.top_k;
    }
}

TEST(PickToken, TheEndsOfTheUnitIntervalAreTokens) {
    EXPECT_EQ(pick_token(kLogits, {.temperature = 1}, 0), 2);
    EXPECT_EQ(pick_token(kLogits, {.temperature = 1}, std::nextafter(1.0, 0.0)), 5) << "the least likely";
    // A model that has diverged still gives some token.
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::int32_t token = pick_token(std::vector<float>{nan, nan, nan}, {.temperature = 1}, 0.5);
    EXPECT_TRUE(token >= 0 && token < 3);
}

TEST(ValidUtf8, ReplacesWhatIsNone) {
    EXPECT_EQ(valid_utf8("plain \xc3\xa9\n"), "plain \xc3\xa9\n");
    EXPECT_EQ(valid_utf8("a\xff"
                         "b\xc3"),
              "a\xef\xbf\xbd"
              "b\xef\xbf\xbd");
}

class SamplerTest : public testing::RunTest {
protected:
    struct Rig {
        explicit Rig(const RunConfig& config) : runner(config, Purpose::inference) {
            runner.allocate(&cpu);
            runner.parameters().initialize(3);
            // Random weights of the usual size make nearly flat logits; larger ones make choices.
            for (const Tensor& t : runner.parameters().masters())
                for (std::int64_t i = 0; i < t.count(); ++i) t.as<float>()[i] *= 8;
        }
        std::vector<std::int32_t> sample(std::vector<std::int32_t> prompt, int count, const SamplingRule& rule,
                                         std::uint64_t seed = 1) {
            return text().sampler()->sample(runner.parameters().copies(), std::move(prompt), count, rule,
                                            Random(seed, "test"));
        }
        TextTask& text() { return dynamic_cast<TextTask&>(runner.task()); }
        Cpu cpu{2};
        ModelRunner runner;
    };
};

TEST_F(SamplerTest, GreedyTokensAreTheModelsOwnArgmaxPastTheContextToo) {
    Rig rig(config());
    const std::vector<std::int32_t> prompt = {10, 20, 30};
    const auto tokens = rig.sample(prompt, 12, {.temperature = 0});
    ASSERT_EQ(tokens.size(), 12u);
    std::vector<std::int32_t> text = prompt;
    std::vector<float> logits(384);
    for (const std::int32_t token : tokens) {
        const std::int64_t seen = std::min<std::int64_t>(8, std::int64_t(text.size()));
        std::vector<std::int32_t> window(text.end() - seen, text.end());
        rig.text().problem().next_token_logits(rig.runner.parameters().copies(),
                                               Tensor(window.data(), DType::i32, {1, seen}),
                                               Tensor(logits.data(), DType::f32, {384}));
        EXPECT_EQ(token, std::max_element(logits.begin(), logits.begin() + 257) - logits.begin());
        EXPECT_LT(token, 257) << "a padding row of the vocabulary";
        text.push_back(token);
    }
}

TEST_F(SamplerTest, TheSeedDecidesAndEveryTokenIsEmittedAsItComes) {
    Rig rig(config());
    const SamplingRule rule{.temperature = 1};
    const auto tokens = rig.sample({65}, 40, rule);
    EXPECT_EQ(tokens, rig.sample({65}, 40, rule));
    EXPECT_NE(tokens, rig.sample({65}, 40, rule, 2));
    std::vector<std::int32_t> emitted;
    rig.text().sampler()->sample(rig.runner.parameters().copies(), {65}, 40, rule, Random(1, "test"),
                                 [&](std::int32_t token) { emitted.push_back(token); });
    EXPECT_EQ(emitted, tokens);
}

TEST_F(SamplerTest, RefusesPromptsThatMeanNothing) {
    Rig rig(config());
    EXPECT_NE(testing::message_of<InputError>([&] { rig.sample({}, 1, {}); }).find("empty prompt"), std::string::npos);
    EXPECT_NE(testing::message_of<InputError>([&] { rig.sample({65, 257}, 1, {}); }).find("257"), std::string::npos);
    EXPECT_NE(testing::message_of<InputError>([&] { rig.sample({-1}, 1, {}); }).find("-1"), std::string::npos);
}

}  // namespace
}  // namespace steepest
