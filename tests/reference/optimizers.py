"""The optimizers of configs/optimizers as their papers and first implementations print them, in double, one parameter
at a time. Written from those formulas, not from the stages in src/optim: no gains, lists, gates or shared estimators.

A rule is made for a parameter (`rows`, `cols` of a matrix) and has step(w, g, s) -> w; s is the Step in golden.py, which
has the other gradients. Rules whose direction is a sign say in `sure` where its argument stayed clear of zero: nearer
than rounding the sign is anyone's."""

import numpy as np

KELLER = [(3.4445, -4.7750, 2.0315)]
TAYLOR = [(15 / 8, -5 / 4, 3 / 8)]
POLAR_EXPRESS = [  # Amsel et al. 2025, for singular values from 1e-3, with the authors' safety factor 1.01
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
]
POLAR_EXPRESS = [(a / 1.01, b / 1.01**3, c / 1.01**5) for a, b, c in POLAR_EXPRESS] + [(1.875, -1.25, 0.375)]


def newton_schulz(g, coefficients=KELLER * 5):
    """zeropower_via_newtonschulz5 of github.com/KellerJordan/Muon, without its rounding to bf16."""
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / (np.linalg.norm(x) + 1e-7)
    for a, b, c in coefficients:
        A = x @ x.T
        x = a * x + (b * A + c * A @ A) @ x
    return x.T if g.shape[0] > g.shape[1] else x


def keller_scale(w):
    return max(1, w.shape[0] / w.shape[1]) ** 0.5


def adam_scale(w):
    """Liu et al. 2025, eq. 4: a root mean square of 0.2."""
    return 0.2 * max(w.shape) ** 0.5


class Rule:
    """eta: learning rate; decay: decoupled, by the plain learning rate."""

    sure = None  # where the direction is beyond doubt, in f32 and in bf16

    def __init__(self, eta, decay=0):
        self.eta, self.decay = eta, decay

    def apply(self, w, step, eta=None):
        eta = self.eta if eta is None else eta
        return w - eta * self.decay * w - eta * step

    def evaluated(self, w):
        """What is evaluated and exported in place of the point that gradients are taken at."""
        return w

    def sign(self, x, slack, coarse=None):
        clear = np.stack([(abs(x) > s) | (x == 0) for s in (slack, slack if coarse is None else coarse)])
        self.sure = clear if self.sure is None else self.sure & clear
        return np.sign(x)


# Elements of averages are about 0.01 and rounded a dozen times.
ROUNDINGS = 12 * 2.0**-24 * 0.05


class Sgd(Rule):
    """torch.optim.SGD: buf = mu buf + g (the first is g); nesterov: g + mu buf."""

    def __init__(self, eta, decay=0, mu=0, nesterov=False):
        super().__init__(eta, decay)
        self.mu, self.nesterov, self.buf = mu, nesterov, None

    def step(self, w, g, s):
        self.buf = g if self.buf is None else self.mu * self.buf + g
        return self.apply(w, g + self.mu * self.buf if self.nesterov else self.buf)


class Signum(Rule):
    """Bernstein et al. 2018, algorithms 1 (beta = 0) and 2."""

    def __init__(self, eta, decay=0, beta=0.0, scale=lambda w: 1):
        super().__init__(eta, decay)
        self.beta, self.scale, self.m = beta, scale, 0

    def step(self, w, g, s):
        self.m = self.beta * self.m + (1 - self.beta) * g
        return self.apply(w, self.scale(w) * self.sign(self.m, ROUNDINGS))


class Lion(Rule):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, eta, decay, b1, b2):
        super().__init__(eta, decay)
        self.b1, self.b2, self.m = b1, b2, 0

    def step(self, w, g, s):
        c = self.b1 * self.m + (1 - self.b1) * g
        self.m = self.b2 * self.m + (1 - self.b2) * g
        return w - self.eta * (self.sign(c, ROUNDINGS) + self.decay * w)


