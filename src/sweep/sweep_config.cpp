#include "sweep/sweep_config.h"

namespace steepest::sweep {

void Setting::read(const Json* json, const Spot&) {
    if (json) value = *json;
}

void Axis::read(const Json* json, const Spot& at) {
    if (!json) return;
    const Json* list = json;
    static const std::vector<std::string> kinds{"uniform", "log_uniform", "choice"};
    if (json->is_object() && json->size() == 1) {
        const std::string key = json->items().begin().key();
        list = &json->items().begin().value();
        if (key == "uniform")
            kind = Kind::uniform;
        else if (key == "log_uniform")
            kind = Kind::log_uniform;
        else if (key == "choice")
            kind = Kind::choice;
        else
            return at.error(not_one_of(key, kinds));
    }
    if (!list->is_array() || list->empty())
        return at.expected("a list of values, or an object with one of: " + join(kinds), *json);
    if (kind == Kind::uniform || kind == Kind::log_uniform) {
        const bool ends = list->size() == 2 && (*list)[0].is_number() && (*list)[1].is_number();
        if (!ends || !((*list)[0].get<double>() < (*list)[1].get<double>()))
            return at.expected("two numbers, low below high", *list);
        if (kind == Kind::log_uniform && (*list)[0].get<double>() <= 0)
            return at.error("a logarithm needs ends above 0, found " + brief(*list));
    }
    values.assign(list->begin(), list->end());
}

Json Axis::write() const {
    const Json list = Json(values);
    switch (kind) {
        case Kind::grid:
            return list;
        case Kind::uniform:
            return Json{{"uniform", list}};
        case Kind::log_uniform:
            return Json{{"log_uniform", list}};
        case Kind::choice:
            return Json{{"choice", list}};
    }
    return list;
}

}  // namespace steepest::sweep
