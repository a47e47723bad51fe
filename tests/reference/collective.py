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

    def sure(self, name):
        return None
