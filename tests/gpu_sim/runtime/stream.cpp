#include "tests/gpu_sim/runtime/stream.h"

#include <algorithm>

namespace gpu_sim {

bool Point::reached() const { return !stream || stream->completed >= position; }

std::string Stream::name() const { return legacy() ? "legacy" : "s" + std::to_string(id); }

std::uint64_t Scheduler::random(std::uint64_t below) {
    // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

std::shared_ptr<Stream> Scheduler::create(int device, unsigned flags, int priority) {
    streams_.push_back(std::make_shared<Stream>(device, next_id_++, flags, priority));
    streams_.back()->rank = random(1u << 30);
    return streams_.back();
}

std::shared_ptr<Stream> Scheduler::legacy(int device) {
    for (const auto& stream : streams_)
        if (stream->device == device && stream->legacy()) return stream;
    streams_.push_back(std::make_shared<Stream>(device, 0, 0, 0));
    return streams_.back();
}

void Scheduler::destroy(Stream& stream) {
    // Work still queued refers to the stream through points; one without work can go at once.
    const auto self = stream.shared_from_this();
    if (stream.queue.empty())
        std::erase(streams_, self);
    else
        submit(stream, [this, self] {
            std::erase(streams_, self);
            return true;
        });
}

void Scheduler::submit(Stream& stream, std::function<bool()> step, std::vector<Point> also_after) {
    std::vector<Point> after = std::move(also_after);
    after.insert(after.end(), stream.waits.begin(), stream.waits.end());
    stream.waits.clear();
    if (stream.legacy()) {
        for (const auto& other : streams_)
            if (other->device == stream.device && other->blocking()) after.push_back(other->end());
    } else if (stream.blocking()) {
        after.push_back(legacy(stream.device)->end());
    }
    std::erase_if(after, [](const Point& p) { return p.reached(); });
    stream.queue.push_back({std::move(after), std::move(step)});
    ++stream.submitted;
}

bool Scheduler::run_one() {
    const std::uint64_t reshuffled = random(8);
    std::shared_ptr<Stream> best;
    for (const auto& stream : streams_) {
        if (stream->queue.empty()) continue;
        if (reshuffled == 0) stream->rank = random(1u << 30);
        const auto& after = stream->queue.front().after;
        if (!std::all_of(after.begin(), after.end(), [](const Point& p) { return p.reached(); })) continue;
        if (!best || stream->rank > best->rank) best = stream;
    }
    if (!best) return false;
    // A copy: a failure in the step empties the queues.
    const auto step = best->queue.front().step;
    if (step() && !best->queue.empty()) {
        best->queue.pop_front();
        ++best->completed;
    }
    return true;
}

void Scheduler::run_until(const Point& point) {
    while (!point.reached() && run_one()) {
    }
}

void Scheduler::run_all(int device) {
    const auto copy = streams_;
    for (const auto& stream : copy)
        if (stream->device == device) run_until(stream->end());
}

void Scheduler::let_time_pass() {
    if (random(8) != 0) return;
    for (std::uint64_t n = 1 + random(8); n > 0 && run_one(); --n) {
    }
}

void Scheduler::drop_all() {
    for (const auto& stream : streams_) stream->queue.clear(), stream->completed = stream->submitted;
}

bool Scheduler::idle() const {
    return std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->queue.empty(); });
}

}  // namespace gpu_sim
