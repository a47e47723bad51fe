#include "core/mistakes.h"

#include "core/error.h"

#include <algorithm>

namespace steepest {

namespace {

// Of the value itself or of the nearest object around it: a key that is missing has no origin of its own.
std::string origin_of(std::string pointer, const std::map<std::string, std::string>& origins) {
    while (true) {
        if (const auto found = origins.find(pointer); found != origins.end()) return found->second;
        if (pointer.empty()) return {};
        pointer.resize(pointer.rfind('/'));
    }
}

}  // namespace

void Mistakes::add(std::string pointer, std::string message) {
    std::pair mistake(std::move(pointer), std::move(message));
    if (std::ranges::find(list_, mistake) == list_.end()) list_.push_back(std::move(mistake));
}

void Mistakes::add_all(const Mistakes& part, const std::string& pointer) {
    for (const auto& [below, message] : part.list_) add(pointer + below, message);
}

void Mistakes::report(const std::string& source, const std::map<std::string, std::string>& origins) const {
    if (list_.empty()) return;
    std::string text = source + ": " + std::to_string(list_.size()) + (list_.size() == 1 ? " mistake" : " mistakes");
    for (const auto& [pointer, message] : list_) {
        text += "\n  " + (pointer.empty() ? "top level" : pointer) + ": " + message;
        const std::string origin = origin_of(pointer, origins);
        if (!origin.empty() && origin != source && !origin.starts_with(source + ":")) text += " (" + origin + ")";
    }
    throw InputError(text);
}

}  // namespace steepest
