#include "core/random.h"
#include "tests/core/config_example.h"

#include <bit>
#include <gtest/gtest.h>

namespace steepest::config_test {

namespace {

RunConfig read(const std::string& text) { return read_config<RunConfig>(parse_config(text, "run.json", {}, {})); }

// A config with one more top-level key.
std::string with(const std::string& more) { return "{" + more + R"(, "optimizer": {"groups": {}}})"; }

TEST(ConfigReader, ReadsEveryKindOfField) {
    const RunConfig run = read(kGood);
    EXPECT_EQ(run.model.layers, 2);
    EXPECT_EQ(run.model.vocab, 50257);
    EXPECT_EQ(run.seed, 18446744073709551615u);
    EXPECT_EQ(run.tokens, 1000000000);
    EXPECT_EQ(run.files, (std::vector<std::string>{"a", "b"}));
    const GroupConfig& rest = run.optimizer.groups.at("rest");
    EXPECT_EQ(rest.learning_rate, 3e-4f);
    EXPECT_EQ(rest.clip, 1.0f);
    EXPECT_EQ(run.optimizer.groups.at("matrices").clip, std::nullopt);
    EXPECT_EQ(rest.betas, (std::vector<float>{0.9f, 0.99f}));
    EXPECT_EQ(run.optimizer.groups.at("matrices").geometry.make()->cost(), 3);
}

TEST(ConfigReader, ReportsAllMistakesAtOnce) {
    EXPECT_EQ(mistakes_in(R"({
        "model": {"layers": 0, "width": "768", "vocab": 5000000000, "haeds": 4},
        "optimizer": {
            "groups": {
                "a/b": {"learning_rate": 1e9, "geometry": "sprectal"},
                "rest": {"betas": [0.9, 1, "x"], "clip": -1, "geometry": {"type": "spectral", "steps": 2.5}}
            },
            "lr_scale": 1e300
        },
        "precision": {"compute": "fp23"},
        "name": 7, "files": "a", "tokens": -1, "seed": -1, "decay": "0.1", "resume": 1, "zzz": null
    })"),
              R"(bad.json: 19 mistakes
  /model/layers: 0 is outside [1, 1000]
  /model/width: expected an integer, found "768"
  /model/vocab: 5000000000 is outside [2, 65536]
  /model/haeds: unknown key; did you mean "heads"?
  /optimizer/lr_scale: 1e+300 is outside [-3.4028235e+38, 3.4028235e+38]
  /optimizer/groups/a~1b/learning_rate: 1000000000.0 is outside (0.0, 10.0]
  /optimizer/groups/a~1b/geometry/type: "sprectal" is not one of: alternate, sign, spectral; did you mean "spectral"?
  /optimizer/groups/rest/betas/1: 1 is outside [0.0, 1.0)
  /optimizer/groups/rest/betas/2: expected a number, found "x"
  /optimizer/groups/rest/clip: -1 is outside [0.0, inf)
  /optimizer/groups/rest/geometry/steps: expected an integer, found 2.5
  /precision/compute: "fp23" is not one of: fp32, tf32, bf16; did you mean "fp32"?
  /name: expected a string, found 7
  /files: expected a list, found "a"
  /tokens: -1 is outside [1, inf)
  /seed: -1 is outside [0, 18446744073709551615]
  /decay: expected a number, found "0.1"
  /resume: expected true or false, found 1
  /zzz: unknown key)");
}

TEST(ConfigReader, MissingKeysAndWrongObjects) {
    EXPECT_EQ(mistakes_in("{}"), "bad.json: 1 mistake\n  /optimizer/groups: missing");
    EXPECT_EQ(mistakes_in(R"({"optimizer": {"groups": {"rest": {}, "b": []}}, "model": 3})"),
              "bad.json: 3 mistakes\n  /model: expected an object, found 3\n"
              "  /optimizer/groups/rest/geometry: missing; expected one of: alternate, sign, spectral\n"
              "  /optimizer/groups/b: expected an object, found []");
}

TEST(ConfigReader, RulesBetweenFieldsOnceTheFieldsAreRight) {
    EXPECT_EQ(mistakes_in(with(R"("model": {"heads": 5})")),
              "bad.json: 1 mistake\n  /model/heads: 5 does not divide width 768");
    EXPECT_EQ(mistakes_in(with(R"("model": {"heads": 5, "layers": 0})")),
              "bad.json: 1 mistake\n  /model/layers: 0 is outside [1, 1000]");
    EXPECT_EQ(mistakes_in(R"({"optimizer": {"groups": {"g": {"betas": [0.5], "geometry": "sign"}}}})"),
              "bad.json: 1 mistake\n  /optimizer/groups/g/betas: needs two numbers, has 1");
}

TEST(ConfigReader, IntegersMustBeWholeAndFit) {
    EXPECT_EQ(read(with(R"("tokens": 9223372036854775807)")).tokens, 9223372036854775807);
    EXPECT_EQ(read(with(R"("tokens": 2.5e3)")).tokens, 2500);
    EXPECT_EQ(mistakes_in(with(R"("tokens": 9223372036854775808)")),
              "bad.json: 1 mistake\n  /tokens: 9223372036854775808 is outside [1, 9223372036854775807]");
    EXPECT_EQ(mistakes_in(with(R"("seed": 18446744073709551616)")),
              "bad.json: 1 mistake\n  /seed: 1.8446744073709552e+19 is outside [0, 18446744073709551615]");
    EXPECT_EQ(mistakes_in(with(R"("tokens": true)")),
              "bad.json: 1 mistake\n  /tokens: expected an integer, found true");
}

TEST(ConfigReader, LongValuesAreCutBetweenCharacters) {
    const std::string found = mistakes_in(with("\"seed\": \"" + std::string(55, 'a') + "\u00e9\u00e9\u00e9\u00e9\""));
    EXPECT_EQ(found, "bad.json: 1 mistake\n  /seed: expected an integer, found \"" + std::string(55, 'a') + "...");
}

TEST(ConfigWriter, WritesEveryFieldInOrderAndFloatsAsWritten) {
    EXPECT_EQ(write_config(read(kGood)).dump(),
              R"({"model":{"description":"","layers":2,"heads":4,"width":64,"vocab":50257},)"
              R"("optimizer":{"description":"","lr_scale":1.0,"groups":{)"
              R"("matrices":{"learning_rate":0.02,"betas":[0.9,0.95],"clip":null,)"
              R"("geometry":{"type":"spectral","steps":3,"form":"x"}},)"
              R"("rest":{"learning_rate":0.0003,"betas":[0.9,0.99],"clip":1.0,"geometry":{"type":"sign"}}}},)"
              R"("precision":{"compute":"fp32"},"probe":{"type":"spectral","steps":5,"form":"x"},"name":"",)"
              R"("files":["a","b"],"tokens":1000000000,"seed":18446744073709551615,"decay":0.1,"resume":false})");
}

TEST(ConfigWriter, ReadsBackToTheSame) {
    const Json once = write_config(read(kGood));
    EXPECT_EQ(write_config(read(once.dump(2))), once);
}

TEST(ConfigWriter, EveryFloatSurvivesBitForBit) {
    const Random random(1, "config test floats");
    for (std::uint64_t i = 0; i < 200000; ++i) {
        const auto bits = static_cast<std::uint32_t>(random.below(std::uint64_t{1} << 32, i));
        const float x = std::bit_cast<float>(bits);
        if (!std::isfinite(x)) continue;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(Json::parse(json_number(x).dump()).get<float>()), bits);
    }
}