class AdamW(Rule):
    """Loshchilov, Hutter 2019, algorithm 2."""

    def __init__(self, eta, decay=0, b1=0.9, b2=0.95, epsilon=1e-8):
        super().__init__(eta, decay)
        self.b1, self.b2, self.epsilon = b1, b2, epsilon
        self.t, self.m, self.v = 0, 0, 0

    def direction(self, g):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g * g
        m_hat, v_hat = self.m / (1 - self.b1**self.t), self.v / (1 - self.b2**self.t)
        return m_hat / (np.sqrt(v_hat) + self.epsilon)

    def step(self, w, g, s):
        return w - self.eta * (self.direction(g) + self.decay * w)


class MarsAdamW(AdamW):
    """Yuan et al. 2024, algorithm 2, with the step before's gradient (the authors' "approximate")."""

    def __init__(self, eta, decay, b1, b2, epsilon, gamma):
        super().__init__(eta, decay, b1, b2, epsilon)
        self.gamma, self.last = gamma, 0

    def step(self, w, g, s):
        c = g + self.gamma * self.b1 / (1 - self.b1) * (g - self.last)
        self.last = g
        return super().step(w, c / max(1, np.linalg.norm(c)), s)


class Muon(Rule):
    """muon_update of github.com/KellerJordan/Muon: lerp, Nesterov by a second lerp."""

    def __init__(self, eta, decay=0, beta=0.95, nesterov=True, scale=keller_scale, coefficients=KELLER * 5):
        super().__init__(eta, decay)
        self.beta, self.nesterov, self.scale, self.coefficients, self.m = beta, nesterov, scale, coefficients, 0

    def estimate(self, g):
        self.m = self.m + (1 - self.beta) * (g - self.m)
        return g + self.beta * (self.m - g) if self.nesterov else self.m

    def orthogonalize(self, u):
        return newton_schulz(u, self.coefficients)

    def step(self, w, g, s):
        return self.apply(w, self.scale(w) * self.orthogonalize(self.estimate(g)))


class MoonlightMuon(Rule):
    """github.com/MoonshotAI/Moonlight: heavy-ball buffer, Nesterov, 0.2 sqrt(max(rows, cols))."""

    def __init__(self, eta, decay, mu):
        super().__init__(eta, decay)
        self.mu, self.buf = mu, 0

    def step(self, w, g, s):
        self.buf = self.mu * self.buf + g
        return self.apply(w, adam_scale(w) * newton_schulz(g + self.mu * self.buf))


class MuonMvr(Rule):
    """MuonMVR of github.com/MaeChd/muon-eq: C, its clip to norm 1, M, NS5(M / (1 - beta)). `source` names what stands
    for the gradient before: "last", the step before's; "weights", this batch's at the weights before; "batch", the
    batch before's at these weights. The latter two are Step.other."""

    def __init__(self, eta, decay, beta, gamma, source, clip=1.0, scale=adam_scale, geometry=newton_schulz):
        super().__init__(eta, decay)
        self.beta, self.gamma, self.source, self.clip = beta, gamma, source, clip
        self.scale, self.geometry = scale, geometry
        self.m, self.last = 0, 0

    def step(self, w, g, s):
        other = self.last if self.source == "last" else s.other
        c = g + self.gamma * self.beta / (1 - self.beta) * (g - other)
        if self.clip:
            c = c / max(1, np.linalg.norm(c) / self.clip)
        self.m = self.beta * self.m + (1 - self.beta) * c
        self.last = g
        return self.apply(w, self.scale(w) * self.geometry(self.m / (1 - self.beta)))


class Storm(Rule):
    """Cutkosky, Orabona 2019: M = G + (1 - a) (M - H), M = G at the first step; then a direction of steepest descent.
    With polar factors this is LiMuon (arXiv:2509.14562), option 1."""

    def __init__(self, eta, decay, a, direction=lambda m: m, scale=lambda w: 1):
        super().__init__(eta, decay)
        self.a, self.direction, self.scale, self.m = a, direction, scale, None

    def step(self, w, g, s):
        self.m = g if self.m is None else g + (1 - self.a) * (self.m - s.other)
        return self.apply(w, self.scale(w) * self.direction(self.m))


class Scion(Rule):
    """Pethick et al. 2025, algorithms 1 and 2, github.com/LIONS-EPFL/scion: d = (1 - a) d + a g; W is (1 - eta) W (or W)
    - eta rho D(d)."""

    def __init__(self, eta, rho, norm, a=0.1, constrained=True):
        super().__init__(eta, 1 if constrained else 0)
        self.rho, self.norm, self.a, self.d = rho, norm, a, 0

    def step(self, w, g, s):
        self.d = (1 - self.a) * self.d + self.a * g
        return self.apply(w, self.rho * self.norm(self, self.d))


