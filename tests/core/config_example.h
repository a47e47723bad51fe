#pragma once
// The config that the tests of src/core read: every kind of field, two plugins, rules between fields.
#include "core/config.h"
#include "core/registry.h"
#include "tests/temporary_folder.h"

namespace steepest::config_test {

struct Geometry {
    virtual ~Geometry() = default;
    virtual int cost() const = 0;
};

struct ModelConfig {
    std::string description;
    int layers = 12, heads = 12, width = 768, vocab = 50257;

    void fields(auto& f) {
        f("description", description, "what this size is for");
        f("layers", layers, "transformer blocks, L", Range<int>{1, 1000});
        f("heads", heads, "attention heads", Range<int>{1, 1000});
        f("width", width, "model width, C", Range<int>{1, 1 << 20});
        f("vocab", vocab, "token ids, V", Range<int>{2, 65536});
    }
};

struct Precision {
    std::string compute = "fp32";
    void fields(auto& f) { f("compute", compute, "of matmuls", OneOf{"fp32", "tf32", "bf16"}); }
};

struct GroupConfig {
    float learning_rate = 0.001f;
    std::vector<float> betas = {0.9f, 0.95f};
    std::optional<float> clip;
    PluginConfig<Geometry> geometry;

    void fields(auto& f) {
        f("learning_rate", learning_rate, "at the schedule's peak",
          Range<float>{.low = 0, .high = 10, .open_low = true});
        f("betas", betas, "of the two averages", Range<float>{.low = 0, .high = 1, .open_high = true});
        f("clip", clip, "largest norm; null for none", Range<float>{.low = 0});
        f("geometry", geometry, "the norm");
    }
    void check(auto&& error) const {
        if (betas.size() != 2) error("/betas", "needs two numbers, has " + std::to_string(betas.size()));
    }
};

struct OptimizerConfig {
    std::string description;
    float lr_scale = 1;
    std::map<std::string, GroupConfig> groups;

    void fields(auto& f) {
        f("description", description, "what this is, in a line");
        f("lr_scale", lr_scale, "multiplies every learning rate");
        f("groups", groups, "by name", Required{});
    }
};

struct RunConfig {
    ModelConfig model;
    OptimizerConfig optimizer;
    Precision precision;
    PluginConfig<Geometry> probe = "spectral";
    std::string name;
    std::vector<std::string> files;
    std::int64_t tokens = 1000;
    std::uint64_t seed = 1;
    double decay = 0.1;
    bool resume = false;

    void fields(auto& f) {
        f("model", model, "the network", Preset{"models"});
        f("optimizer", optimizer, "how it learns", Preset{"optimizers"});
        f("precision", precision, "number formats");
        f("probe", probe, "a plugin with a default");
        f("name", name, "of the run");
        f("files", files, "token shards");
        f("tokens", tokens, "to train on", Range<std::int64_t>{.low = 1});
        f("seed", seed, "of all random numbers");
        f("decay", decay, "of weights");
        f("resume", resume, "go on from the last checkpoint");
    }
    void check(auto&& error) const {
        if (model.width % model.heads)
            error("/model/heads",
                  std::to_string(model.heads) + " does not divide width " + std::to_string(model.width));
    }
};

// A config with no mistake, that other tests change.
inline const std::string kGood = R"({
    "model": {"layers": 2, "heads": 4, "width": 64},
    "optimizer": {"groups": {
        "matrices": {"learning_rate": 0.02, "geometry": {"type": "spectral", "steps": 3}},
        "rest": {"learning_rate": 3e-4, "betas": [0.9, 0.99], "clip": 1, "geometry": "sign"}
    }},
    "files": ["a", "b"], "seed": 18446744073709551615, "tokens": 1e9
})";

using steepest::testing::message_of;

inline std::string mistakes_in(const std::string& text) {
    return message_of<InputError>([&] { read_config<RunConfig>(parse_config(text, "bad.json", {}, {})); });
}

}  // namespace steepest::config_test
