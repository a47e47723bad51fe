#pragma once
// A thread's own working memory, which grows to its largest request and is kept: no allocation in a step after the
// first.
#include <cstdint>
#include <memory>
#include <new>

namespace steepest::cpu {

// At least `count` values with undefined contents, aligned to 64 bytes. Each Tag is one buffer a thread, valid until
// that thread asks for the same Tag again. Memory that several threads share is asked for outside of the parallel loop.
template <class Tag, class T = float>
T* scratch(std::int64_t count) {
    struct Free {
        void operator()(T* p) const { ::operator delete (p, std::align_val_t{64}); }
    };
    thread_local std::unique_ptr<T, Free> data;
    thread_local std::int64_t size = 0;
    if (count > size) {
        data.reset();
        data.reset(static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64})));
        size = count;
    }
    return data.get();
}

}  // namespace steepest::cpu
