#pragma once
// What a backend's libraries chose by themselves and results depend on, such as the algorithm of each product: an
// object, empty where nothing was chosen. Manifests and checkpoints keep it, and a run that resumes or replays uses
// exactly those.
#include "core/device.h"
#include "core/json.h"

#include <string>

namespace steepest {

Json library_choices(Cpu&);
Json library_choices(Cuda&);
// From now on those are used. Returns why they cannot be (another device or version), or nothing. Throws InputError for
// what is no such object.
std::string restore_library_choices(Cpu&, const Json& choices);
std::string restore_library_choices(Cuda&, const Json& choices);

inline Json library_choices(Device d) {
    return std::visit([](auto* b) { return library_choices(*b); }, d);
}
inline std::string restore_library_choices(Device d, const Json& choices) {
    return std::visit([&](auto* b) { return restore_library_choices(*b, choices); }, d);
}

}  // namespace steepest
