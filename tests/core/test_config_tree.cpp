#include "core/file.h"
#include "core/random.h"
#include "tests/core/config_example.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace steepest::config_test {

namespace {

const PresetTable kTable{{"/model", "models"}, {"/optimizer", "optimizers"}};

class ConfigTreeTest : public steepest::testing::TemporaryFolder {
protected:
    ~ConfigTreeTest() override { ::unsetenv("STEEPEST_CONFIGS"); }

    void write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        write_file(path(name), text);
    }
    std::string load(const std::string& name, std::vector<std::string> sets = {}) const {
        return load_config(path(name), sets, kTable).json.dump();
    }
    // The error, with the temporary folder's name taken out.
    std::string error(const std::string& name, std::vector<std::string> sets = {}) const {
        return without_folder(message_of<InputError>([&] { load_config(path(name), sets, kTable); }));
    }
    std::string without_folder(std::string text) const {
        for (std::size_t at; (at = text.find(folder() + "/")) != text.npos;) text.erase(at, folder().size() + 1);
        return text;
    }
};

// The tree of a text and of options.
std::string tree(const std::string& text, std::vector<std::string> sets = {}) {
    return parse_config(text, "run.json", sets, kTable).json.dump();
}
std::string tree_error(const std::string& text, std::vector<std::string> sets = {}) {
    return message_of<InputError>([&] { parse_config(text, "run.json", sets, kTable); });
}

TEST(ConfigText, CommentsAreAllowed) {
    EXPECT_EQ(tree("// why\n{\"a\": /* one */ 1, // end\n \"b\": [1, 2]} // after\n"), R"({"a":1,"b":[1,2]})");
}

TEST(ConfigText, SyntaxErrorsNameLineAndColumn) {
    EXPECT_EQ(tree_error("{\"a\": 1,\n \"b\": 2,\n}"), "run.json:3:1: unexpected '}'; expected string literal");
    EXPECT_EQ(tree_error("{\"a\": 1\n \"b\": 2}"), "run.json:2:2: unexpected string literal; expected '}'");
    EXPECT_EQ(tree_error("{\"a\": nan}"), "run.json:1:8: invalid literal; last read: '\"a\": na'");
    EXPECT_EQ(tree_error("{\"a\": 1e999}"), "run.json:1:7: number overflow parsing '1e999'");
    EXPECT_EQ(tree_error("{} {}"), "run.json:1:4: unexpected '{'; expected end of input");
    EXPECT_EQ(tree_error("{\"a\": 1"), "run.json:1:8: unexpected end of input; expected '}'");
    EXPECT_EQ(tree_error(" \n"), "run.json: is empty");
    EXPECT_EQ(tree_error("[1]"), "run.json: expected an object, found [1]");
    EXPECT_EQ(tree_error(std::string(101, '[')), "run.json:1:101: nested deeper than 100 levels");
}

TEST(ConfigText, DuplicateKeysAreReportedWithTheOtherMistakes) {
    EXPECT_EQ(
        mistakes_in(
            "{\"optimizer\": {\"groups\": {}},\n\"model\": {\"layers\": 1,\n\"layers\": 0},\n\"seed\": 1, \"seed\": "
            "2}"),
        "bad.json: 3 mistakes\n  /model/layers: duplicate key, on lines 2 and 3\n"
        "  /seed: duplicate key, twice on line 4\n  /model/layers: 0 is outside [1, 1000]");
    EXPECT_EQ(message_of<InputError>([] { parse_json(R"({"a": 1, "a": 1})", "x.json"); }),
              "x.json: 1 mistake\n  /a: duplicate key, twice on line 1");
}

TEST(ConfigSet, TakesJsonOrAString) {
    EXPECT_EQ(tree("{}", {"a.b=1", "a.c=0.02", "a.d=true", "a.e=text", "a.f=[1, 2]", "a.g={\"h\": 1}", "a.i=x=y",
                          "a.j=", "a.k=\"1\""}),
              R"({"a":{"b":1,"c":0.02,"d":true,"e":"text","f":[1,2],"g":{"h":1},"i":"x=y","j":"","k":"1"}})");
    EXPECT_EQ(tree("{\"a\": 1, \"b\": {\"c\": 2}}", {"a=2", "b.c=3", "b.c=4"}), R"({"a":2,"b":{"c":4}})");
}

