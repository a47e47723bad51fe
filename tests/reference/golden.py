#!/usr/bin/env python3
"""Writes what every preset of configs/optimizers must make of 20 steps, from the rules in optimizers.py:

    golden.py FOLDER        one file a preset; tests/optim/test_presets.cpp reads them

A file holds doubles: all weights (averages, where those are evaluated) after 5 steps, all after 20, then where they can be compared (1 or 0) after 5 steps in
bf16, and after 20 in f32. The numbers of a preset are written down here once more, from the papers: the presets are
what is tested."""

import pathlib
import sys

import numpy as np

import philox
from collective import *
from matrix_rules import *
from optimizers import *
from oracle_rules import *

SHAPES = {"wide": (48, 96), "tall": (96, 24), "square": (64, 64), "bias": (33,), "embedding": (128, 16)}
ROLES = {"wide": "matrix", "tall": "matrix", "square": "matrix", "bias": "bias", "embedding": "embedding"}
STEPS, FEW = 20, 5


def normal(purpose, shape, size):
    return (size * philox.Random(1, "golden/" + purpose).normal(np.prod(shape))).reshape(shape)


def stored(x):
    """As it is in the memory of the device."""
    return x.astype(np.float32).astype(np.float64)


class Step:
    """The gradients of step t, which the tests feed to the optimizer too. Norms are 0.2 to 1.5, so that clips to 1 are
    met from both sides."""

    def __init__(self, t):
        self.t, self.g, self.others = t, {}, {}
        scale, other_scale = (0.5 if t % 4 == 0 else 1), (0 if t == 1 else 1 if t % 3 else np.float64(np.float32(0.8)))
        size = 0.01 * (0.6 + 0.3 * (t % 5))
        self.loss = float(np.float32(3 - 0.1 * t + 0.2 * (t % 3)))
        for name, shape in SHAPES.items():
            g, h = normal(f"{name}/{t}", shape, size), normal(f"{name}/{t}/other", shape, size)
            self.g[name], self.others[name] = scale * stored(g), other_scale * stored(0.9 * g + 0.3 * h)


class Each:
    """A rule for each parameter, by its role."""

    def __init__(self, **rules):
        self.rules = {name: (rules.get(role) or rules["rest"])() for name, role in ROLES.items()}

    def step(self, w, s):
        for name, rule in self.rules.items():
            s.other = s.others[name]
            s.place = [n for n in ROLES if ROLES[n] == ROLES[name]].index(name)  # in its group
            w[name] = rule.step(w[name], s.g[name], s)

    def evaluated(self, w):
        return {name: rule.evaluated(w[name]) for name, rule in self.rules.items()}

    def sure(self, name):
        return self.rules[name].sure


def everywhere(rule, *numbers, **more):
    return lambda: Each(rest=lambda: rule(*numbers, **more))


def on_matrices(rule, *numbers, rest, **more):
    """AdamW, with the numbers `rest`, on all others."""
    return lambda: Each(matrix=lambda: rule(*numbers, **more), rest=lambda: AdamW(*rest))


SCION = {"matrix": (50, spectral_norm), "embedding": (3000, sign_norm), "bias": (1, rms_norm)}


def scion(constrained):
    rule = lambda role: lambda: Scion(3.6e-4, *SCION[role], 0.1, constrained)
    return lambda: Each(**{role: rule(role) for role in SCION})


def gluon_mvr():
    """STORM, then each layer's own LMO."""

    def rule(role):
        radius, norm = SCION[role]

        def make():
            storm = Storm(3.6e-4, 0, 0.1, lambda m: radius * norm(storm, m))
            return storm

        return make

    return Each(**{role: rule(role) for role in SCION})


def sign_of_storm():
    storm = Storm(1e-4, 0.1, 0.1, lambda m: storm.sign(m, 20 * ROUNDINGS))
    return storm


def clipped_sgd(eta, mu):
    return lambda: Each(matrix=lambda: ClippedSgd(eta, 0.1, mu, 0.1), rest=lambda: Sgd(eta, 0.1, mu))


def muon_symmetric(embedding):
    return lambda: Each(matrix=lambda: Muon(0.02), embedding=embedding, bias=lambda: AdamW(*MUON_REST))


