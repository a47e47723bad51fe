// Pinned double buffers, a stream for what goes to the device, and one graph a variant of a step.
//
// A feed costs the compute stream one copy within the device (a step's tokens are 4 MiB: 3 us at 3 TB/s), since the
// transfer from the host has taken place beside earlier work.
#include "core/pipeline.h"

#include "kernels/cuda/cuda.h"

#include <map>
#include <utility>

namespace steepest {

namespace {

using cuda::check;
using cuda::Event;
using cuda::Handle;
using cuda::Stream;

// Host memory that the device can reach by itself.
class Pinned {
public:
    explicit Pinned(std::int64_t bytes) {
        void* data = nullptr;
        check(cudaMallocHost(&data, static_cast<std::size_t>(bytes)), "cudaMallocHost");
        data_ = Handle<void*, cudaFreeHost>(data);
    }
    void* data() const { return data_.get(); }

private:
    Handle<void*, cudaFreeHost> data_;
};

class CudaFeed final : public Feed {
public:
    CudaFeed(Cuda& cuda, void* memory, std::int64_t bytes)
        : cuda_(cuda), memory_(memory), bytes_(bytes), slots_{Slot(cuda, bytes), Slot(cuda, bytes)} {}
    ~CudaFeed() override { cudaStreamSynchronize(transfers_.get()); }

    void* host() override {
        slots_[next_].left_host.synchronize();
        return slots_[next_].pinned.data();
    }
    void send() override {
        Slot& slot = slots_[std::exchange(next_, 1 - next_)];
        // The copy two sends ago has read what is overwritten now.
        transfers_.wait_for(slot.taken);
        copy(slot.staged.get(), slot.pinned.data(), cudaMemcpyHostToDevice, transfers_.get());
        slot.left_host.record(transfers_.get());
        cuda_.stream().wait_for(slot.left_host);
        copy(memory_, slot.staged.get(), cudaMemcpyDeviceToDevice, cuda_.compute());
        slot.taken.record(cuda_.compute());
    }

private:
    struct Slot {
        Slot(Cuda& cuda, std::int64_t bytes) : pinned(bytes), staged(allocate(cuda, bytes)) {}
        Pinned pinned;
        Handle<void*, cudaFree> staged;
        Event left_host, taken;
    };
    void copy(void* to, const void* from, cudaMemcpyKind kind, cudaStream_t stream) const {
        check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes_), kind, stream), "cudaMemcpyAsync of a feed");
    }

    Cuda& cuda_;
    void* memory_;
    std::int64_t bytes_;
    Slot slots_[2];
    int next_ = 0;
    Stream transfers_;
};

class CudaReadback final : public Readback {
public:
    CudaReadback(Cuda& cuda, const void* memory, std::int64_t bytes)
        : cuda_(cuda), memory_(memory), bytes_(bytes), slots_{Slot(bytes), Slot(bytes)} {}
    ~CudaReadback() override { cudaStreamSynchronize(cuda_.compute()); }

    void start() override {
        Slot& slot = slots_[started_++ % 2];
        check(cudaMemcpyAsync(slot.pinned.data(), memory_, static_cast<std::size_t>(bytes_), cudaMemcpyDeviceToHost,
                              cuda_.compute()),
              "cudaMemcpyAsync of a reading");
        slot.arrived.record(cuda_.compute());
    }
    const void* finish() override {
        Slot& slot = slots_[finished_++ % 2];
        slot.arrived.synchronize();
        return slot.pinned.data();
    }

private:
    struct Slot {
        explicit Slot(std::int64_t bytes) : pinned(bytes) {}
        Pinned pinned;
        Event arrived;
    };

    Cuda& cuda_;
    const void* memory_;
    std::int64_t bytes_;
    Slot slots_[2];
    std::uint64_t started_ = 0, finished_ = 0;
};

class CudaRecorder final : public Recorder {
public:
    explicit CudaRecorder(Cuda& cuda) : cuda_(cuda) {}

    void run(int variant, const std::function<void()>& ops) override {
        // What looks around every op needs each of them run by itself.
        if (!cuda_.options().graphs || cuda_.hooks.check_finite || cuda_.hooks.profile) return ops();
        const auto [found, first] = graphs_.try_emplace(variant);
        if (first) return ops();
        if (!found->second) found->second = record(ops);
        check(cudaGraphLaunch(found->second.get(), cuda_.compute()), "cudaGraphLaunch");
    }
    bool immediate() const override { return false; }

private:
    using Graph = Handle<cudaGraph_t, cudaGraphDestroy>;
    using Executable = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;

    Executable record(const std::function<void()>& ops) const {
        check(cudaStreamBeginCapture(cuda_.compute(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        cudaGraph_t captured = nullptr;
        try {
            ops();
        } catch (...) {
            cudaStreamEndCapture(cuda_.compute(), &captured);
            const Graph discarded(captured);
            throw;
        }
        check(cudaStreamEndCapture(cuda_.compute(), &captured), "cudaStreamEndCapture");
        const Graph graph(captured);
        cudaGraphExec_t executable = nullptr;
        check(cudaGraphInstantiate(&executable, graph.get(), 0), "cudaGraphInstantiate");
        return Executable(executable);
    }

    Cuda& cuda_;
    std::map<int, Executable> graphs_;
};

}  // namespace

std::unique_ptr<Feed> make_feed(Cuda& cuda, void* memory, std::int64_t bytes) {
    return std::make_unique<CudaFeed>(cuda, memory, bytes);
}
std::unique_ptr<Readback> make_readback(Cuda& cuda, const void* memory, std::int64_t bytes) {
    return std::make_unique<CudaReadback>(cuda, memory, bytes);
}
std::unique_ptr<Recorder> make_recorder(Cuda& cuda) { return std::make_unique<CudaRecorder>(cuda); }

}  // namespace steepest