TEST(ConfigSet, PointersReachKeysWithDots) {
    EXPECT_EQ(tree("{\"groups\": {\"h.0\": 1}}", {"/groups/h.0=2", "/groups/a~1b~0=3"}),
              R"({"groups":{"h.0":2,"a/b~":3}})");
}

TEST(ConfigSet, BadOptions) {
    EXPECT_EQ(tree_error("{}", {"a"}), "--set a: expected key=value");
    EXPECT_EQ(tree_error("{}", {"=1"}), "--set =1: expected key=value");
    EXPECT_EQ(tree_error("{}", {"a..b=1"}), "--set a..b=1: a key is empty");
    EXPECT_EQ(tree_error("{}", {"a.=1"}), "--set a.=1: a key is empty");
    EXPECT_EQ(tree_error("{}", {"a=\xff"}), "--set a=\xff: is not UTF-8");
}

TEST(ConfigSet, MistakesNameTheOption) {
    EXPECT_EQ(message_of<InputError>([] {
                  const std::vector<std::string> sets{"optimizer.groups.rest.learning_rte=1", "model.layers=0"};
                  read_config<RunConfig>(parse_config(kGood, "run.json", sets, kTable));
              }),
              "run.json: 2 mistakes\n  /model/layers: 0 is outside [1, 1000] (--set model.layers=0)\n"
              "  /optimizer/groups/rest/learning_rte: unknown key; did you mean \"learning_rate\"? "
              "(--set optimizer.groups.rest.learning_rte=1)");
}

TEST(ConfigMerge, ObjectsByKeyAllElseReplaced) {
    EXPECT_EQ(tree(R"({"a": {"x": 1, "y": [1, 2]}, "b": 1})", {R"(a={"y": [3], "z": null})", "b={}"}),
              R"({"a":{"x":1,"y":[3],"z":null},"b":{}})");
}

TEST(ConfigMerge, NullRemoves) {
    EXPECT_EQ(tree(R"({"groups": {"a": {"x": 1}, "b": 2}})", {"groups.a=null"}), R"({"groups":{"b":2}})");
    EXPECT_EQ(tree(R"({"groups": {"a": 1}})", {"groups.a=null", "groups.a=2"}), R"({"groups":{"a":2}})");
}

TEST(ConfigMerge, AnotherTypeReplacesTheObject) {
    const std::string base = R"({"g": {"type": "spectral", "steps": 3}})";
    EXPECT_EQ(tree(base, {"g.steps=4"}), R"({"g":{"type":"spectral","steps":4}})");
    EXPECT_EQ(tree(base, {R"(g={"type": "spectral", "form": "x"})"}),
              R"({"g":{"type":"spectral","steps":3,"form":"x"}})");
    EXPECT_EQ(tree(base, {R"(g={"type": "clip", "tau": 1})"}), R"({"g":{"type":"clip","tau":1}})");
    EXPECT_EQ(tree(base, {"g.type=sign"}), R"({"g":{"type":"sign"}})");
    EXPECT_EQ(tree(base, {"g=sign"}), R"({"g":"sign"})");
    EXPECT_EQ(tree(R"({"g": "spectral"})", {"g.steps=4"}), R"({"g":{"type":"spectral","steps":4}})");
    EXPECT_EQ(tree(R"({"g": "spectral"})", {R"(g={"type": "sign"})"}), R"({"g":{"type":"sign"}})");
}

TEST_F(ConfigTreeTest, BasesMergeInOrderAndOwnKeysWin) {
    write("a.json", R"({"x": 1, "y": 1, "z": 1, "sub": {"p": 1, "q": 1}})");
    write("parts/b.json", R"({"y": 2, "z": 2, "base": "c"})");
    write("parts/c.json", R"({"z": 3, "w": 3})");
    write("run.json", R"({"z": 0, "sub": {"q": 0}, "base": ["a.json", "parts/b"]})");
    EXPECT_EQ(load("run.json"), R"({"x":1,"y":2,"z":0,"sub":{"p":1,"q":0},"w":3})");
}