TEST(ConfigWriter, RefusesWhatJsonCannotHold) {
    RunConfig run;
    run.decay = std::numeric_limits<double>::infinity();
    EXPECT_THROW(write_config(run), std::logic_error);
}

// Whether every key that is written is one that the schema knows, following $ref, anyOf and oneOf.
bool knows(const Json& root, const Json& schema, const Json& value) {
    if (schema.contains("$ref"))
        return knows(root, root.at("$defs").at(schema.at("$ref").get<std::string>().substr(8)), value);
    for (const char* choice : {"anyOf", "oneOf"})
        if (schema.contains(choice))
            return std::ranges::any_of(schema.at(choice), [&](const Json& s) { return knows(root, s, value); });
    if (schema.contains("const")) return schema.at("const") == value;
    if (schema.contains("enum") && std::ranges::find(schema.at("enum"), value) == schema.at("enum").end()) return false;
    const std::string type = schema.value("type", "");
    if (type == "object") {
        if (!value.is_object() || (schema.contains("not") && value.contains("type"))) return false;
        for (const auto& [key, entry] : value.items()) {
            const bool named = schema.contains("properties") && schema.at("properties").contains(key);
            const Json each =
                named ? schema.at("properties").at(key) : schema.value("additionalProperties", Json(true));
            if (each == Json(false) || (each.is_object() && !knows(root, each, entry))) return false;
        }
        return !schema.contains("required") || value.contains(schema.at("required")[0].get<std::string>());
    }
    if (type == "array")
        return value.is_array() &&
               std::ranges::all_of(value, [&](const Json& e) { return knows(root, schema.at("items"), e); });
    if (type == "integer")
        return value.is_number_integer() &&
               (!schema.contains("minimum") || value.get<double>() >= schema.at("minimum").get<double>());
    if (type == "number") return value.is_number();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    return type.empty() || value.is_string();
}

TEST(ConfigSchema, DescribesTypesRangesChoicesAndDefaults) {
    const Json schema = schema_of<RunConfig>("steepest run");
    EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
    const Json& model = schema.at("properties").at("model");
    EXPECT_EQ(model.at("anyOf")[0].at("type"), "string");
    EXPECT_EQ(model.at("anyOf")[1].at("properties").at("layers").dump(),
              R"({"description":"transformer blocks, L","type":"integer","minimum":1,"maximum":1000,"default":12})");
    const Json& group =
        schema.at("properties").at("optimizer").at("anyOf")[1].at("properties").at("groups").at("additionalProperties");
    EXPECT_EQ(group.at("anyOf")[0].at("properties").at("learning_rate").at("exclusiveMinimum"), 0.0);
    EXPECT_EQ(group.at("anyOf")[1].at("type"), "null");
    EXPECT_EQ(schema.at("properties").at("precision").at("properties").at("compute").at("enum").size(), 3u);
    EXPECT_EQ(schema.at("properties").at("seed").at("minimum"), 0);
    EXPECT_EQ(schema.at("additionalProperties"), false);
}

TEST(ConfigSchema, AcceptsWhatIsWrittenAndNothingMisspelt) {
    const Json schema = schema_of<RunConfig>("steepest run");
    Json written = write_config(read(kGood));
    EXPECT_TRUE(knows(schema, schema, written));
    EXPECT_TRUE(knows(schema, schema, write_config(RunConfig())));
    for (const char* pointer : {"/zzz", "/model/haeds", "/optimizer/groups/rest/betsa",
                                "/optimizer/groups/rest/geometry/steps", "/probe/from"}) {
        Json misspelt = written;
        misspelt[Json::json_pointer(pointer)] = 1;
        EXPECT_FALSE(knows(schema, schema, misspelt)) << pointer;
    }
    written["precision"]["compute"] = "fp64";
    EXPECT_FALSE(knows(schema, schema, written));
}

}  // namespace

}  // namespace steepest::config_test
