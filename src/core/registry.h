#pragma once
// Named plugins. A plugin is registered by one object in its own file,
//
//     const Register<Geometry, Spectral> registered("spectral", "nearest semi-orthogonal matrix");
//
// has `Options` with fields() and a constructor from them, and is chosen in a config by {"type": "spectral",
// ...options} or, with all options at their defaults, by "spectral". A plugin of the wrong interface does not compile.
#include "core/config_reader.h"
#include "core/config_schema.h"
#include "core/presets.h"

#include <memory>
#include <stdexcept>
#include <typeinfo>

namespace steepest {

template <class Interface>
class Registry {
public:
    struct Entry {
        std::string help;
        Json (*resolve)(const Json& object, const Spot& at);  // checks an object's options; all of them, written out
        std::unique_ptr<Interface> (*make)(const Json& options);
        Json (*schema)(Definitions& definitions);
        void (*visit_presets)(PresetVisitor& visitor);
    };

    // Made at the first use, so that the order in which files are initialised means nothing.
    static std::map<std::string, Entry>& all() {
        static std::map<std::string, Entry> entries;
        return entries;
    }
    static std::vector<std::string> names() {
        std::vector<std::string> list;
        for (const auto& [name, entry] : all()) list.push_back(name);
        return list;
    }
    // nullptr where there is none.
    static const Entry* find(const std::string& name) {
        const auto found = all().find(name);
        return found == all().end() ? nullptr : &found->second;
    }
};

template <class Interface, class Plugin>
struct Register {
    static_assert(std::derived_from<Plugin, Interface>);
    using Options = typename Plugin::Options;

    explicit Register(const std::string& name, std::string help) {
        const typename Registry<Interface>::Entry entry{std::move(help), resolve, make, schema, visit_presets};
        if (!Registry<Interface>::all().emplace(name, entry).second)
            throw std::logic_error("two plugins are called \"" + name + "\"");
    }

private:
    static Json resolve(const Json& object, const Spot& at) {
        Options options{};
        detail::read_struct(object, at, options, "type");
        return write_config(std::move(options));
    }
    static std::unique_ptr<Interface> make(const Json& json) {
        Options options{};
        Mistakes mistakes;
        detail::read_struct(json, Spot("", mistakes), options, "type");
        mistakes.report("plugin options");
        return std::make_unique<Plugin>(std::move(options));
    }
    static Json schema(Definitions& definitions) {
        Options options{};
        return detail::struct_schema(options, definitions);
    }
    static void visit_presets(PresetVisitor& visitor) {
        Options options{};
        options.fields(visitor);
    }
};

namespace detail {

std::string kind_name(const std::type_info& interface);  // "Geometry"
// The options of an object, over those of a default of the same type.
Json over_defaults(Json defaults, const Json& object);
struct PluginVariant {
    std::string name, help;
    Json schema;
};
Json plugin_schema(const std::vector<PluginVariant>& variants);
Json plugin_field_schema(Json reference, const Json& default_value);

}  // namespace detail

// A config field that chooses a plugin. Without a default type the key must be in the config. An object without "type"
// sets options of the default type.
template <class Interface>
class PluginConfig {
public:
    PluginConfig() = default;
    PluginConfig(const char* type) : type_(type) {}
    PluginConfig(std::string type, Json options) : type_(std::move(type)), options_(std::move(options)) {}

    const std::string& type() const { return type_; }
    // Every option with its value, without "type".
    Json options() const { return resolved(); }
    std::unique_ptr<Interface> make() const { return entry().make(options_); }

    void read(const Json* json, const Spot& at);
    Json write() const;
    Json schema(Definitions& definitions) const;
    void visit_presets(PresetVisitor& visitor) const;

private:
    const typename Registry<Interface>::Entry& entry() const {
        if (const auto* found = Registry<Interface>::find(type_)) return *found;
        throw std::logic_error(detail::kind_name(typeid(Interface)) + ": no plugin is called \"" + type_ + "\"");
    }
    Json resolved() const {
        Mistakes mistakes;
        Json all = entry().resolve(options_, Spot("", mistakes));
        mistakes.report("default of " + type_);
        return all;
    }

    std::string type_;
    Json options_ = Json::object();
};

template <class Interface>
void PluginConfig<Interface>::read(const Json* json, const Spot& at) {
    const std::vector<std::string> names = Registry<Interface>::names();
    Json object = options_;
    std::string type = type_;
    if (json && json->is_string()) {
        type = json->get<std::string>(), object = Json::object();
    } else if (json) {
        if (!detail::expect(json->is_object(), "a type's name or an object", *json, at)) return;
        if (const auto given = json->find("type"); given != json->end()) {
            if (!detail::expect(given->is_string(), "a string", *given, at / "type")) return;
            type = given->template get<std::string>();
        }
        object = type == type_ ? detail::over_defaults(options_, *json) : *json;
    }
    if (type.empty()) return (json ? at / "type" : at).error("missing; expected one of: " + join(names));
    const auto* found = Registry<Interface>::find(type);
    if (!found) return (at / "type").error(not_one_of(type, names));
    const std::size_t before = at.mistakes().count();
    Json options = found->resolve(object, at);
    if (at.mistakes().count() == before) type_ = type, options_ = std::move(options);
}

template <class Interface>
Json PluginConfig<Interface>::write() const {
    if (type_.empty()) return nullptr;
    Json json{{"type", type_}};
    json.update(resolved());
    return json;
}

template <class Interface>
Json PluginConfig<Interface>::schema(Definitions& definitions) const {
    Json reference = definitions.reference(detail::kind_name(typeid(Interface)), [&] {
        std::vector<detail::PluginVariant> variants;
        for (const auto& [name, entry] : Registry<Interface>::all())
            variants.push_back({name, entry.help, entry.schema(definitions)});
        return detail::plugin_schema(variants);
    });
    return detail::plugin_field_schema(std::move(reference), write());
}

template <class Interface>
void PluginConfig<Interface>::visit_presets(PresetVisitor& visitor) const {
    const std::string kind = detail::kind_name(typeid(Interface));
    if (!visitor.enter(kind)) return;
    for (const auto& [name, entry] : Registry<Interface>::all()) entry.visit_presets(visitor);
    visitor.leave(kind);
}

}  // namespace steepest