TEST_F(ConfigTreeTest, BasesWorkAtAnyLevelAndReplaceWhatWasThere) {
    write("all.json", R"({"train": {"steps": 1, "warmup": 2}, "list": [{"base": "./item"}]})");
    write("item.json", R"({"k": 1})");
    write("long.json", R"({"steps": 100})");
    write("run.json", R"({"base": "all.json", "train": {"base": "long.json", "decay": 1}})");
    EXPECT_EQ(load("run.json"), R"({"train":{"steps":100,"decay":1},"list":[{"k":1}]})");
}

TEST_F(ConfigTreeTest, CyclesAndMissingFiles) {
    write("a.json", R"({"base": "sub/b.json"})");
    write("sub/b.json", "{\"x\": 1,\n\"base\": \"../a\"}");
    EXPECT_EQ(error("a.json"), "configs that are their own base: a.json -> sub/b.json -> a.json");
    write("c.json", "{\n\"s\": {\"base\": \"nothing\"}}");
    EXPECT_EQ(error("c.json"), "c.json:2: /s/base: no file \"nothing.json\"");
    write("d.json", R"({"base": 3})");
    EXPECT_EQ(error("d.json"), "d.json:1: /base: expected a file's name, found 3");
    write("e.json", R"({"base": "sub/none.json"})");
    EXPECT_TRUE(error("e.json").starts_with("e.json:1: /base: no file \"sub/none.json\"\n  looked in "))
        << error("e.json");
    write("f.json", R"({"base": "broken.json"})");
    write("broken.json", "{\n  \"x\" 1}");
    EXPECT_EQ(error("f.json"), "broken.json:2:7: unexpected number literal; expected ':'");
}

class Presets : public ConfigTreeTest {
protected:
    Presets() {
        write("configs/models/nano.json", R"({"description": "tiny", "layers": 4})");
        write("configs/models/small.json", "{\"base\": \"nano\",\n \"heads\": 6}");
        write("configs/optimizers/muon.json", R"({"groups": {"matrices": {"lr": 1}, "rest": {"lr": 2}}})");
        write("configs/optimizers/lion.json", R"({"groups": {"all": {"lr": 3}}})");
        write("configs/experiments/first.json", R"({"model": "nano", "optimizer": "muon"})");
    }
};

TEST_F(Presets, AStringIsEnough) {
    EXPECT_EQ(load("configs/experiments/first.json"),
              R"({"model":{"description":"tiny","layers":4},)"
              R"("optimizer":{"groups":{"matrices":{"lr":1},"rest":{"lr":2}}}})");
}

TEST_F(Presets, BasesInsideTheFieldAreNamesToo) {
    write("configs/experiments/own.json", R"({"base": "first", "model": {"base": "small", "layers": 9},
                                             "optimizer": {"groups": {"rest": null, "matrices": {"lr": 7}}}})");
    EXPECT_EQ(load("configs/experiments/own.json"),
              R"({"model":{"description":"tiny","layers":9,"heads":6},"optimizer":{"groups":{"matrices":{"lr":7}}}})");
}

TEST_F(Presets, AnotherPresetReplacesTheFirst) {
    write("configs/experiments/second.json", R"({"base": "first", "optimizer": "lion"})");
    write("configs/experiments/third.json", R"({"base": ["first", "second"]})");
    EXPECT_EQ(Json::parse(load("configs/experiments/second.json"))["optimizer"].dump(),
              R"({"groups":{"all":{"lr":3}}})");
    EXPECT_EQ(load("configs/experiments/third.json"), load("configs/experiments/second.json"));
}

TEST_F(Presets, SetChoosesAPresetAndThenPatchesIt) {
    const Json json = Json::parse(load("configs/experiments/first.json", {"optimizer=lion", "optimizer.groups.all.lr=5",
                                                                          R"(model={"base": "small", "layers": 1})"}));
    EXPECT_EQ(json["optimizer"].dump(), R"({"groups":{"all":{"lr":5}}})");
    EXPECT_EQ(json["model"].dump(), R"({"description":"tiny","layers":1,"heads":6})");
}

