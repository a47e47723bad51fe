// On the host there is nothing to run ahead of: bytes are copied, and ops run, when that is asked for.
#include "core/pipeline.h"

#include "kernels/cpu/cpu.h"

#include <cstring>
#include <vector>

namespace steepest {

namespace {

class CpuFeed final : public Feed {
public:
    CpuFeed(void* memory, std::int64_t bytes) : memory_(memory), bytes_(bytes) {}
    void* host() override { return bytes_.data(); }
    void send() override { std::memcpy(memory_, bytes_.data(), bytes_.size()); }

private:
    void* memory_;
    std::vector<std::byte> bytes_;
};

class CpuReadback final : public Readback {
public:
    CpuReadback(const void* memory, std::int64_t bytes) : memory_(memory), slots_{Slot(bytes), Slot(bytes)} {}
    void start() override {
        Slot& slot = slots_[started_++ % 2];
        std::memcpy(slot.data(), memory_, slot.size());
    }
    const void* finish() override { return slots_[finished_++ % 2].data(); }

private:
    using Slot = std::vector<std::byte>;
    const void* memory_;
    Slot slots_[2];
    std::uint64_t started_ = 0, finished_ = 0;
};

class CpuRecorder final : public Recorder {
public:
    void run(int, const std::function<void()>& ops) override { ops(); }
    bool immediate() const override { return true; }
};

}  // namespace

std::unique_ptr<Feed> make_feed(Cpu&, void* memory, std::int64_t bytes) {
    return std::make_unique<CpuFeed>(memory, bytes);
}
std::unique_ptr<Readback> make_readback(Cpu&, const void* memory, std::int64_t bytes) {
    return std::make_unique<CpuReadback>(memory, bytes);
}
std::unique_ptr<Recorder> make_recorder(Cpu&) { return std::make_unique<CpuRecorder>(); }

}  // namespace steepest
