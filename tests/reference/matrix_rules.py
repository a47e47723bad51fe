"""Rules that take functions of matrices, or look at them through random subspaces, beside those in optimizers.py. Functions
are by numpy's decompositions, random numbers by philox.py."""

import numpy as np

import philox
from optimizers import *


class HtMuon(Muon):
    """arXiv:2603.10067, github.com/TDCSZ327/HTmuon: U S^p V^T, by a singular value decomposition."""

    def __init__(self, eta, decay, p):
        super().__init__(eta, decay)
        self.p = p

    def orthogonalize(self, u):
        left, s, right = np.linalg.svd(u, full_matrices=False)
        return left * s**self.p @ right


class ClippedSgd(Sgd):
    """arXiv:2605.11838: singular values of the gradient up to tau, then SGD."""

    def __init__(self, eta, decay, mu, tau):
        super().__init__(eta, decay, mu)
        self.tau = tau

    def step(self, w, g, s):
        left, values, right = np.linalg.svd(g, full_matrices=False)
        return super().step(w, left * np.minimum(values, self.tau) @ right, s)


class Shampoo(Rule):
    """Gupta, Koren, Singer 2018, algorithm 1, from L = R = 0, with epsilon ||L||_F I in each root."""

    def __init__(self, eta, epsilon):
        super().__init__(eta)
        self.epsilon, self.left, self.right = epsilon, 0, 0

    def inverse_fourth_root(self, x):
        values, vectors = np.linalg.eigh(x)
        values = np.maximum(values, 0) + self.epsilon * np.linalg.norm(x)
        return vectors * values**-0.25 @ vectors.T

    def step(self, w, g, s):
        self.left, self.right = self.left + g @ g.T, self.right + g.T @ g
        return self.apply(w, self.inverse_fourth_root(self.left) @ g @ self.inverse_fourth_root(self.right))


class Soap(AdamW):
    """Vyas et al. 2024, algorithm 3, and soap.py of github.com/nikhilvyas/SOAP where that says more: no step at first,
    bases by eigh and then by QR of a power iteration over sorted columns, after the step. M in the parameters' own
    basis; a side longer than `largest` has no basis. Decay and epsilon as AdamW's, in every step."""

    def __init__(self, eta, decay, b1, b2, epsilon, every, largest):
        super().__init__(eta, decay, b1, b2, epsilon)
        self.every, self.largest, self.bases = every, largest, None

    def project(self, x, bases):
        for axis, q in enumerate(bases):
            if q is not None:
                x = q.T @ x if axis == 0 else x @ q
        return x

    def project_back(self, x):
        return self.project(x, [None if q is None else q.T for q in self.bases])

    def average_products(self, g):
        products = [g @ g.T, g.T @ g]
        self.products = [self.b2 * old + (1 - self.b2) * new for old, new in zip(self.products, products)]

    def step(self, w, g, s):
        if self.bases is None:
            self.products = [0, 0]
            self.average_products(g)
            self.bases = [np.linalg.eigh(p)[1][:, ::-1] if len(p) <= self.largest else None for p in self.products]
            return self.apply(w, 0)
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * self.project(g, self.bases) ** 2
        m_hat, v_hat = self.m / (1 - self.b1**self.t), self.v / (1 - self.b2**self.t)
        w = self.apply(w, self.project_back(self.project(m_hat, self.bases) / (np.sqrt(v_hat) + self.epsilon)))
        self.average_products(g)
        if self.t % self.every == 0:
            self.refresh()
        return w

    def refresh(self):
        for axis, (p, q) in enumerate(zip(self.products, self.bases)):
            if q is None:
                continue
            order = np.argsort(-np.diag(q.T @ p @ q), kind="stable")
            self.v = np.take(self.v, order, axis)
            self.bases[axis] = np.linalg.qr(p @ q[:, order])[0]


def orthonormal_sketch(m, width, power_iterations, stage, s):
    """Of a tall matrix: Y = M Omega, power iterations Y = M M^T Y, Q of Y = Q R. Omega's transpose is drawn row by row."""
    random = philox.Random(1, f"matrices/{stage}", s.t)
    y = m @ random.normal(width * m.shape[1], s.place << 33).reshape(width, m.shape[1]).T
    for _ in range(power_iterations):
        y = m @ (m.T @ y)
    return np.linalg.qr(y)[0]


class SketchedMuon(Muon):
    """github.com/Xiaoran-Cheng/muon-randomized-svd: O = Q NS(Q^T M), of a wide matrix all that of its transpose. Without
    power iterations arXiv:2509.11983's Gaussian sketch."""

    def __init__(self, eta, decay, beta, width, power_iterations, coefficients):
        super().__init__(eta, decay, beta, coefficients=coefficients)
        self.width, self.power_iterations = width, power_iterations

    def step(self, w, g, s):
        m = self.estimate(g)
        m = m if m.shape[0] > m.shape[1] else m.T
        q = orthonormal_sketch(m, self.width, self.power_iterations, "geometry/sketch", s)
        o = q @ newton_schulz(q.T @ m, self.coefficients)
        return self.apply(w, self.scale(w) * (o if w.shape[0] > w.shape[1] else o.T))


class LowRankStorm(Storm):
    """arXiv:2509.14562, option 2: of M only Q Q^T M is kept (Q^T on the longer side), from M = 0."""

    def __init__(self, eta, decay, a, direction, scale, width):
        super().__init__(eta, decay, a, direction, scale)
        self.m, self.width = 0, width

    def step(self, w, g, s):
        w = super().step(w, g, s)
        tall = self.m.shape[0] > self.m.shape[1]
        m = self.m if tall else self.m.T
        q = orthonormal_sketch(m, self.width, 0, "estimator/sketch", s)
        kept = q @ (q.T @ m)
        self.m = kept if tall else kept.T
        return w


class StableRankLionMuon(Rule):
    """lion_muon.py of arXiv:2605.19811 with its trigger: a Muon step where the stable rank, by three power iterations, is
    at most a share of the shorter side, a Lion step elsewhere."""

    def __init__(self, eta_muon, eta_lion, decay, b1, b2, share):
        super().__init__(eta_lion, decay)
        self.gain, self.b1, self.b2, self.share, self.m = eta_muon / eta_lion, b1, b2, share, 0

    def step(self, w, g, s):
        c = self.b1 * self.m + (1 - self.b1) * g
        self.m = self.b2 * self.m + (1 - self.b2) * g
        v = philox.Random(1, "matrices/geometry/power", s.t).normal(c.shape[1], s.place << 33)
        for _ in range(3):
            v = c.T @ (c @ (v / np.linalg.norm(v)))
        largest = np.linalg.norm(c @ (v / np.linalg.norm(v)))
        if np.sum(c * c) / largest**2 <= self.share * min(c.shape):
            return self.apply(w, self.gain * adam_scale(w) * newton_schulz(c))
        return self.apply(w, self.sign(c, ROUNDINGS))


class EfMuon(Rule):
    """Error feedback (Karimireddy et al. 2019, algorithm 1) with polar factors in place of signs, E over eta:
    P = G + E; D = ||P||_* / r polar(P); E = P - D."""

    def __init__(self, eta):
        super().__init__(eta)
        self.error = 0

    def step(self, w, g, s):
        p = g + self.error
        left, values, right = np.linalg.svd(p, full_matrices=False)
        d = np.mean(values) * left @ right
        self.error = p - d
        return self.apply(w, d)
