"""Rules whose gradients come from losses alone or from single sequences, beside those in optimizers.py."""

import numpy as np

from optimizers import *


class MaskedSignum(Rule):
    """arXiv:2506.04430, algorithm 1: m moves where a derivative was taken, and the sign of all of it is the step."""

    def __init__(self, eta, beta, direction=None):
        super().__init__(eta)
        self.beta, self.direction, self.m = beta, direction, 0

    def step(self, w, g, s):
        self.m = np.where(g == 0, self.m, self.beta * self.m + (1 - self.beta) * g)
        return self.apply(w, self.direction(self.m) if self.direction else self.sign(self.m, ROUNDINGS))


class DpMuon(Rule):
    """arXiv:2605.12994 behind its noise: heavy-ball buffer, over the larger of 1 and its norm, q polynomials."""

    def __init__(self, eta, mu, q):
        super().__init__(eta)
        self.mu, self.q, self.buf = mu, q, 0

    def step(self, w, g, s):
        self.buf = self.mu * self.buf + g
        y = self.buf / max(1, np.linalg.norm(self.buf))
        y = y.T if y.shape[0] > y.shape[1] else y
        for _ in range(self.q):
            residual = np.eye(len(y)) - y @ y.T
            y = (np.eye(len(y)) + residual / 2 + 3 / 8 * residual @ residual) @ y
        return self.apply(w, y if y.shape == w.shape else y.T)
