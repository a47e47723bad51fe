#pragma once
// What is wrong with a config: collected while reading goes on, and thrown as one report.
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace steepest {

class Mistakes {
public:
    // The same mistake twice, from a base that is merged twice, counts once.
    void add(std::string pointer, std::string message);
    // Those of a part of the tree, which stands at `pointer`.
    void add_all(const Mistakes& part, const std::string& pointer);
    std::size_t count() const { return list_.size(); }
    // Throws one InputError with all of them, if there are any. `origins` says by pointer which file or --set a value
    // was merged from; it is named where that is not `source` itself.
    void report(const std::string& source, const std::map<std::string, std::string>& origins = {}) const;

private:
    std::vector<std::pair<std::string, std::string>> list_;
};

}  // namespace steepest
