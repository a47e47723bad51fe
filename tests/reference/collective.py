"""Rules that couple parameters, in double, beside those of one parameter in optimizers.py."""

import numpy as np

from optimizers import *


class NormalizedSgd:
    """Cutkosky, Mehta 2020, algorithm 1: one momentum and one norm for all parameters together."""

    def __init__(self, eta, beta):
        self.eta, self.beta, self.m = eta, beta, {}

    def step(self, w, s):
        for name, g in s.g.items():
            self.m[name] = self.beta * self.m.get(name, 0) + (1 - self.beta) * g
        norm = np.sqrt(sum(np.sum(m * m) for m in self.m.values()))
        for name, m in self.m.items():
            w[name] = w[name] - self.eta * m / norm

    def evaluated(self, w):
        return w

    def sure(self, name):
        return None


def first_average(beta, old, new):
    """An average that starts at the first value."""
    return new if old is None else beta * old + (1 - beta) * new


class MuonMax:
    """github.com/modichirag/GPT-opt, branch michael: steps of polar factors O_l, with n_l = <M_l, O_l>, whose length is
    lam times the sum A of all n_l (MuonMax: steepest descent where the norm of all is the largest spectral norm); Adam
    without bias correction on the rest.

    momo: lr is cut to (fbar - F* + <M, W>) / d2, d2 = lam A^2 + sum of m^2 / (epsilon + sqrt(v))."""

    def __init__(self, lr, beta, rest, lam, momo=False):
        self.lr, self.beta, self.rest, self.lam, self.momo = lr, beta, rest, lam, momo
        self.m, self.v, self.fbar = {}, {}, None

    def step(self, w, s):
        for name, g in s.g.items():
            self.m[name] = first_average(self.beta, self.m.get(name), g)
        matrices = [name for name in s.g if name not in self.rest]
        polar = {name: newton_schulz(self.m[name]) for name in matrices}
        n = {name: np.sum(self.m[name] * polar[name]) for name in matrices}
        A = sum(n.values())
        step = {name: self.lam * A * polar[name] for name in matrices}
        for name in self.rest:
            self.v[name] = first_average(self.beta, self.v.get(name), s.g[name] ** 2)
            step[name] = self.m[name] / (1e-8 + np.sqrt(self.v[name]))
        tau = self.lr
        if self.momo:
            inner = lambda a: sum(np.sum(a[name] * w[name]) for name in w)
            self.fbar = first_average(self.beta, self.fbar, s.loss - inner(s.g))
            d2 = self.lam * A**2 + sum(np.sum(self.m[name] * step[name]) for name in self.rest)
            tau = min(self.lr, max(0, self.fbar + inner(self.m)) / d2)
        for name in w:
            w[name] = w[name] - tau * step[name]

    def evaluated(self, w):
        return w

    def sure(self, name):
        return None


class Momo:
    """Schaipp et al. 2024, github.com/fabian-sp/MoMo: averages of f, <g, w> and g, from their first values."""

    def __init__(self, lr, beta, floor=0.0):
        self.lr, self.beta, self.floor = lr, beta, floor
        self.m, self.fbar, self.gamma = {}, None, None

    def step(self, w, s):
        self.fbar = first_average(self.beta, self.fbar, s.loss)
        self.gamma = first_average(self.beta, self.gamma, sum(np.sum(s.g[k] * w[k]) for k in w))
        for k in w:
            self.m[k] = first_average(self.beta, self.m.get(k), s.g[k])
        mw, mm = sum(np.sum(self.m[k] * w[k]) for k in w), sum(np.sum(self.m[k] ** 2) for k in w)
        eta = min(self.lr, max(0, self.fbar + mw - self.gamma - self.floor) / mm)
        for k in w:
            w[k] = w[k] - eta * self.m[k]

    def evaluated(self, w):
        return w

    def sure(self, name):
        return None


class ClippedScion:
    """Pethick et al. 2025, arXiv:2506.01913: W += gamma min(rho, -<d, v>) v, with v = -D the LMO of all layers."""

    def __init__(self, gamma, rho, layers, a=0.1):
        self.gamma, self.rho, self.a, self.d = gamma, rho, a, {}
        self.layers = layers  # name -> (radius, norm)
        self.rules = {name: Rule(gamma) for name in layers}

    def step(self, w, s):
        v = {}
        for name, (radius, norm) in self.layers.items():
            self.d[name] = (1 - self.a) * self.d.get(name, 0) + self.a * s.g[name]
            v[name] = -radius * norm(self.rules[name], self.d[name])
        eta = min(self.rho, -sum(np.sum(self.d[name] * v[name]) for name in v))
        for name in v:
            w[name] = w[name] + self.gamma * eta * v[name]

    def evaluated(self, w):
        return w

    def sure(self, name):
        return self.rules[name].sure
