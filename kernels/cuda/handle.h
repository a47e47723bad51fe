#pragma once
// CUDA handles that free themselves. A destructor cannot report, so it does not check. Streams are ordered only through
// wait_for().
#include "kernels/cuda/check.h"

#include <utility>

namespace steepest::cuda {

template <class T, auto Destroy>
class Handle {
public:
    Handle() = default;
    explicit Handle(T handle) : handle_(handle) {}
    Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Handle() {
        if (handle_) Destroy(handle_);
    }
    T get() const { return handle_; }
    explicit operator bool() const { return handle_ != nullptr; }

private:
    T handle_ = nullptr;
};

class Event {
public:
    Event() {
        cudaEvent_t event;
        check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
        handle_ = Owned(event);
    }
    void record(cudaStream_t stream) { check(cudaEventRecord(handle_.get(), stream), "cudaEventRecord"); }
    // The host waits for what was recorded; at once if nothing was.
    void synchronize() const { check(cudaEventSynchronize(handle_.get()), "cudaEventSynchronize"); }
    cudaEvent_t get() const { return handle_.get(); }

private:
    using Owned = Handle<cudaEvent_t, cudaEventDestroy>;
    Owned handle_;
};

class Stream {
public:
    Stream() {
        cudaStream_t stream;
        check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
        handle_ = Owned(stream);
    }
    void synchronize() const { check(cudaStreamSynchronize(handle_.get()), "cudaStreamSynchronize"); }
    // Everything enqueued here from now on runs after what `event` recorded.
    void wait_for(const Event& event) const {
        check(cudaStreamWaitEvent(handle_.get(), event.get()), "cudaStreamWaitEvent");
    }
    cudaStream_t get() const { return handle_.get(); }

private:
    using Owned = Handle<cudaStream_t, cudaStreamDestroy>;
    Owned handle_;
};

}  // namespace steepest::cuda
