#include "tests/close.h"
#include "tests/train/run_fixture.h"
#include "train/text_task.h"

namespace steepest {
namespace {

class EvaluatorTest : public testing::RunTest {
protected:
    struct Rig {
        explicit Rig(const RunConfig& config) : runner(config, Purpose::inference) {
            runner.allocate(&cpu);
            runner.parameters().initialize(3);
        }
        double loss() { return text().evaluator()->loss(runner.parameters().copies()); }
        TextTask& text() { return dynamic_cast<TextTask&>(runner.task()); }
        Cpu cpu{2};
        ModelRunner runner;
    };
};

// The definition, one sequence at a time and in double.
double mean_of_sequences(ModelRunner& runner, std::int64_t sequences) {
    auto& text = dynamic_cast<TextTask&>(runner.task());
    const std::int64_t T = runner.config().model.context;
    std::vector<std::int32_t> window(T + 1);
    double total = 0;
    for (std::int64_t s = 0; s < sequences; ++s) {
        text.validation()->read_window(s, window.data());
        float loss = 0;
        const Tensor inputs(window.data(), DType::i32, {1, T}), targets(window.data() + 1, DType::i32, {1, T});
        text.problem().loss(runner.parameters().copies(), {.inputs = inputs, .targets = targets},
                            Tensor(&loss, DType::f32, {1}), 1.0f / static_cast<float>(T), false);
        total += loss;
    }
    return total / static_cast<double>(sequences);
}

TEST_F(EvaluatorTest, IsTheMeanOverTheFirstHeldOutSequencesHoweverManyAtATime) {
    // 96 tokens are 12 sequences of 8; 5 at a time leaves a shorter last batch.
    for (const int at_once : {1, 2, 5, 12, 100}) {
        Rig rig(config({"batch=" + std::to_string(at_once), "micro_batch=0"}));
        EXPECT_EQ(rig.text().evaluator()->tokens(), 96);
        const double expected = mean_of_sequences(rig.runner, 12), loss = rig.loss();
        // Both are f32 sums of f32 token losses, each of which depends on the batch by the rounding of matmuls: some
        // tens of roundings of numbers near 5.5, and 96 more for the sums.
        EXPECT_NEAR(loss, expected, 200 * testing::kF32 * expected) << at_once;
        EXPECT_EQ(loss, rig.loss()) << "the same tokens each time";
    }
}

TEST_F(EvaluatorTest, TokensAreRoundedUpToSequences) {
    EXPECT_EQ(Rig(config({"evaluation.tokens=9"})).text().evaluator()->tokens(), 16);
    EXPECT_EQ(Rig(config({"evaluation.tokens=1"})).text().evaluator()->tokens(), 8);
}

TEST_F(EvaluatorTest, MoreThanThereIsIsRefusedBeforeAnythingIsAllocated) {
    const std::string message = testing::message_of<InputError>([&] { Rig(config({"evaluation.tokens=100000"})); });
    for (const char* part : {"/evaluation/tokens", "12500", "text.txt"})
        EXPECT_NE(message.find(part), std::string::npos) << message;
}

}  // namespace
}  // namespace steepest
