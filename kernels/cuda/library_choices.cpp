// The algorithms that cuBLASLt proposed, as JSON:
//
//     {"device": "NVIDIA H100 80GB HBM3, sm_90, 79 GiB; runtime 13.0; matmul: cuBLASLt 13.1.0",
//      "products": {"bf16 (4096, 768) x (768, 2304)^T -> bf16, bias, rows 768 768 2304": {"id": 66, "tile": 20, ...}}}
#include "core/library_choices.h"

#include "core/error.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/matmuls.h"

namespace steepest {

namespace {

// The one list of an algorithm's numbers.
void each_number(auto& a, auto&& f) {
    f("id", a.id), f("split_k", a.split_k), f("tile", a.tile), f("stages", a.stages), f("reduction", a.reduction);
    f("swizzle", a.swizzle), f("custom", a.custom), f("inner", a.inner), f("cluster", a.cluster);
}

const Json& member(const Json& json, const char* key, const std::string& where) {
    if (!json.is_object() || !json.contains(key)) throw InputError("library_choices" + where + ": no \"" + key + "\"");
    return json[key];
}

}  // namespace

Json library_choices(Cuda& cuda) {
    Json products = Json::object();
    for (const auto& [product, algorithm] : cuda.matmuls().record()) {
        Json& numbers = products[product] = Json::object();
        each_number(algorithm, [&](const char* key, auto value) { numbers[key] = value; });
    }
    if (products.empty()) return Json::object();
    return {{"device", cuda.identity()}, {"products", products}};
}

std::string restore_library_choices(Cuda& cuda, const Json& choices) {
    if (choices.empty()) return "";
    const Json& device = member(choices, "device", "");
    if (device != cuda.identity()) return "they were made on " + brief(device) + "; this is " + cuda.identity();
    cuda::Matmuls::Records records;
    for (const auto& [product, numbers] : member(choices, "products", "").items()) {
        cuda::MatmulAlgorithm algorithm;
        each_number(algorithm, [&](const char* key, auto& value) {
            const Json& number = member(numbers, key, "/products/" + product);
            if (!number.is_number_integer())
                throw InputError("library_choices/products/" + product + "/" + key +
                                 ": expected a whole number, found " + brief(number));
            value = number.get<std::remove_reference_t<decltype(value)>>();
        });
        records.emplace(product, algorithm);
    }
    cuda.matmuls().restore(records);
    return "";
}

}  // namespace steepest
