// The stand-in runtime without kernels: copies, streams, events, capture, graphs, what the host may not do.
#include <cstring>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

extern "C" const char* gpu_sim_last_report();

namespace {

void* device_memory(std::size_t bytes) {
    void* p = nullptr;
    EXPECT_EQ(cudaMalloc(&p, bytes), cudaSuccess);
    return p;
}

unsigned char* pinned_memory(std::size_t bytes) {
    void* p = nullptr;
    EXPECT_EQ(cudaMallocHost(&p, bytes), cudaSuccess);
    return static_cast<unsigned char*>(p);
}

struct Streams {
    cudaStream_t a{}, b{};
    cudaEvent_t event{};
    Streams() {
        cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking);
        cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking);
        cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    }
    ~Streams() { cudaStreamDestroy(a), cudaStreamDestroy(b), cudaEventDestroy(event); }
};

bool said(const char* words) { return std::string(gpu_sim_last_report()).find(words) != std::string::npos; }

TEST(Runtime, CopiesThereAndBack) {
    std::vector<int> out(1000), in(1000);
    for (int i = 0; i < 1000; ++i) out[i] = i;
    void *p = device_memory(4000), *q = device_memory(4000);
    ASSERT_EQ(cudaMemcpy(p, out.data(), 4000, cudaMemcpyHostToDevice), cudaSuccess);
    ASSERT_EQ(cudaMemcpy(q, p, 4000, cudaMemcpyDeviceToDevice), cudaSuccess);
    ASSERT_EQ(cudaMemcpy(in.data(), q, 4000, cudaMemcpyDefault), cudaSuccess);
    EXPECT_EQ(in, out);
    EXPECT_EQ(cudaFree(p), cudaSuccess);
    EXPECT_EQ(cudaFree(q), cudaSuccess);
}

TEST(Runtime, CopiesRowsOfAPitch) {
    std::vector<unsigned char> out(64), in(64, 0);
    for (int i = 0; i < 64; ++i) out[i] = static_cast<unsigned char>(i);
    void* p = device_memory(64);
    ASSERT_EQ(cudaMemcpy2D(p, 8, out.data(), 16, 8, 4, cudaMemcpyHostToDevice), cudaSuccess);
    ASSERT_EQ(cudaMemcpy(in.data(), p, 32, cudaMemcpyDeviceToHost), cudaSuccess);
    EXPECT_EQ(in[8], 16);
    EXPECT_EQ(in[31], 55);
    cudaFree(p);
}

