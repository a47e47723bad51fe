#include "tests/core/config_example.h"

#include <gtest/gtest.h>

namespace steepest::config_test {

namespace {

class Sign final : public Geometry {
public:
    using Options = NoOptions;
    explicit Sign(Options) {}
    int cost() const override { return 0; }
};

class Spectral final : public Geometry {
public:
    struct Options {
        int steps = 5;
        std::string form = "x";
        void fields(auto& f) {
            f("steps", steps, "Newton-Schulz iterations", Range<int>{1, 20});
            f("form", form, "which product is iterated", OneOf{"x", "gram"});
        }
        void check(auto&& error) const {
            if (form == "gram" && steps > 10) error("/steps", "more than 10 in the Gram form lose all digits");
        }
    };
    explicit Spectral(Options options) : options_(options) {}
    int cost() const override { return options_.steps; }

private:
    Options options_;
};

// A plugin made of plugins.
class Alternate final : public Geometry {
public:
    struct Options {
        PluginConfig<Geometry> first = "sign", second;
        void fields(auto& f) { f("first", first, "of odd steps"), f("second", second, "of even steps"); }
    };
    explicit Alternate(Options options) : first_(options.first.make()), second_(options.second.make()) {}
    int cost() const override { return first_->cost() + 100 * second_->cost(); }

private:
    std::unique_ptr<Geometry> first_, second_;
};

const Register<Geometry, Sign> sign("sign", "the sign of each element");
const Register<Geometry, Spectral> spectral("spectral", "nearest semi-orthogonal matrix");
const Register<Geometry, Alternate> alternate("alternate", "two geometries in turn");

struct Holder {
    PluginConfig<Geometry> geometry{"spectral", {{"steps", 7}}};
    void fields(auto& f) { f("geometry", geometry, "the norm"); }
};

Holder read(const char* text) { return read_config<Holder>(Json::parse(text), "h.json"); }
std::string mistakes(const char* text) {
    return message_of<InputError>([&] { read(text); });
}

TEST(Registry, ListsNamesAndHelp) {
    EXPECT_EQ(Registry<Geometry>::names(), (std::vector<std::string>{"alternate", "sign", "spectral"}));
    EXPECT_EQ(Registry<Geometry>::find("sign")->help, "the sign of each element");
    EXPECT_EQ(Registry<Geometry>::find("nuclear"), nullptr);
}

TEST(Registry, RefusesASecondPluginOfOneName) {
    EXPECT_THROW((Register<Geometry, Sign>("spectral", "again")), std::logic_error);
    EXPECT_EQ(Registry<Geometry>::find("spectral")->help, "nearest semi-orthogonal matrix");
}

TEST(PluginConfig, MakesThePluginWithItsOptions) {
    EXPECT_EQ(read(R"({"geometry": {"type": "spectral", "steps": 3}})").geometry.make()->cost(), 3);
    EXPECT_EQ(read(R"({"geometry": "sign"})").geometry.make()->cost(), 0);
    EXPECT_EQ(read(R"({"geometry": {"type": "alternate", "second": {"type": "spectral", "steps": 4}}})")
                  .geometry.make()
                  ->cost(),
              400);
}

TEST(PluginConfig, DefaultsOfTheFieldHoldUnlessAnotherTypeIsNamed) {
    EXPECT_EQ(read("{}").geometry.make()->cost(), 7);
    EXPECT_EQ(read(R"({"geometry": {"form": "gram"}})").geometry.make()->cost(), 7);
    EXPECT_EQ(read(R"({"geometry": {"type": "spectral", "form": "gram"}})").geometry.make()->cost(), 7);
    EXPECT_EQ(read(R"({"geometry": "spectral"})").geometry.make()->cost(), 5);
}

TEST(PluginConfig, WritesEveryOption) {
    EXPECT_EQ(write_config(read("{}")).dump(), R"({"geometry":{"type":"spectral","steps":7,"form":"x"}})");
    EXPECT_EQ(write_config(Holder()).dump(), R"({"geometry":{"type":"spectral","steps":7,"form":"x"}})");
    EXPECT_EQ(write_config(read(R"({"geometry": {"type": "alternate", "second": "sign"}})")).dump(),
              R"({"geometry":{"type":"alternate","first":{"type":"sign"},"second":{"type":"sign"}}})");
    EXPECT_EQ(read(R"({"geometry": "sign"})").geometry.options(), Json::object());
}

TEST(PluginConfig, ReportsMistakesAtTheirPlace) {
    EXPECT_EQ(
        mistakes(R"({"geometry": "sprectal"})"),
        "h.json: 1 mistake\n  /geometry/type: \"sprectal\" is not one of: alternate, sign, spectral; did you mean "
        "\"spectral\"?");
    EXPECT_EQ(
        mistakes(R"({"geometry": {"type": "spectral", "steps": 0, "from": "x"}})"),
        "h.json: 2 mistakes\n  /geometry/steps: 0 is outside [1, 20]\n  /geometry/from: unknown key; did you mean "
        "\"form\"?");
    EXPECT_EQ(mistakes(R"({"geometry": {"type": "spectral", "form": "gram", "steps": 11}})"),
              "h.json: 1 mistake\n  /geometry/steps: more than 10 in the Gram form lose all digits");
    EXPECT_EQ(mistakes(R"({"geometry": {"type": 3}})"),
              "h.json: 1 mistake\n  /geometry/type: expected a string, found 3");
    EXPECT_EQ(mistakes(R"({"geometry": 3})"),
              "h.json: 1 mistake\n  /geometry: expected a type's name or an object, found 3");
    EXPECT_EQ(mistakes(R"({"geometry": "alternate"})"),
              "h.json: 1 mistake\n  /geometry/second: missing; expected one of: alternate, sign, spectral");
    EXPECT_EQ(mistakes(R"({"geometry": {"type": "alternate", "second": {}}})"),
              "h.json: 1 mistake\n  /geometry/second/type: missing; expected one of: alternate, sign, spectral");
}

TEST(PluginConfig, AWrongDefaultIsAProgrammersError) {
    PluginConfig<Geometry> wrong = "nuclear";
    EXPECT_THROW(wrong.make(), std::logic_error);
    EXPECT_THROW(PluginConfig<Geometry>().make(), std::logic_error);
}

TEST(PluginConfig, SchemaHasOneVariantATypeAndRefersToItselfWhereItNests) {
    const Json schema = schema_of<Holder>("h");
    const Json& variants = schema.at("$defs").at("Geometry").at("oneOf");
    ASSERT_EQ(variants.size(), 4u);
    EXPECT_EQ(variants[0].at("enum"), (Json{"alternate", "sign", "spectral"}));
    EXPECT_EQ(variants[3].at("properties").at("type").at("const"), "spectral");
    EXPECT_EQ(variants[3].at("properties").at("steps").at("maximum"), 20);
    EXPECT_EQ(variants[3].at("required"), Json::array({"type"}));
    EXPECT_EQ(variants[1].at("properties").at("second").at("$ref"), "#/$defs/Geometry");
    EXPECT_EQ(schema.at("properties").at("geometry").at("default").at("steps"), 7);
}

}  // namespace

}  // namespace steepest::config_test
