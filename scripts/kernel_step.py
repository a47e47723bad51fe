"""What a training step of GPT-2 costs on a GPU, predicted: the launches of kernels/cuda and src/model/gpt2.cpp, their
arithmetic and traffic, and what share of a GPU's peaks they may hope for. Every assumption is in ASSUMPTIONS, with
where it is from. No number here was measured by this project.
"""

import dataclasses
import math

# Dense bf16 on tensor cores, flop/s; bytes/s of DRAM. As in src/core/device_peaks.cpp.
DEVICES = {"A100-SXM4-80GB": (312e12, 2039e9), "H100 SXM": (989.4e12, 3352e9)}


@dataclasses.dataclass
class Assumption:
    value: float
    what: str
    source: str


ASSUMPTIONS = {
    "gemm": Assumption(0.65, "of the bf16 peak reached by cuBLASLt products",
                       "assumed; whole steps of LLMQ, products and all else, reach 57 % and 60 % of an H100 at 1.5B and 7B"),
    "attention forward": Assumption(140e12, "useful flop/s on H100, causal, D = 64, T = 1024",
                                    "assumed: 60 % of the 229 TFLOP/s of FlashAttention-2 without a mask (arXiv:2407.08608)"),
    "attention backward": Assumption(100e12, "useful flop/s on H100, by the five products of the published algorithm",
                                     "assumed: the forward pass' rate x 5/7, as scores are computed twice here"),
    "memory": Assumption(0.85, "of the DRAM bandwidth reached by memory-bound kernels", "assumed"),
    "filling": Assumption(3e-6, "seconds of a product's filling and draining of the GPU", "assumed"),
    "launch": Assumption(1.5e-6, "seconds between dependent launches of a graph", "assumed"),
    "newton-schulz": Assumption(0.35, "of the bf16 peak reached by batched_products.cu",
                                "assumed; mma.sync, which it uses, cannot reach a Hopper's peak: that takes wgmma"),
}
SCALE = {"H100 SXM": 1.0, "A100-SXM4-80GB": 312 / 989.4 * 1.6}  # of the attention rates: mma.sync uses an A100 better
HEAD_ELEMENTS, HEAD_CHUNKS = 1 << 25, 8  # of src/model/gpt2.cpp


@dataclasses.dataclass
class Model:
    layers: int = 12
    width: int = 768
    heads: int = 12
    vocab: int = 50304
    context: int = 1024
    batch: int = 64

    @property
    def tokens(self):
        return self.batch * self.context

    @property
    def weights(self):
        C, L = self.width, self.layers
        return self.vocab * C + self.context * C + L * (12 * C * C + 13 * C) + 2 * C


@dataclasses.dataclass
class Part:
    name: str
    launches: int
    kind: str  # gemm, memory, or the name of an assumption in flop/s
    flops: float = 0
    bytes: float = 0
    products: int = 0  # launches that are products by cuBLASLt


def layer(m):
    """One block forward and backward, bf16 with f32 masters: every launch, in the order of gpt2.cpp."""
    N, C, T = m.tokens, m.width, m.context
    row = 2 * N * C  # bytes of a bf16 (N, C)
    product = lambda ins, outs: 2.0 * N * ins * outs
    parts = []

    def gemm(name, ins, outs, extra=0.0):
        parts.append(Part(name, 1, "gemm", product(ins, outs), row * (ins + outs) / C + extra, 1))

    weight_gradient = gemm  # the sums of a bias gradient are its epilogue
    norm = lambda name: parts.append(Part(name, 1, "memory", 0, 4 * row))
    norm_backward = lambda name: parts.append(Part(name, 2, "memory", 0, 4 * row))
    norm("norm 1")
    gemm("qkv", C, 3 * C)
    scores = 2.0 * m.batch * T * (T + 1) * C
    parts.append(Part("attention", 1, "attention forward", scores, 4 * row))
    gemm("projection", C, C)
    norm("norm 2")
    gemm("fc", C, 4 * C)
    parts.append(Part("gelu", 1, "memory", 0, 8 * row))
    gemm("mlp projection", 4 * C, C)
    weight_gradient("d mlp projection", 4 * C, C)
    gemm("d fc, gelu'", C, 4 * C, 4 * row)
    weight_gradient("d fc", C, 4 * C)
    gemm("dx of fc", 4 * C, C)
    norm_backward("norm 2 backward")
    weight_gradient("d projection", C, C)
    gemm("dx of projection", C, C)
    parts.append(Part("attention backward", 2, "attention backward", 2.5 * scores, 10 * row))
    weight_gradient("d qkv", C, 3 * C)
    gemm("dx of qkv", 3 * C, C)
    norm_backward("norm 1 backward")
    return parts


