#pragma once
// Match: which parameters a group takes. In a config {"roles": ["matrix"], "names": ["h.*.mlp.*"]}, or "rest": all that
// no other group takes.
#include "core/parameter.h"
#include "core/registry.h"

#include <string>
#include <vector>

namespace steepest {

class Match {
public:
    Match() = default;
    Match(std::vector<std::string> roles, std::vector<std::string> names) : rule_{std::move(roles), std::move(names)} {}
    static Match everything_else();

    bool is_rest() const { return rest_; }
    // Of the roles given (any, if none are) and of a name that fits one of the patterns given (any, if none are), in
    // which * stands for any text and ? for one character. Never true for "rest".
    bool takes(const ParamSpec& spec) const;
    // As it stands in a config, for error texts.
    std::string describe() const { return write().dump(); }

    void read(const Json* json, const Spot& at);
    Json write() const;
    Json schema(Definitions& definitions) const;
    void visit_presets(PresetVisitor&) const {}

private:
    struct Rule {
        std::vector<std::string> roles, names;

        void fields(auto& f) {
            f("roles", roles, "what a parameter does in the network", OneOf(role_names()));
            f("names", names, "patterns of parameter names: * is any text, ? any character");
        }
        void check(auto&& error) const {
            if (roles.empty() && names.empty())
                error("", std::string("takes no parameter; expected roles, names, or \"rest\" for all others"));
        }
    };
    static std::vector<std::string> role_names();

    bool rest_ = false;
    Rule rule_;
};

}  // namespace steepest