TEST_F(Presets, APathOfOnesOwnWorksToo) {
    write("mine/run.json", R"({"model": "./my-model.json"})");
    write("mine/my-model.json", R"({"layers": 3})");
    EXPECT_EQ(load("mine/run.json"), R"({"model":{"layers":3}})");
}

TEST_F(Presets, EnvironmentAddsFolders) {
    // A name that the source tree's own presets, which are searched too, do not have.
    write("configs/models/only-here.json", R"({"layers": 4})");
    write("elsewhere/run.json", R"({"model": "only-here"})");
    EXPECT_TRUE(
        error("elsewhere/run.json").starts_with("elsewhere/run.json:1: /model: no preset \"only-here\" in models"));
    ::setenv("STEEPEST_CONFIGS", ("/nonexistent::" + path("configs")).c_str(), 1);
    EXPECT_EQ(load("elsewhere/run.json"), R"({"model":{"layers":4}})");
    EXPECT_EQ(load_config("first", {}, kTable).json.dump(), load("configs/experiments/first.json"));
    EXPECT_EQ(load_config("experiments/first", {}, kTable).json.dump(), load("configs/experiments/first.json"));
}

TEST_F(Presets, MissingOnesAreSuggested) {
    write("configs/experiments/bad.json", "{\n\"optimizer\": \"mouon\"}");
    const std::string text = error("configs/experiments/bad.json");
    EXPECT_TRUE(
        text.starts_with("configs/experiments/bad.json:2: /optimizer: no preset \"mouon\" in optimizers; did you "
                         "mean \"muon\"?\n  looked in configs/experiments/optimizers\n  looked in "
                         "configs/optimizers"))
        << text;
    ::setenv("STEEPEST_CONFIGS", path("configs").c_str(), 1);
    EXPECT_TRUE(message_of<InputError>([] {
                    load_config("frist", {}, kTable);
                }).starts_with("\"frist\" is not a file: no preset \"frist\" in experiments; did you mean \"first\"?"));
}

TEST_F(Presets, MistakesNameTheFileTheyCameFrom) {
    write("configs/models/wrong.json", "{\"base\": \"nano\",\n\"heads\": 0, \"heads\": 0,\n\"widht\": 5}");
    write("configs/experiments/bad.json",
          "{\"model\": {\"base\": \"wrong\", \"layers\": -1},\n\"optimizer\": {\"groups\": {\"g\": {}}}}");
    EXPECT_EQ(
        without_folder(message_of<InputError>([&] { load_config<RunConfig>(path("configs/experiments/bad.json")); })),
        "configs/experiments/bad.json: 5 mistakes\n"
        "  /model/heads: duplicate key, twice on line 2 (configs/models/wrong.json:2)\n"
        "  /model/layers: -1 is outside [1, 1000]\n"
        "  /model/heads: 0 is outside [1, 1000] (configs/models/wrong.json:2)\n"
        "  /model/widht: unknown key; did you mean \"width\"? (configs/models/wrong.json:3)\n"
        "  /optimizer/groups/g/geometry: missing; expected one of: alternate, sign, spectral");
}

TEST_F(Presets, AreListedWithTheirDescriptions) {
    write("configs/models/broken.json", "{");
    ::setenv("STEEPEST_CONFIGS", path("configs").c_str(), 1);
    std::map<std::string, PresetInfo> found;
    for (const PresetInfo& info : list_presets("models")) found[info.name] = info;
    ASSERT_TRUE(found.contains("nano") && found.contains("small") && found.contains("broken"));
    EXPECT_EQ(found["small"].description, "");
    EXPECT_EQ(found["small"].path, path("configs/models/small.json"));
    EXPECT_TRUE(found["broken"].description.starts_with("cannot be read: ")) << found["broken"].description;
    EXPECT_TRUE(list_presets("no such folder").empty());
}