def spectral_norm(rule, d):
    return (d.shape[0] / d.shape[1]) ** 0.5 * newton_schulz(d)


def sign_norm(rule, d):
    return rule.sign(d, ROUNDINGS) / d.shape[1]


def rms_norm(rule, d):
    return d / np.sqrt(np.mean(d * d))


def unit_columns_or_rows(d, axis):
    return d / np.sqrt(np.sum(d * d, axis=axis, keepdims=True))


class SignMuon(Rule):
    """arXiv:2605.16311, one worker: the sign of the polar factor of an average."""

    def __init__(self, eta, decay, beta):
        super().__init__(eta, decay)
        self.beta, self.m = beta, 0

    def step(self, w, g, s):
        self.m = self.beta * self.m + (1 - self.beta) * g
        o = newton_schulz(self.m)
        size = np.sqrt(np.mean(o * o))
        # Newton-Schulz is 1e-5 off in f32, 2e-2 in bf16.
        return self.apply(w, self.sign(o, 1e-4 * size, 0.1 * size))


class LionMuon(Rule):
    """lion_muon.py of arXiv:2605.19811: a Muon step where P divides the step's number, a Lion step elsewhere."""

    def __init__(self, eta_muon, eta_lion, decay, b1, b2, period):
        super().__init__(eta_muon, decay)
        self.eta_lion, self.b1, self.b2, self.period = eta_lion, b1, b2, period
        self.t, self.m = 0, 0

    def step(self, w, g, s):
        c = self.b1 * self.m + (1 - self.b1) * g
        self.m = self.b2 * self.m + (1 - self.b2) * g
        self.t += 1
        if self.t % self.period == 0:
            return self.apply(w, adam_scale(w) * newton_schulz(c))
        return self.apply(w, self.sign(c, ROUNDINGS), self.eta_lion)


class Rmnp(Rule):
    """arXiv:2603.20527: rows of the average, each divided by its norm."""

    def __init__(self, eta, decay, beta, scale=lambda w: 1):
        super().__init__(eta, decay)
        self.beta, self.scale, self.m = beta, scale, 0

    def step(self, w, g, s):
        self.m = self.beta * self.m + (1 - self.beta) * g
        return self.apply(w, self.scale(w) * unit_columns_or_rows(self.m, 1))


class NorMuon(Muon):
    """github.com/zichongli5/NorMuon: rows of the polar factor over the root of their averaged squares, then back to the
    factor's own norm."""

    def __init__(self, eta, decay=0, beta=0.95, b2=0.95):
        super().__init__(eta, decay, beta)
        self.b2, self.v = b2, 0

    def orthogonalize(self, u):
        o = newton_schulz(u)
        self.v = self.b2 * self.v + (1 - self.b2) * np.mean(o * o, 1, keepdims=True)
        scaled = o / (np.sqrt(self.v) + 1e-10)
        return scaled * np.linalg.norm(o) / np.linalg.norm(scaled)


class MuonEq(Rule):
    """github.com/MaeChd/muon-eq: heavy-ball buffer, Nesterov, rows or columns (or both) equilibrated, NS5."""

    def __init__(self, eta, decay, mu, axes):
        super().__init__(eta, decay)
        self.mu, self.axes, self.buf = mu, axes, 0

    def step(self, w, g, s):
        self.buf = self.mu * self.buf + g
        u = g + self.mu * self.buf
        scaled = u
        if "rows" in self.axes:
            scaled = scaled / np.sqrt(np.sum(u * u, 1, keepdims=True) + 1e-8)
        if "columns" in self.axes:
            scaled = scaled / np.sqrt(np.sum(u * u, 0, keepdims=True) + 1e-8)
        return self.apply(w, adam_scale(w) * newton_schulz(scaled))


class PolarGrad(Rule):
    """arXiv:2505.21799: the polar factor times the nuclear norm, as far as the iteration gets them."""

    def __init__(self, eta, beta):
        super().__init__(eta)
        self.beta, self.m = beta, 0

    def step(self, w, g, s):
        self.m = self.beta * self.m + (1 - self.beta) * g
        o = newton_schulz(self.m)
        return self.apply(w, np.sum(self.m * o) * o)


