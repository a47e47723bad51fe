#pragma once
// Where a step's gradients come from, for optimizers that are not given those of the whole batch: losses alone, or the
// gradients of single sequences.
#include "core/field.h"

#include <cstdint>
#include <string>

namespace steepest {

// Derivatives along random directions, of losses without a backward pass. All parameters are moved at once.
struct ZerothOrderConfig {
    std::string directions = "blocks";
    double distance = 1e-3, fraction = 0.1;
    int rank = 64, queries = 1;
    std::int64_t every = 100;

    void fields(auto& f) {
        f("directions", directions,
          "blocks: ones where random rows and columns cross, losses on both sides; subspaces: P Psi, P an orthonormal "
          "basis for some steps and Psi normal numbers, losses on one side",
          OneOf{"blocks", "subspaces"});
        f("distance", distance, "of the losses' weights from the weights, in units of the direction",
          Range<double>{.low = 0, .open_low = true});
        f("fraction", fraction, "blocks: the probability of each row and each column", Range<double>{0, 1});
        f("rank", rank, "subspaces: columns of P, at most the rows of a matrix", Range<int>{.low = 1});
        f("queries", queries, "subspaces: directions a step", Range<int>{1, 1024});
        f("every", every, "subspaces: steps with one P", Range<std::int64_t>{.low = 1});
    }
};

// The gradient of each sequence cut to a norm, summed, with noise, over the number of sequences. The noise is that of
// the run's seed and so can be replayed: for research. It protects nobody from those who know the seed.
struct PrivacyConfig {
    double clip = 1, noise = 1;

    void fields(auto& f) {
        f("clip", clip, "Frobenius norm that each parameter's gradient of a sequence is cut to",
          Range<double>{.low = 0, .open_low = true});
        f("noise", noise, "standard deviation of the noise in the sum, in units of clip", Range<double>{.low = 0});
    }
};

}  // namespace steepest