MUON_REST = (3e-4, 0, 0.9, 0.95, 1e-10)  # github.com/KellerJordan/Muon
MVR_REST = (3e-3, 0, 0.95, 0.99, 1e-8)  # github.com/MaeChd/muon-eq
MARS_REST = (3e-3, 0, 0.9, 0.95, 1e-8)  # github.com/AGI-Arena/MARS
LION_REST = (1e-3, 0.1, 0.8, 0.999, 1e-8)  # github.com/brain-lab-research/lion-muon

PRESETS = {
    "sgd": everywhere(Sgd, 0.1, 0.1),
    "sgd-momentum": everywhere(Sgd, 0.01, 0.1, 0.9),
    "sgd-nesterov": everywhere(Sgd, 0.01, 0.1, 0.9, True),
    "normalized-sgd": lambda: NormalizedSgd(0.5, 0.9),
    "signsgd": everywhere(Signum, 1e-4, 0.1),
    "signum": everywhere(Signum, 1e-4, 0.1, 0.9),
    "lion": everywhere(Lion, 5e-5, 0.1, 0.9, 0.99),
    "adamw": lambda: Each(rest=lambda: AdamW(6e-4, 0.1), bias=lambda: AdamW(6e-4)),
    "muon": on_matrices(Muon, 0.02, rest=MUON_REST),
    "muon-moonlight": on_matrices(MoonlightMuon, 1e-3, 0.1, 0.95, rest=(1e-3, 0.1)),
    "muon-mvr1": on_matrices(MuonMvr, 3e-3, 0, 0.95, 0.025, "last", rest=MVR_REST),
    "muon-mvr2": on_matrices(MuonMvr, 3e-3, 0, 0.95, 0.025, "weights", rest=MVR_REST),
    "muon-mvr3": on_matrices(MuonMvr, 3e-3, 0, 0.95, 0.025, "batch", rest=MVR_REST),
    "muon-ema": on_matrices(Muon, 1e-3, 0.1, 0.9, False, adam_scale, rest=LION_REST),
    "muon-simplified": on_matrices(Muon, 0.02, 0, 0, False, keller_scale, POLAR_EXPRESS, rest=MUON_REST),
    "muon-all": lambda: Each(rest=lambda: MoonlightMuon(1e-3, 0.1, 0.95), bias=lambda: DiagonalMuon(1e-3, 0.95)),
    "scion": scion(True),
    "scion-unconstrained": scion(False),
    "scion-clipped": lambda: ClippedScion(3.6e-4, 1, {name: SCION[role] for name, role in ROLES.items()}),
    "gluon": scion(False),
    "gluon-mvr1": gluon_mvr,
    "mars-adamw": lambda: Each(rest=lambda: MarsAdamW(6e-3, 0.1, 0.95, 0.99, 1e-8, 0.025),
                               bias=lambda: AdamW(*MARS_REST)),
    "mars-m": on_matrices(MuonMvr, 6e-3, 0.1, 0.95, 0.025, "last", rest=MARS_REST),
    "mars-m-exact": on_matrices(MuonMvr, 6e-3, 0.1, 0.95, 0.025, "weights", rest=MARS_REST),
    "limuon": on_matrices(Storm, 0.02, 0, 0.05, newton_schulz, keller_scale, rest=MUON_REST),
    "storm": everywhere(Storm, 0.1, 0.1, 0.1),
    "storm-signsgd": lambda: Each(rest=sign_of_storm),
    "rmnp": on_matrices(Rmnp, 1e-3, 0.1, 0.95, lambda w: 0.2 * w.shape[1] ** 0.5, rest=(1e-3, 0.1)),
    "normuon": on_matrices(NorMuon, 0.02, rest=MUON_REST),
    "muon-eq-row": on_matrices(MuonEq, 2e-3, 0.1, 0.95, ("rows",), rest=(2e-3, 0.1, 0.95, 0.95)),
    "muon-eq-column": on_matrices(MuonEq, 2e-3, 0.1, 0.95, ("columns",), rest=(2e-3, 0.1, 0.95, 0.95)),
    "muon-eq-both": on_matrices(MuonEq, 2e-3, 0.1, 0.95, ("rows", "columns"), rest=(2e-3, 0.1, 0.95, 0.95)),
    "signmuon": on_matrices(SignMuon, 1e-4, 0.1, 0.9, rest=LION_REST),
    "lionmuon": on_matrices(LionMuon, 1e-3, 5e-5, 0.1, 0.9, 0.99, 2, rest=LION_REST),
    "sf-adamw": lambda: Each(rest=lambda: ScheduleFreeAdamW(0.0025, 0.1), bias=lambda: ScheduleFreeAdamW(0.0025)),
    "sf-normuon": lambda: Each(matrix=lambda: ScheduleFreeNorMuon(0.008, 0.05, 0.9, 0.8, 0.95),
                               rest=lambda: ScheduleFreeAdamW(0.008, 0, 0.9, 0.95)),
    "amuse": lambda: Each(matrix=lambda: Amuse(1e-3, 0.95, 0.9, 1, 10), rest=lambda: ScheduleFreeAdamW(1e-3, 0, 0.9, 0.95)),
    "polargrad": on_matrices(PolarGrad, 0.01, 0.95, rest=MUON_REST),
    "muonmax": lambda: MuonMax(1e-3, 0.95, ("bias", "embedding"), 10.0),
    "muonmax-momo": lambda: MuonMax(1e-2, 0.95, ("bias", "embedding"), 10.0, True),
    "momo": lambda: Momo(1, 0.9),
    # With sketches of rank 10: at the presets' own, all shapes here would be whole.
    "low-rank-muon": on_matrices(SketchedMuon, 0.025, 0.01, 0.95, 10, 0, KELLER * 5, rest=MUON_REST),
    "low-rank-msgd": on_matrices(SketchedMuon, 0.025, 0.01, 0, 10, 0, KELLER * 5, rest=MUON_REST),
    "sketched-muon": on_matrices(SketchedMuon, 0.0325, 0, 0.9665, 20, 1, TAYLOR * 7, rest=MUON_REST),
    "limuon-low-rank": on_matrices(LowRankStorm, 0.02, 0, 0.05, newton_schulz, keller_scale, 10, rest=MUON_REST),
    "lionmuon-stable-rank": on_matrices(StableRankLionMuon, 1e-3, 5e-5, 0.1, 0.9, 0.99, 0.4, rest=LION_REST),
    "ef-muon": on_matrices(EfMuon, 0.1, rest=MUON_REST),
    "htmuon": on_matrices(HtMuon, 0.03, 0.1, 1 / 8, rest=(1e-3, 0, 0.9, 0.95, 1e-10)),
    "spectral-clip-sgd": clipped_sgd(0.1, 0),
    "spectral-clip-sgdm": clipped_sgd(0.01, 0.9),
    "shampoo": on_matrices(Shampoo, 0.02, 1e-6, rest=MUON_REST),
    # Where a side's products have a kernel, any basis of it will do: largest_side 64 leaves those sides alone.
    "soap": lambda: Each(rest=lambda: Soap(3e-3, 0.01, 0.95, 0.95, 1e-8, 10, 64),
                         bias=lambda: AdamW(3e-3, 0.01, 0.95, 0.95)),
    # What the oracle makes of losses and sequences is tests/train/test_oracle_of_losses.cpp's.
    "jaguar-signsgd": lambda: Each(rest=lambda: MaskedSignum(1e-4, 0.9)),
    "jaguar-muon": lambda: Each(rest=lambda: MaskedSignum(1e-3, 0.9, newton_schulz),
                                bias=lambda: MaskedSignum(1e-3, 0.9)),
    "zo-muon": lambda: Each(rest=lambda: Muon(1e-3, 0, 0, False, lambda w: 1), bias=lambda: Sgd(1e-3)),
    "dp-muon": on_matrices(DpMuon, 0.02, 0.95, 5, rest=(1e-3, 0, 0.9, 0.95, 1e-8)),
    "muon-symmetric-rows": muon_symmetric(lambda: NesterovRows(3e-4, 0.95)),
    "muon-symmetric-spectral": muon_symmetric(lambda: Muon(3e-4, scale=adam_scale)),
}


def run(preset):
    reference = PRESETS[preset]()
    w = {name: stored(normal(f"{name}/weights", shape, 0.02)) for name, shape in SHAPES.items()}
    weights, sure = [], []
    for t in range(1, STEPS + 1):
        reference.step(w, Step(t))
        if t in (FEW, STEPS):
            points = reference.evaluated(w)
            weights += [points[name].ravel() for name in SHAPES]
            for name, shape in SHAPES.items():
                clear = reference.sure(name)
                clear = np.ones(shape) if clear is None else clear[1 if t == FEW else 0]
                sure.append(np.broadcast_to(clear, shape).ravel().astype(np.float64))
    return np.concatenate(weights + sure)


def main(folder):
    philox.check()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for preset in PRESETS:
        run(preset).tofile(folder / (preset + ".golden"))


if __name__ == "__main__":
    main(sys.argv[1])