TEST(PresetTableTest, IsCollectedFromTheStructs) {
    EXPECT_EQ(preset_table<RunConfig>(), (PresetTable{{"/model", "models"}, {"/optimizer", "optimizers"}}));
    EXPECT_EQ(preset_folder({{"/groups/*/part", "parts"}}, "/groups/a~1b/part"), "parts");
    EXPECT_EQ(preset_folder({{"/groups/*/part", "parts"}}, "/groups/part"), "");
    EXPECT_EQ(preset_folder({{"", "sweeps"}}, ""), "sweeps");
    EXPECT_EQ(preset_folder({}, ""), "experiments");
}

TEST(Suggest, CountsEditsAndSwaps) {
    EXPECT_EQ(edit_distance("", "abc"), 3);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
    EXPECT_EQ(edit_distance("sprectal", "spectral"), 2);
    EXPECT_EQ(edit_distance("haeds", "heads"), 1);
    const std::vector<std::string> names{"heads", "layers"};
    EXPECT_EQ(did_you_mean("haeds", names), "; did you mean \"heads\"?");
    EXPECT_EQ(did_you_mean("zzz", names), "");
}

// Whatever is done to a config, it is read or it is refused with a report; nothing else is thrown, nothing crashes.
TEST(ConfigFuzz, MutationsAreReadOrRefused) {
    const std::vector<std::string> pieces{
        "{",    "}",      "[",          "]",      ",",     ":",      "\"",   "null", "true",
        "-1",   "1e308",  "1e999",      "\"a\"",  "\\u00", "\xff",   "//",   "/*",   "\n",
        "type", "groups", "\"base\": ", "\"\": ", "0",     "sprect", "\x01", "{}",   "[]"};
    const Random random(7, "config fuzz");
    int good = 0, refused = 0;
    std::uint64_t i = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string text = kGood;
        for (auto changes = 1 + random.below(3, i++); changes > 0; --changes) {
            const std::size_t at = random.below(text.size(), i++);
            const std::size_t length = random.below(6, i++);
            const std::string& piece = pieces[random.below(pieces.size(), i++)];
            switch (random.below(3, i++)) {
                case 0:
                    text.replace(at, length, piece);
                    break;
                case 1:
                    text.erase(at, length);
                    break;
                default:
                    text.insert(at, text.substr(random.below(text.size(), i++), 5 * length));
                    break;
            }
            if (text.empty()) text = "{}";
        }
        try {
            const RunConfig run =
                read_config<RunConfig>(parse_config(text, "fuzz.json", {}, preset_table<RunConfig>()));
            ASSERT_EQ(write_config(read_config<RunConfig>(write_config(run), "again")), write_config(run)) << text;
            ++good;
        } catch (const InputError&) {
            ++refused;
        }
    }
    EXPECT_GT(good, 200);
    EXPECT_GT(refused, 2000);
}

// The same on the tree, where most mutations stay JSON: values of other types, keys moved and renamed.
TEST(ConfigFuzz, ValuesOfOtherTypesAreReadOrRefused) {
    const std::vector<Json> values{nullptr,
                                   true,
                                   -1,
                                   0,
                                   18446744073709551615u,
                                   1e300,
                                   0.5,
                                   "",
                                   "sign",
                                   "nano",
                                   Json::array(),
                                   Json::object(),
                                   Json{{"type", "sign"}},
                                   Json{{"base", 3}},
                                   Json{{"type", 1}}};
    const Json good = Json::parse(kGood);
    const Json flat = good.flatten();
    const Random random(8, "config fuzz values");
    std::uint64_t i = 0;
    for (int round = 0; round < 20000; ++round) {
        Json json = good;
        auto pointer = Json::json_pointer(std::next(flat.begin(), random.below(flat.size(), i++)).key());
        for (auto up = random.below(4, i++); up > 0 && !pointer.empty(); --up) pointer = pointer.parent_pointer();
        json[pointer] = values[random.below(values.size(), i++)];
        const std::vector<std::string> sets{(pointer / "x").to_string() + "=" +
                                            values[random.below(values.size(), i++)].dump()};
        try {
            read_config<RunConfig>(parse_config(json.dump(), "fuzz.json", sets, preset_table<RunConfig>()));
        } catch (const InputError&) {
        }
    }
}

}  // namespace

}  // namespace steepest::config_test
