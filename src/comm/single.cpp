#include "comm/communicator.h"

namespace steepest {

namespace {

class Single final : public Communicator {
public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    void start_mean(std::span<const Tensor>) override {}
    void finish() override {}
    void broadcast(std::span<const Tensor>, int) override {}
    void barrier() override {}
};

}  // namespace

std::unique_ptr<Communicator> make_single() { return std::make_unique<Single>(); }

}  // namespace steepest
