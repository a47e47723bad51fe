#pragma once
// A folder of its own for each test that writes files, gone with its contents at the end; and the text of what a call
// throws.
#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <vector>

namespace steepest::testing {

class TemporaryFolder : public ::testing::Test {
protected:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "steepest-test-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make " + name);
        folder_ = name;
    }
    ~TemporaryFolder() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::string folder() const { return folder_.string(); }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    // Names in the folder, sorted, leftovers included.
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            all.push_back(entry.path().filename().string());
        std::sort(all.begin(), all.end());
        return all;
    }

private:
    std::filesystem::path folder_;
};

// What the call threw as an E; another type passes through, and no exception at all is "threw nothing".
template <class E>
std::string message_of(auto&& call) {
    try {
        call();
    } catch (const E& e) {
        return e.what();
    }
    return "threw nothing";
}

}  // namespace steepest::testing
