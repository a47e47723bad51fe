// Streams, events, host functions, waiting.
#include "tests/gpu_sim/runtime/capture.h"
#include "tests/gpu_sim/runtime/runtime.h"

#include <algorithm>
#include <chrono>

using namespace gpu_sim;

namespace {

cudaStream_t handle_of(Stream& stream) { return reinterpret_cast<cudaStream_t>(&stream); }

double now_in_milliseconds() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void create_stream(Runtime& r, cudaStream_t* handle, unsigned flags, int priority) {
    require(handle != nullptr, cudaErrorInvalidValue, "nowhere to put the stream");
    require((flags & ~unsigned(cudaStreamNonBlocking)) == 0, cudaErrorInvalidValue, "flags " + std::to_string(flags));
    const auto stream = r.scheduler.create(r.device().number, flags, std::clamp(priority, -5, 0));
    r.live_streams.insert(stream.get());
    *handle = handle_of(*stream);
}

void record_event(Runtime& r, cudaEvent_t handle, cudaStream_t stream_handle) {
    Event& event = r.event(handle);
    Stream& stream = r.stream(stream_handle);
    require(event.device == stream.device, cudaErrorInvalidResourceHandle,
            "event and stream belong to different devices");
    auto moment = std::make_shared<Moment>();
    event.last = moment;
    if (stream.capture) {
        require(!stream.capture->invalid, cudaErrorStreamCaptureInvalidated, "the capture was spoilt earlier");
        moment->capture = stream.capture;
        moment->nodes = stream.tail;
        return;
    }
    r.scheduler.submit(stream, [moment] {
        moment->milliseconds = now_in_milliseconds();
        return true;
    });
    moment->point = stream.end();
    r.scheduler.let_time_pass();
}

void require_not_captured(const Event& event) {
    if (!event.last || !event.last->capture) return;
    event.last->capture->invalid = true;
    throw Error(cudaErrorCapturedEvent, "the event was recorded while its stream was being captured");
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
    return call(__func__, [&](Runtime& r) { create_stream(r, stream, 0, 0); });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    return call(__func__, [&](Runtime& r) { create_stream(r, stream, flags, 0); });
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
    return call(__func__, [&](Runtime& r) { create_stream(r, stream, flags, priority); });
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        require(handle && handle != cudaStreamLegacy && handle != cudaStreamPerThread, cudaErrorInvalidResourceHandle,
                "a default stream cannot be destroyed");
        Stream& stream = r.stream(handle);
        if (stream.capture) {
            stream.capture->invalid = true;
            std::erase(stream.capture->streams, &stream);
            stream.capture.reset();
        }
        r.live_streams.erase(&stream);
        r.scheduler.destroy(stream);
    });
}

cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned* flags) {
    return call(__func__, [&](Runtime& r) { *flags = r.stream(handle).flags; });
}
cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
    return call(__func__, [&](Runtime& r) { *priority = r.stream(handle).priority; });
}
cudaError_t cudaStreamGetDevice(cudaStream_t handle, int* device) {
    return call(__func__, [&](Runtime& r) { *device = r.stream(handle).device; });
}
cudaError_t cudaStreamGetId(cudaStream_t handle, unsigned long long* id) {
    return call(__func__, [&](Runtime& r) { *id = r.stream(handle).id; });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        Stream& stream = r.stream(handle);
        require_not_capturing(stream, "waiting for a stream");
        require_unsafe_calls_allowed(r);
        r.wait_for(stream);
    });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        Stream& stream = r.stream(handle);
        require_not_capturing(stream, "asking for the state of a stream");
        require_unsafe_calls_allowed(r);
        r.scheduler.let_time_pass();
        require(r.sticky || stream.end().reached(), cudaErrorNotReady, "");
    });
}

cudaError_t cudaDeviceSynchronize() {
    return call(__func__, [&](Runtime& r) {
        const int device = r.device().number;
        require_no_capture(r, device);
        r.scheduler.run_all(device);
    });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
    return call(__func__, [&](Runtime& r) {
        Stream& stream = r.stream(handle);
        auto operation = std::make_shared<Operation>();
        operation->type = cudaGraphNodeTypeHost;
        operation->what = operation->name = "host function";
        operation->device = stream.device;
        operation->run = [&r, function, data] {
            r.in_callback = true;
            function(data);
            r.in_callback = false;
        };
        r.enqueue(stream, operation);
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned flags) {
    return call(__func__, [&](Runtime& r) {
        require(flags == cudaEventWaitDefault, cudaErrorInvalidValue, "only cudaEventWaitDefault is implemented");
        const Event& event = r.event(event_handle);
        Stream& stream = r.stream(handle);
        if (event.last && event.last->capture) {
            wait_for_captured(stream, *event.last);
            return;
        }
        if (stream.capture) {
            stream.capture->invalid = true;
            throw Error(cudaErrorStreamCaptureIsolation,
                        "a captured stream waits for an event that was not recorded in the capture");
        }
        if (event.last && !event.last->point.reached()) stream.waits.push_back(event.last->point);
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
    return call(__func__, [&](Runtime& r) {
        require(handle != nullptr, cudaErrorInvalidValue, "nowhere to put the event");
        require((flags & ~unsigned(cudaEventBlockingSync | cudaEventDisableTiming)) == 0, cudaErrorInvalidValue,
                "event flags " + std::to_string(flags));
        auto event = std::make_unique<Event>(Event{r.device().number, flags, nullptr});
        *handle = reinterpret_cast<cudaEvent_t>(event.get());
        Event* const key = event.get();
        r.live_events[key] = std::move(event);
    });
}
cudaError_t cudaEventCreate(cudaEvent_t* handle) { return cudaEventCreateWithFlags(handle, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    return call(__func__, [&](Runtime& r) { r.live_events.erase(&r.event(handle)); });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return call(__func__, [&](Runtime& r) { record_event(r, event, stream); });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
    if (flags != cudaEventRecordDefault) unimplemented(__func__, ("flags " + std::to_string(flags)).c_str());
    return call(__func__, [&](Runtime& r) { record_event(r, event, stream); });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    return call(__func__, [&](Runtime& r) {
        const Event& event = r.event(handle);
        require_not_captured(event);
        require_unsafe_calls_allowed(r);
        if (event.last) r.scheduler.run_until(event.last->point);
    });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    return call(__func__, [&](Runtime& r) {
        const Event& event = r.event(handle);
        require_not_captured(event);
        require_unsafe_calls_allowed(r);
        r.scheduler.let_time_pass();
        require(r.sticky || !event.last || event.last->point.reached(), cudaErrorNotReady, "");
    });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start_handle, cudaEvent_t end_handle) {
    return call(__func__, [&](Runtime& r) {
        const Event &start = r.event(start_handle), &end = r.event(end_handle);
        require(!((start.flags | end.flags) & cudaEventDisableTiming), cudaErrorInvalidResourceHandle,
                "an event was created with cudaEventDisableTiming");
        require(start.last && end.last, cudaErrorInvalidResourceHandle, "an event was never recorded");
        require_not_captured(start);
        require_not_captured(end);
        require(start.last->point.reached() && end.last->point.reached(), cudaErrorNotReady, "");
        *milliseconds = float(end.last->milliseconds - start.last->milliseconds);
    });
}

}  // extern "C"