TEST(Runtime, ChecksCopies) {
    char host[64];
    void* p = device_memory(32);
    EXPECT_EQ(cudaMemcpy(p, host, 33, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    EXPECT_TRUE(said("has 32 bytes to the end")) << gpu_sim_last_report();
    EXPECT_EQ(cudaMemcpy(p, host, 32, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    EXPECT_TRUE(said("direction")) << gpu_sim_last_report();
    EXPECT_EQ(cudaMemset(host, 0, 1), cudaErrorInvalidValue);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_EQ(cudaFree(p), cudaSuccess);
    EXPECT_EQ(cudaFree(p), cudaErrorInvalidValue) << "freed twice";
    EXPECT_EQ(cudaMemset(p, 0, 1), cudaErrorInvalidValue) << "after it was freed";
}

TEST(Runtime, PinnedMemoryIsReadWhenTheCopyRuns) {
    int stale = 0;
    for (int i = 0; i < 40; ++i) {
        Streams s;
        unsigned char* host = pinned_memory(1);
        void* p = device_memory(1);
        *host = 1;
        cudaMemcpyAsync(p, host, 1, cudaMemcpyHostToDevice, s.a);
        *host = 2;  // too early
        cudaStreamSynchronize(s.a);
        cudaMemcpyAsync(host, p, 1, cudaMemcpyDeviceToHost, s.a);
        cudaStreamSynchronize(s.a);
        stale += *host == 2;
        cudaFree(p), cudaFreeHost(host);
    }
    EXPECT_GT(stale, 10);
}

// b copies what a wrote; how often does it come too late?
int copies_of_stale_data(bool wait) {
    int stale = 0;
    for (int i = 0; i < 60; ++i) {
        Streams s;
        unsigned char* host = pinned_memory(1);
        void* p = device_memory(1);
        cudaMemset(p, 0, 1);
        cudaDeviceSynchronize();
        cudaMemsetAsync(p, 7, 1, s.a);
        cudaEventRecord(s.event, s.a);
        if (wait) cudaStreamWaitEvent(s.b, s.event, 0);
        cudaMemcpyAsync(host, p, 1, cudaMemcpyDeviceToHost, s.b);
        EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
        stale += *host != 7;
        cudaFree(p), cudaFreeHost(host);
    }
    return stale;
}

TEST(Runtime, AMissingWaitShows) {
    EXPECT_EQ(copies_of_stale_data(true), 0);
    EXPECT_GT(copies_of_stale_data(false), 5);
}

TEST(Runtime, BlockingStreamsAndTheLegacyStreamWaitForEachOther) {
    for (int i = 0; i < 60; ++i) {
        cudaStream_t stream;
        cudaStreamCreate(&stream);
        unsigned char* host = pinned_memory(2);
        void* p = device_memory(2);
        cudaMemset(p, 1, 2);
        cudaMemcpyAsync(host, p, 1, cudaMemcpyDeviceToHost, stream);
        cudaMemset(p, 2, 2);
        cudaMemcpyAsync(host + 1, p, 1, cudaMemcpyDeviceToHost, stream);
        cudaDeviceSynchronize();
        EXPECT_EQ(host[0], 1);
        EXPECT_EQ(host[1], 2);
        cudaStreamDestroy(stream), cudaFree(p), cudaFreeHost(host);
    }
}

TEST(Runtime, EventsTellTimeAndState) {
    cudaEvent_t start, end;
    cudaEventCreate(&start), cudaEventCreate(&end);
    void* p = device_memory(1);
    EXPECT_EQ(cudaEventQuery(start), cudaSuccess) << "never recorded";
    cudaEventRecord(start, nullptr);
    cudaMemset(p, 0, 1);
    cudaEventRecord(end, nullptr);
    int tries = 0;
    while (cudaEventQuery(end) == cudaErrorNotReady) ASSERT_LT(++tries, 10000);
    (void)cudaGetLastError();
    float milliseconds = -1;
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
    EXPECT_GE(milliseconds, 0);
    cudaEventDestroy(start), cudaEventDestroy(end), cudaFree(p);
}

cudaGraphExec_t fork_and_join(Streams& s, void* p, unsigned char* host, int value) {
    cudaGraph_t graph;
    cudaGraphExec_t exec = nullptr;
    cudaEvent_t joined;
    cudaEventCreate(&joined);
    EXPECT_EQ(cudaStreamBeginCapture(s.a, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    cudaMemsetAsync(p, value, 2, s.a);
    cudaEventRecord(s.event, s.a);
    cudaStreamWaitEvent(s.b, s.event, 0);
    cudaMemcpyAsync(host, p, 1, cudaMemcpyDeviceToHost, s.b);
    cudaEventRecord(joined, s.b);
    cudaMemcpyAsync(host + 1, static_cast<char*>(p) + 1, 1, cudaMemcpyDeviceToHost, s.a);
    cudaStreamWaitEvent(s.a, joined, 0);
    EXPECT_EQ(cudaStreamEndCapture(s.a, &graph), cudaSuccess) << gpu_sim_last_report();
    std::size_t nodes = 0;
    EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
    EXPECT_EQ(nodes, 3u);
    EXPECT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    cudaGraphDestroy(graph), cudaEventDestroy(joined);
    return exec;
}

TEST(Runtime, AGraphRunsWhatWasCapturedAndNotBefore) {
    Streams s;
    unsigned char* host = pinned_memory(2);
    host[0] = host[1] = 0;
    void* p = device_memory(2);
    const cudaGraphExec_t exec = fork_and_join(s, p, host, 9);
    cudaDeviceSynchronize();
    EXPECT_EQ(host[0], 0) << "capture must not run anything";
    for (int i = 0; i < 10; ++i) {
        host[0] = host[1] = 0;
        EXPECT_EQ(cudaGraphLaunch(exec, s.a), cudaSuccess);
        EXPECT_EQ(cudaStreamSynchronize(s.a), cudaSuccess);
        EXPECT_EQ(host[0], 9);
        EXPECT_EQ(host[1], 9);
    }
    cudaGraphExecDestroy(exec), cudaFree(p), cudaFreeHost(host);
}

// What a call during capture returns, and what the end of the capture does then.
template <class F>
void expect_spoilt(cudaError_t error, cudaError_t at_end, F&& body) {
    Streams s;
    cudaGraph_t graph;
    ASSERT_EQ(cudaStreamBeginCapture(s.a, cudaStreamCaptureModeGlobal), cudaSuccess);
    EXPECT_EQ(body(s), error) << gpu_sim_last_report();
    EXPECT_EQ(cudaStreamEndCapture(s.a, &graph), at_end) << gpu_sim_last_report();
}

TEST(Runtime, RefusesWhatCannotBeCaptured) {
    void* p = device_memory(4);
    void* q = nullptr;
    expect_spoilt(cudaErrorStreamCaptureUnsupported, cudaErrorStreamCaptureInvalidated,
                  [](Streams& s) { return cudaStreamSynchronize(s.a); });
    expect_spoilt(cudaErrorStreamCaptureUnsupported, cudaErrorStreamCaptureInvalidated,
                  [](Streams&) { return cudaDeviceSynchronize(); });
    expect_spoilt(cudaErrorStreamCaptureUnsupported, cudaErrorStreamCaptureInvalidated,
                  [&](Streams&) { return cudaMalloc(&q, 4); });
    expect_spoilt(cudaErrorStreamCaptureIsolation, cudaErrorStreamCaptureInvalidated, [](Streams& s) {
        cudaEventRecord(s.event, s.b);
        return cudaStreamWaitEvent(s.a, s.event, 0);
    });
    expect_spoilt(cudaSuccess, cudaErrorStreamCaptureUnjoined, [&](Streams& s) {
        cudaEventRecord(s.event, s.a);
        cudaStreamWaitEvent(s.b, s.event, 0);
        return cudaMemsetAsync(p, 0, 4, s.b);
    });
    cudaStream_t blocking;
    cudaGraph_t graph;
    cudaStreamCreate(&blocking);
    cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed);
    EXPECT_EQ(cudaMemset(p, 0, 4), cudaErrorStreamCaptureImplicit);
    EXPECT_EQ(cudaStreamEndCapture(blocking, &graph), cudaErrorStreamCaptureInvalidated);
    cudaStreamDestroy(blocking), cudaFree(p);
    (void)cudaGetLastError();
}

TEST(Runtime, HandlesOfWhatIsGoneAreRefused) {
    cudaStream_t stream;
    cudaStreamCreate(&stream);
    cudaStreamDestroy(stream);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
    (void)cudaGetLastError();
}

TEST(RuntimeDeathTest, TheHostCannotTouchDeviceMemory) {
    int* p = static_cast<int*>(device_memory(64));
    EXPECT_DEATH(*(volatile int*)(p + 3) = 1, "host touched device memory .*byte 12 of an allocation of 64");
    cudaFree(p);
}

TEST(RuntimeDeathTest, SaysWhatItLacks) {
    EXPECT_DEATH(cudaMallocPitch(nullptr, nullptr, 1, 1), "cudaMallocPitch is not implemented");
}

}  // namespace
