// The stand-in runtime with kernels that nvcc compiled and launched: arguments, limits, graphs, faults.
#include "tests/gpu_sim/programs/runtime_kernels.cuh"

#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <vector>

extern "C" const char* gpu_sim_last_report();

namespace {

struct Numbers {
    float* data = nullptr;
    int count;
    explicit Numbers(std::vector<float> values) : count(int(values.size())) {
        EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data), values.size() * 4), cudaSuccess);
        EXPECT_EQ(cudaMemcpy(data, values.data(), values.size() * 4, cudaMemcpyHostToDevice), cudaSuccess);
        EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    }
    Numbers(const Numbers&) = delete;
    ~Numbers() { cudaFree(data); }
    std::vector<float> read() const {
        std::vector<float> values(count);
        EXPECT_EQ(cudaMemcpy(values.data(), data, values.size() * 4, cudaMemcpyDeviceToHost), cudaSuccess);
        return values;
    }
};

TEST(RuntimeLaunch, RunsAKernelWithItsArguments) {
    Numbers x(std::vector<float>(300, 2)), y(std::vector<float>(300, 1));
    launch_axpy(y.data, x.data, 3, 300, nullptr);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << gpu_sim_last_report();
    EXPECT_EQ(y.read(), std::vector<float>(300, 7));
}

TEST(RuntimeLaunch, ConstantsAreSet) {
    Numbers y(std::vector<float>(100, 2));
    EXPECT_EQ(set_factor(5), cudaSuccess);
    launch_scale(y.data, 100, nullptr);
    EXPECT_EQ(y.read(), std::vector<float>(100, 10));
}

TEST(RuntimeLaunch, LimitsAreChecked) {
    launch_bounded(64);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    launch_bounded(65);
    EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchOutOfResources);
    launch_bounded(1025);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
    launch_bounded(0);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
}

TEST(RuntimeLaunch, KernelsHaveNames) {
    const char* name = nullptr;
    EXPECT_EQ(cudaFuncGetName(&name, axpy_kernel()), cudaSuccess);
    EXPECT_NE(std::string(name).find("axpy"), std::string::npos) << name;
    EXPECT_EQ(cudaFuncGetName(&name, "not a kernel"), cudaErrorInvalidDeviceFunction);
    (void)cudaGetLastError();
}

TEST(RuntimeLaunch, MuchSharedMemoryMustBeAskedFor) {
    const unsigned bytes = 64 * 1024;
    Numbers y(std::vector<float>(bytes / 4, 0));
    launch_shared(y.data, bytes, nullptr);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
    EXPECT_EQ(raise_shared(256 * 1024), cudaErrorInvalidValue) << "more than any device has";
    (void)cudaGetLastError();
    EXPECT_EQ(raise_shared(bytes), cudaSuccess);
    launch_shared(y.data, bytes, nullptr);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_EQ(y.read().front(), float(bytes / 4 - 1));
}

TEST(RuntimeLaunch, AGraphFreezesArguments) {
    Numbers x(std::vector<float>(100, 1)), y(std::vector<float>(100, 0));
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    float a = 2;
    launch_axpy(y.data, x.data, a, 100, stream);
    a = 100;
    ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess) << gpu_sim_last_report();
    std::size_t one = 1;
    cudaGraphNode_t node;
    cudaKernelNodeParams parameters;
    ASSERT_EQ(cudaGraphGetNodes(graph, &node, &one), cudaSuccess);
    ASSERT_EQ(cudaGraphKernelNodeGetParams(node, &parameters), cudaSuccess);
    EXPECT_EQ(parameters.func, axpy_kernel());
    EXPECT_EQ(*static_cast<float*>(parameters.kernelParams[2]), 2);
    ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    for (int i = 0; i < 3; ++i) cudaGraphLaunch(exec, stream);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(y.read(), std::vector<float>(100, 6));
    cudaGraphExecDestroy(exec), cudaGraphDestroy(graph), cudaStreamDestroy(stream);
}

void overrun() {
    Numbers y(std::vector<float>(64, 0));
    launch_overrun(y.data, 64);
    const cudaError_t error = cudaDeviceSynchronize();
    const bool sticky = cudaGetLastError() == error && cudaMemset(y.data, 0, 4) == error;
    const bool told = std::string(gpu_sim_last_report()).find("overrun") != std::string::npos;
    const char* name = nullptr;
    const bool named = cudaFuncGetName(&name, axpy_kernel()) == cudaSuccess;
    std::exit(error == cudaErrorIllegalAddress && sticky && told && named ? 3 : 0);
}

TEST(RuntimeLaunchDeathTest, AFaultIsReportedAndSticks) {
    EXPECT_EXIT(overrun(), testing::ExitedWithCode(3), "overrun");
}

}  // namespace
