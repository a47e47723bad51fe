#pragma once
// Streams as lazy queues. Nothing runs when it is enqueued; synchronisation runs heads of queues, of all streams, in a
// seeded random order that honours stream order, events and the rules of the legacy default stream. A missing
// cudaStreamWaitEvent is therefore seen in some seeds: the work runs too early.
#include <cuda_runtime_api.h>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gpu_sim {

class Stream;
struct Capture;
struct Node;

// Something a stream can do, once or (in a graph) many times.
struct Operation {
    cudaGraphNodeType type;
    std::string what;         // a line of the trace
    std::string name;         // what() without sizes, by which a report adds up
    std::uint64_t bytes = 0;  // of copies and fills: moved; of libraries: the least that they must move
    double flops = 0;         // of libraries
    int device = 0;
    std::function<void()> run;
    // Of kernels, for cudaGraphKernelNodeGetParams.
    void* function = nullptr;
    dim3 grid, block;
    unsigned shared = 0;
    std::vector<std::vector<std::byte>> arguments;
};
using OperationPtr = std::shared_ptr<const Operation>;

// A place in a stream's history; reached when everything submitted before it is done.
struct Point {
    std::shared_ptr<Stream> stream;
    std::uint64_t position = 0;
    bool reached() const;
};

struct Task {
    std::vector<Point> after;
    // Does some of the work; true when it was the last of it.
    std::function<bool()> step;
};

class Stream : public std::enable_shared_from_this<Stream> {
public:
    Stream(int device_of, std::uint64_t id_of, unsigned flags_of, int priority_of)
        : device(device_of), id(id_of), flags(flags_of), priority(priority_of) {}

    bool legacy() const { return id == 0; }
    // Waits for the legacy stream, and the legacy stream for it.
    bool blocking() const { return !legacy() && !(flags & cudaStreamNonBlocking); }
    Point end() { return {shared_from_this(), submitted}; }
    std::string name() const;

    const int device;
    const std::uint64_t id;  // of this device; 0: the legacy default stream
    const unsigned flags;
    const int priority;

    std::deque<Task> queue;
    std::uint64_t submitted = 0, completed = 0;
    std::vector<Point> waits;  // of events, for the next task

    std::shared_ptr<Capture> capture;
    std::vector<Node*> tail;  // what the next captured operation depends on

    std::uint64_t rank = 0;  // the ready stream with the highest rank runs
};

struct Moment {
    Point point;
    double milliseconds = -1;  // when it was reached
    std::shared_ptr<Capture> capture;
    std::vector<Node*> nodes;
};

struct Event {
    int device;
    unsigned flags;
    std::shared_ptr<Moment> last;  // null: never recorded
};

class Scheduler {
public:
    explicit Scheduler(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}

    std::shared_ptr<Stream> create(int device, unsigned flags, int priority);
    std::shared_ptr<Stream> legacy(int device);
    // The stream lives on until its work is done.
    void destroy(Stream&);

    // Adds to the stream's queue, after what the stream must wait for.
    void submit(Stream&, std::function<bool()> step, std::vector<Point> also_after = {});
    void run_until(const Point&);
    void run_all(int device);
    // As if some time passed: runs a few tasks, or none.
    void let_time_pass();
    // After a failure: forgets all work.
    void drop_all();
    bool idle() const;

    const std::vector<std::shared_ptr<Stream>>& streams() const { return streams_; }
    std::uint64_t random(std::uint64_t below);

private:
    bool run_one();

    std::vector<std::shared_ptr<Stream>> streams_;
    std::uint64_t state_;
    std::uint64_t next_id_ = 1;
};

}  // namespace gpu_sim
