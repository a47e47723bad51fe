#include "optim/geometry/newton_schulz_sets.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>

namespace steepest {
namespace {

using Coefficients = std::vector<std::array<double, 3>>;

struct Entry {
    std::string_view name;
    Coefficients list;
    int default_steps;
    float norm_factor = 1, epsilon = 1e-7f;
    // a / safety, b / safety^3, c / safety^5 on all but the last of the list: the same polynomial of s / safety, which
    // keeps values that rounding left above 1 from being thrown out.
    double safety = 1;
};

const std::vector<Entry>& entries() {
    static const std::vector<Entry> table = {
        // github.com/KellerJordan/Muon, muon.py.
        {"keller", {{3.4445, -4.7750, 2.0315}}, 5},
        // p(1) = 1, p'(1) = p''(1) = 0: Bernstein, Newhouse 2024, arXiv:2409.20325; Kovarik 1970.
        {"taylor", {{15.0 / 8, -5.0 / 4, 3.0 / 8}}, 12},
        // p(1) = 1, p'(1) = 0: Schulz 1933; Higham, "Functions of Matrices", 2008, eq. 8.20.
        {"cubic", {{1.5, -0.5, 0}}, 15},
        // github.com/KellerJordan/modded-nanogpt, train_gpt_simple.py.
        {"simple", {{2, -1.5, 0.5}}, 12},
        // github.com/microsoft/dion, newton_schulz_triton.py; found by J. You.
        {"dion",
         {{4.0848, -6.8946, 2.9270},
          {3.9505, -6.3029, 2.6377},
          {3.7418, -5.5913, 2.3037},
          {2.8769, -3.1427, 1.2046},
          {2.8366, -3.0525, 1.2012}},
         5},
        // J. You's six-step list, in multiples of 1/1024.
        {"jiacheng",
         {{3955 / 1024.0, -8306 / 1024.0, 5008 / 1024.0},
          {3735 / 1024.0, -6681 / 1024.0, 3463 / 1024.0},
          {3799 / 1024.0, -6499 / 1024.0, 3211 / 1024.0},
          {4019 / 1024.0, -6385 / 1024.0, 2906 / 1024.0},
          {2677 / 1024.0, -3029 / 1024.0, 1162 / 1024.0},
          {2172 / 1024.0, -1833 / 1024.0, 682 / 1024.0}},
         6},
        // github.com/KellerJordan/modded-nanogpt, train_gpt.py, after Amsel et al. 2025, arXiv:2505.16932; the safety
        // factor is in the numbers already.
        {"polar_express",
         {{8.156554524902461, -22.48329292557795, 15.878769915207462},
          {4.042929935166739, -2.808917465908714, 0.5000178451051316},
          {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
          {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
          {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}},
         5,
         1.02f,
         1e-6f},
        // Amsel et al. 2025, arXiv:2505.16932, for singular values from 1e-3; list and safety factor as in the authors'
        // GPT-opt, branch polar.
        {"polar_express_paper",
         {{8.28721201814563, -23.595886519098837, 17.300387312530933},
          {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
          {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
          {3.3184196573706015, -2.488488024314874, 0.51004894012372},
          {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
          {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
          {1.8750014808534479, -1.2500016453999487, 0.3750001645474248},
          {1.875, -1.25, 0.375}},
         6,
         1,
         1e-7f,
         1.01},
    };
    return table;
}

const Entry& find(std::string_view name) {
    std::string known;
    for (const Entry& e : entries()) {
        if (e.name == name) return e;
        known += (known.empty() ? "" : ", ") + std::string(e.name);
    }
    throw InputError("no Newton-Schulz coefficients are called \"" + std::string(name) + "\"; there are " + known);
}

}  // namespace

NewtonSchulzForm NewtonSchulzSet::form(DType compute) const {
    const bool repeated = std::ranges::adjacent_find(coefficients, std::ranges::not_equal_to()) == coefficients.end();
    return compute == DType::f32 || repeated ? NewtonSchulzForm::gram : NewtonSchulzForm::x;
}

NewtonSchulzSet newton_schulz_set(std::string_view name, int steps) {
    const Entry& e = find(name);
    if (steps < 1) throw InputError("Newton-Schulz needs at least 1 step, not " + std::to_string(steps));
    NewtonSchulzSet set{.coefficients = {}, .norm_factor = e.norm_factor, .epsilon = e.epsilon};
    for (std::size_t k = 0; k < static_cast<std::size_t>(steps); ++k) {
        const bool last = k + 1 >= e.list.size();
        auto [a, b, c] = last ? e.list.back() : e.list[k];
        if (!last) a /= e.safety, b /= std::pow(e.safety, 3), c /= std::pow(e.safety, 5);
        set.coefficients.push_back({a, b, c});
    }
    return set;
}

std::vector<std::string> newton_schulz_names() {
    std::vector<std::string> names;
    for (const Entry& e : entries()) names.emplace_back(e.name);
    return names;
}

int newton_schulz_default_steps(std::string_view name) { return find(name).default_steps; }

}  // namespace steepest