def ends(m):
    """Embedding, last norm, head and loss."""
    N, C, V = m.tokens, m.width, m.vocab
    most = max(1, HEAD_ELEMENTS // V, math.ceil(N / HEAD_CHUNKS))
    k = math.ceil(N / most)
    row = 2 * N * C
    return [Part("embedding", 1, "memory", 0, 2 * row), Part("last norm", 1, "memory", 0, 4 * row),
            Part("head: logits", k, "gemm", 2.0 * N * C * V, row + 2.0 * N * V, k),
            Part("cross-entropy", k, "memory", 0, 4.0 * N * V),
            Part("head: weights", k, "gemm", 2.0 * N * C * V, row + 2.0 * N * V + 8.0 * k * C * V, k),
            Part("head: dx", k, "gemm", 2.0 * N * C * V, row + 2.0 * N * V, k),
            Part("sum of losses", 1, "memory", 0, 4.0 * N), Part("last norm backward", 2, "memory", 0, 4 * row),
            Part("embedding backward: sort", 6, "memory", 0, 100.0 * N),
            Part("embedding backward: sums", 3, "memory", 0, 2 * row)]


def adamw(weights):
    """Norm, decision, estimate (m, v, gradient in place), update (f32 master and bf16 copy)."""
    return [Part("gradient norm, decision", 3, "memory", 0, 4.0 * weights), Part("adam", 2, "memory", 0, 24.0 * weights),
            Part("update", 2, "memory", 0, 14.0 * weights)]


def newton_schulz(side, length, steps=5):
    """(symmetric, flops) of each product of a matrix, as src/ops/newton_schulz.h lists them, on tiles of 128 x 128."""
    symmetric = lambda depth: (True, side * (side + 128.0) * depth)
    of_x = (False, 2.0 * side * side * length)
    step, pair = [symmetric(length), symmetric(side), of_x], [symmetric(length), *5 * [symmetric(side)], of_x]
    pairs = steps // 2 if side < length else 0
    return (pairs + 1) // 2 * pair + (steps - 2 * pairs) * step + pairs // 2 * pair


def launches(lists):
    """Of lists of products that go together, as kernels/cuda/orthogonalize.cu does it."""
    lists, count = [list(products) for products in lists], 0
    while any(lists):
        symmetric = all(products[0][0] for products in lists if products)
        for products in lists:
            if products and products[0][0] == symmetric:
                products.pop(0)
        count += 1
    return count


def muon(m):
    """The preset: matrices of the blocks by Newton-Schulz (five steps, all together), the rest by Adam."""
    C, L = m.width, m.layers
    matrices = 12 * L * C * C
    shapes = ((C, 3 * C, L), (C, C, L), (C, 4 * C, 2 * L))  # q, k and v, projection, the two of the MLP
    lists = [newton_schulz(side, length) for side, length, _ in shapes]
    flops = sum(count * sum(f for _, f in products) for products, (_, _, count) in zip(lists, shapes))
    rest = m.weights - matrices
    return [Part("gradient norm, decision", 3, "memory", 0, 4.0 * m.weights), Part("momentum", 1, "memory", 0, 16.0 * matrices),
            Part("newton-schulz: squares, gather, scatter", 3, "memory", 0, 16.0 * matrices),
            Part("newton-schulz: products", launches(lists), "newton-schulz", flops),
            Part("adam", 2, "memory", 0, 24.0 * rest), Part("update", 2, "memory", 0, 14.0 * m.weights)]


def seconds(part, device):
    peak, bandwidth = DEVICES[device]
    a = {key: assumption.value for key, assumption in ASSUMPTIONS.items()}
    memory = part.bytes / (bandwidth * a["memory"])
    if part.kind == "gemm":
        work = max(part.flops / (peak * a["gemm"]), memory) + part.products * a["filling"]
    elif part.kind == "newton-schulz":
        work = part.flops / (peak * a["newton-schulz"]) + part.launches * a["filling"]
    elif part.kind == "memory":
        work = memory
    else:
        work = max(part.flops / (a[part.kind] * SCALE[device]), memory)
    return work + part.launches * a["launch"]


def total(parts, device, times=1):
    return times * sum(seconds(part, device) for part in parts)


def predict(m, device):
    """Seconds of a gradient of m.tokens, of AdamW's step and of Muon's."""
    gradient = total(layer(m), device, m.layers) + total(ends(m), device)
    return gradient, total(adamw(m.weights), device), total(muon(m), device)


def flops_a_token(m):
    """llm.c's convention, so that shares compare: 6 a weight, 6 L C T for attention, without padding of the vocabulary."""
    return 6 * (m.weights - (m.vocab - 50257) * m.width) + 6 * m.layers * m.width * m.context
