#include "comm/communicator.h"
#include "tests/harness.h"

namespace steepest::testing {
namespace {

TEST(Single, IsTheIdentity) {
    const auto comm = make_single();
    EXPECT_EQ(comm->rank(), 0);
    EXPECT_EQ(comm->size(), 1);
    Guarded<float> x({3}, {1, -2, 3});
    const Tensor tensors[] = {x};
    comm->start_mean(tensors);
    comm->finish();
    comm->broadcast(tensors, 0);
    comm->barrier();
    EXPECT_EQ(x.values(), (std::vector<float>{1, -2, 3}));
}

}  // namespace
}  // namespace steepest::testing
