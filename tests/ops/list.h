#pragma once
// Lists of guarded tensors of awkward sizes, and the check that every backend and thread count gives the same bytes.
#include "tests/harness.h"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace steepest::testing {

// One element, none, around the widths of vectors, and more than one chunk of the CPU backend.
inline const std::vector<std::int64_t> kSizes = {1, 31, 0, 33, 70001, 64};

class List {
public:
    explicit List(std::string_view purpose, double scale = 1, const std::vector<std::int64_t>& sizes = kSizes) {
        for (std::size_t i = 0; i < sizes.size(); ++i)
            tensors_.emplace_back(Shape{sizes[i]},
                                  normal(sizes[i], std::string(purpose).append(std::to_string(i)), scale));
    }
    // Never written: NaN.
    static List blank(const std::vector<std::int64_t>& sizes = kSizes) {
        List list;
        for (const std::int64_t n : sizes) list.tensors_.emplace_back(Shape{n});
        return list;
    }
    // The same list with f applied to every value.
    List map(const std::function<double(double)>& f) const {
        List out;
        for (const auto& t : tensors_) {
            std::vector<double> values = t.as_double();
            for (double& v : values) v = f(v);
            out.tensors_.emplace_back(Shape{static_cast<std::int64_t>(values.size())}, values);
        }
        return out;
    }

    TensorList tensors() {
        TensorList out;
        for (auto& t : tensors_) out.push_back(t);
        return out;
    }
    std::size_t size() const { return tensors_.size(); }
    std::vector<double> operator[](std::size_t i) const { return tensors_[i].as_double(); }
    // All values one after the other.
    std::vector<float> values() const {
        std::vector<float> out;
        for (const auto& t : tensors_) {
            const auto v = t.values();
            out.insert(out.end(), v.begin(), v.end());
            EXPECT_TRUE(t.guards_intact());
        }
        return out;
    }
    std::vector<double> as_double() const {
        const auto v = values();
        return {v.begin(), v.end()};
    }

private:
    List() = default;
    std::deque<Guarded<float>> tensors_;
};

inline Guarded<float> scalar(double value) { return {Shape{1}, std::vector<double>{value}}; }

using Outputs = std::vector<std::vector<float>>;

// What f(device) returns, which must not depend on the device.
inline Outputs on_all_backends(const std::function<Outputs(Device)>& f) {
    Outputs first;
    for (const Backend& b : backends()) {
        auto got = f(b.device);
        if (first.empty()) {
            first = std::move(got);
            continue;
        }
        EXPECT_EQ(got.size(), first.size());
        for (std::size_t i = 0; i < first.size(); ++i)
            EXPECT_TRUE(same_bytes(got[i], first[i])) << "output " << i << " of " << b.name << " differs";
    }
    return first;
}

}  // namespace steepest::testing
