"""GPT-2 and its optimizers in PyTorch, as steepest has them: what scripts/parity_pytorch.py compares with."""

import math

import torch
import torch.nn.functional as F


def forward(weights, model, tokens):
    """Logits (B, T, vocab); weights by Hugging Face's names, matrices [d_out, d_in]."""
    B, T = tokens.shape
    heads, width = model["heads"], model["width"]

    def norm(name, x):
        return F.layer_norm(x, (width,), weights[name + ".weight"], weights.get(name + ".bias"), 1e-5)

    def linear(name, x):
        return F.linear(x, weights[name + ".weight"], weights.get(name + ".bias"))

    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    x = weights["wte.weight"][tokens] + weights["wpe.weight"][:T]
    for layer in range(model["layers"]):
        h = f"h.{layer}."
        q, k, v = (
            part.view(B, T, heads, width // heads).transpose(1, 2)
            for part in linear(h + "attn.c_attn", norm(h + "ln_1", x)).split(width, dim=2)
        )
        scores = (q @ k.transpose(2, 3)) / math.sqrt(width // heads)
        mixed = scores.masked_fill(future, -math.inf).softmax(dim=3) @ v
        x = x + linear(h + "attn.c_proj", mixed.transpose(1, 2).reshape(B, T, width))
        hidden = F.gelu(linear(h + "mlp.c_fc", norm(h + "ln_2", x)), approximate="tanh")
        x = x + linear(h + "mlp.c_proj", hidden)
    head = weights.get("lm_head.weight", weights["wte.weight"])
    return F.linear(norm("ln_f", x), head[: model["vocab"]])


def mean_loss(weights, model, inputs, targets):
    logits = forward(weights, model, inputs)
    return F.cross_entropy(logits.reshape(-1, model["vocab"]), targets.reshape(-1))


def orthogonalize(x):
    """Newton-Schulz as in github.com/KellerJordan/Muon, in the dtype of x."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        A = x @ x.T
        x = a * x + (b * A + c * (A @ A)) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """github.com/KellerJordan/Muon: Nesterov momentum 0.95, five steps of Newton-Schulz, sqrt(max(1, rows/cols))."""

    def __init__(self, parameters, learning_rate):
        super().__init__(parameters, {"learning_rate": learning_rate})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - 0.95)
                direction = orthogonalize(p.grad.lerp(momentum, 0.95))
                p.add_(direction, alpha=-group["learning_rate"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def is_hidden_matrix(name, weight):
    return weight.dim() == 2 and name.startswith("h.")


def adam(preset, group, parameters):
    options = preset["groups"][group]
    estimator = options["estimator"]
    return {
        "params": parameters,
        "lr": options["learning_rate"],
        "betas": (estimator["b1"], estimator["b2"]),
        "eps": estimator["epsilon"],
        "weight_decay": options.get("weight_decay", 0.0),
    }


def optimizers(preset, weights):
    """The optimizers that configs/optimizers/<preset>.json describes, for adamw and muon."""
    if preset["name"] == "adamw":
        matrices = [w for w in weights.values() if w.dim() == 2]
        vectors = [w for w in weights.values() if w.dim() == 1]
        return [torch.optim.AdamW([adam(preset, "decayed", matrices), adam(preset, "rest", vectors)])]
    hidden = [w for n, w in weights.items() if is_hidden_matrix(n, w)]
    others = [w for n, w in weights.items() if not is_hidden_matrix(n, w)]
    rate = preset["groups"]["matrices"]["learning_rate"]
    return [Muon(hidden, rate), torch.optim.AdamW([adam(preset, "rest", others)])]


def train(initial, model, inputs, targets, preset, steps):
    """Losses before each step, the weights after the first, and that step's gradient as the optimizer saw it."""
    weights = {name: w.clone().requires_grad_() for name, w in initial.items()}
    optimizer = optimizers(preset, weights)
    losses, first, gradients = [], None, None
    for step in range(steps):
        for w in weights.values():
            w.grad = None
        loss = mean_loss(weights, model, inputs, targets)
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        if step == 0:
            gradients = {name: w.grad.clone() for name, w in weights.items()}
        for o in optimizer:
            o.step()
        if step == 0:
            first = {name: w.detach().clone() for name, w in weights.items()}
    return losses, first, gradients


def gradient(initial, model, inputs, targets):
    weights = {name: w.clone().requires_grad_() for name, w in initial.items()}
    loss = mean_loss(weights, model, inputs, targets)
    loss.backward()
    return loss.item(), {name: w.grad for name, w in weights.items()}