class DiagonalMuon(Rule):
    """arXiv:2511.06086 on vectors: the polar factor of diag(g + mu buf), which is its sign, of root mean square 0.2."""

    def __init__(self, eta, mu):
        super().__init__(eta)
        self.mu, self.buf = mu, 0

    def step(self, w, g, s):
        self.buf = self.mu * self.buf + g
        return self.apply(w, 0.2 * self.sign(g + self.mu * self.buf, 20 * ROUNDINGS))


class NesterovRows(Rule):
    """Rows of Nesterov's estimate over their norms, of root mean square 0.2."""

    def __init__(self, eta, mu):
        super().__init__(eta)
        self.mu, self.m = mu, 0

    def step(self, w, g, s):
        self.m = self.mu * self.m + (1 - self.mu) * g
        u = self.mu * self.m + (1 - self.mu) * g
        return self.apply(w, 0.2 * w.shape[1] ** 0.5 * unit_columns_or_rows(u, 1))


class ScheduleFree(Rule):
    """Defazio et al. 2024, github.com/facebookresearch/schedule_free: y = (1 - beta) z + beta x, gradients at y, z steps,
    x the average weighted by t^r lr_max^2; at a constant learning rate. w is y."""

    def __init__(self, eta, decay=0, beta=0.9):
        super().__init__(eta, decay)
        self.mix, self.x, self.z, self.t, self.total = beta, None, None, 0, 0

    def step(self, w, g, s):
        if self.z is None:
            self.x = self.z = w
        self.t += 1
        self.z = self.decayed(w) - self.fast_step(g)
        c = self.share()
        self.x = (1 - c) * self.x + c * self.z
        mix = self.next_mix()
        return (1 - mix) * self.z + mix * self.x

    def share(self):
        self.total += self.eta**2
        return self.eta**2 / self.total

    def next_mix(self):
        return self.mix

    def decayed(self, y):
        return self.z - self.eta * self.decay * y

    def evaluated(self, w):
        return self.x


class ScheduleFreeAdamW(ScheduleFree):
    """AdamWScheduleFree: the second moment corrected for its start, no first one."""

    def __init__(self, eta, decay=0, beta=0.9, b2=0.999, epsilon=1e-8):
        super().__init__(eta, decay, beta)
        self.b2, self.epsilon, self.v = b2, epsilon, 0

    def fast_step(self, g):
        self.v = self.b2 * self.v + (1 - self.b2) * g * g
        return self.eta * g / (np.sqrt(self.v / (1 - self.b2**self.t)) + self.epsilon)


class ScheduleFreeNorMuon(ScheduleFree):
    """arXiv:2605.23061, algorithm 1: decay of z, NorMuon's direction of root mean square 0.2."""

    def __init__(self, eta, decay, beta, mu, b2):
        super().__init__(eta, decay, beta)
        self.mu, self.b2, self.m, self.v = mu, b2, 0, 0

    def decayed(self, y):
        return self.z - self.eta * self.decay * self.z

    def fast_step(self, g):
        self.m = self.mu * self.m + (1 - self.mu) * g
        p = newton_schulz(self.m)
        self.v = self.b2 * self.v + (1 - self.b2) * np.mean(p * p, 1, keepdims=True)
        p = p / (np.sqrt(self.v) + 1e-8)
        return 0.2 * self.eta * p.size**0.5 / np.linalg.norm(p) * p


class Amuse(ScheduleFree):
    """arXiv:2605.22432: c = 1 / (t + 1), and a mix that grows to 1."""

    def __init__(self, eta, mu, beta, rho, warmup):
        super().__init__(eta, 0, beta)
        self.mu, self.beta, self.rho, self.warmup, self.m = mu, beta, rho, warmup, 0

    def share(self):
        return 1 / (self.t + 1)

    def next_mix(self):
        t = self.t + 1
        return self.beta if t <= self.warmup else 1 - ((self.warmup - 1) / (t - 1)) ** self.rho * (1 - self.beta)

    def fast_step(self, g):
        self.m = self.mu * self.m + g
        return self.eta * newton_schulz(self.m) * 0.2 * max(g.shape) ** 0.5
