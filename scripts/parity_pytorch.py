#!/usr/bin/python3
"""Trains the same GPT-2 on the same tokens in steepest and in PyTorch and compares every number.

    scripts/parity_pytorch.py --steepest build/release/steepest
    scripts/parity_pytorch.py --steepest build/release/steepest --model gpt2-124M --batch 2 --context 64
    scripts/parity_pytorch.py --write-expected tests/train/expected_parity.json

Compared, in fp32 on both sides: the loss; each parameter's gradient; the weights after one step of AdamW and of Muon;
the losses of ten steps of each. steepest is used as everybody uses it: configs in, logs and checkpoints out. A gradient
is what plain SGD subtracts from the weights, at a learning rate that leaves the old weights no digits to hide in.

--write-expected needs no steepest: it writes what PyTorch finds in double for a tiny model whose weights and tokens
are a formula, for tests/train/test_parity.cpp.

Needs Debian's python3-torch. Exit codes: 0 all close, 1 something is not, 3 PyTorch is missing.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    from gpt2_pytorch import gradient, is_hidden_matrix, orthogonalize, train
except ImportError:
    print("PyTorch is missing: install Debian's python3-torch", file=sys.stderr)
    sys.exit(3)

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOSS_TOLERANCE, GRADIENT_TOLERANCE, LOSSES_TOLERANCE = 1e-5, 1e-4, 1e-4
STEPS = 10
UNIT = 2.0**-24  # half the distance from 1 to the next f32
# Newton-Schulz multiplies what is near zero by 3.4445 a step: the most an error in its input can grow.
MUON_GROWTH = 3.4445**5


# ---------------------------------------------------------------- steepest from outside


def load_json(path):
    return json.loads(path.read_text())


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        body = numpy.frombuffer(file.read(), dtype=numpy.uint8)
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", f"{path}: {name} is {entry['dtype']}, expected F32"
        begin, end = entry["data_offsets"]
        values = body[begin:end].copy().view(numpy.float32).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values)
    return tensors


def write_shard(path, tokens):
    header = numpy.zeros(256, dtype="<i4")
    header[:3] = 20240520, 1, len(tokens)
    path.write_bytes(header.tobytes() + tokens.astype("<u2").tobytes())


class Steepest:
    """Runs of one model on one batch: the data is one batch of windows, so every step sees all of it."""

    def __init__(self, binary, folder, model, tokens, batch):
        self.binary, self.folder, self.count = binary, folder, 0
        shard = folder / "tokens.bin"
        write_shard(shard, tokens)
        self.config = {
            "model": model,
            "data": {"train": [str(shard)], "validation_fraction": 0},
            "batch": batch,
            "runs": str(folder / "runs"),
            "evaluation": {"every": 0},
        }

    def train(self, optimizer, steps, **options):
        """The losses before each step and the weights after the last."""
        self.count += 1
        run = self.folder / "runs" / f"run{self.count}"
        config = self.folder / f"run{self.count}.json"
        patch = {"name": run.name, "optimizer": {**optimizer, "schedule": {"type": "constant"}}, "steps": steps}
        config.write_text(json.dumps({**self.config, **patch, **options}))
        environment = {**os.environ, "STEEPEST_CONFIGS": str(ROOT / "configs")}
        subprocess.run([self.binary, "train", str(config), "--quiet"], check=True, env=environment)
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        checkpoint = run / "checkpoints" / f"step_{steps:06d}"
        weights = read_safetensors(checkpoint / "weights.safetensors")
        shutil.rmtree(run)
        return [line["loss"] for line in lines if line["kind"] == "train"], weights

    def sgd(self, learning_rate):
        group = {"match": "rest", "learning_rate": learning_rate, "estimator": "dual_ema"}
        return self.train({"groups": {"all": group}}, 1, max_gradient_norm=0)


# ---------------------------------------------------------------- comparison


class Table:
    def __init__(self):
        self.failed = False
        print(f"{'what':<80} {'ours':>12} {'torch':>12} {'error':>9} {'allowed':>9}")

    def add(self, what, ours, torchs, error, allowed):
        ok = error <= allowed  # a NaN is not
        self.failed |= not ok
        verdict = "" if ok else "  FAILED"
        print(f"{what:<80} {ours:>12.8g} {torchs:>12.8g} {error:>9.2e} {allowed:>9.2e}{verdict}", flush=True)

    def worst(self, what, rows, verbose):
        """rows: (name, ours, torch, error, allowed)."""
        rows = sorted(rows, key=lambda row: row[3] / row[4] if row[4] else math.inf, reverse=True)
        for row in rows if verbose else rows[:1]:
            self.add(f"{what}: {row[0]}", *row[1:])


def relative(ours, expected):
    return float((ours.double() - expected.double()).norm() / expected.double().norm())


def adam_row(name, ours, expected, start, gradients, rate):
    """The worst element's error over what is allowed, among elements whose gradient is above its own tolerance.

    The first step moves an element by rate * g / (|g| + eps). Where the gradient is off by d <= |g| / 2 this is off by
    at most d / (2 |g|), for any eps; elements nearer to zero may go either way and are left out. Between them the two
    round a weight three times, PyTorch once more after the decay.
    """
    g = gradients.double().abs()
    d = GRADIENT_TOLERANCE * g.square().mean().sqrt()
    clear = g > 2 * d
    size = torch.maximum(expected.double().abs(), start.double().abs())
    allowed = rate * (d / (2 * g) + 8 * UNIT) + 3 * UNIT * size
    error = ((ours.double() - expected.double()).abs() / allowed)[clear]
    worst = float(error.max()) if error.numel() else 0.0
    share = float(clear.double().mean())
    # The error is a share of what is allowed.
    return f"{name} ({share:.1%} of it)", float(ours.double().norm()), float(expected.double().norm()), worst, 1.0


def muon_row(name, ours, expected, start, gradients, our_gradients):
    """The step's error, relative in Frobenius norm: that of its input and of five products, grown by the iteration."""
    step = (expected.double() - start.double()).norm()
    rounding = 5 * math.sqrt(max(ours.shape)) * UNIT
    size = float(orthogonalize(gradients).norm())
    allowed = MUON_GROWTH * (relative(our_gradients, gradients) + rounding) / size
    stored = UNIT * float(expected.double().norm()) / float(step)
    error = float((ours.double() - expected.double()).norm() / step)
    return name, float((ours.double() - start.double()).norm()), float(step), error, allowed + stored


def compare(options, model):
    table = Table()
    batch, context = options.batch, model["context"]
    tokens = numpy.random.default_rng(options.seed).integers(0, model["vocab"], batch * context + 1)
    windows = torch.from_numpy(tokens.astype(numpy.int64))
    inputs, targets = windows[:-1].view(batch, context), windows[1:].view(batch, context)
    presets = {name: load_json(ROOT / "configs/optimizers" / f"{name}.json") for name in ("adamw", "muon")}
    presets["muon"]["groups"]["matrices"]["geometry"]["precision"] = "fp32"

    with tempfile.TemporaryDirectory() as folder:
        steepest = Steepest(options.steepest, pathlib.Path(folder), model, tokens, batch)
        (our_loss,), start = steepest.sgd(0.0)
        rate = 2.0**20
        _, moved = steepest.sgd(rate)
        our_gradients = {name: (start[name].double() - moved[name].double()) / rate for name in start}
        del moved

        loss, gradients = gradient(start, model, inputs, targets)
        table.add("loss", our_loss, loss, abs(our_loss - loss) / loss, LOSS_TOLERANCE)
        rows = []
        for name, g in gradients.items():
            ours = our_gradients[name]
            rows.append((name, float(ours.norm()), float(g.double().norm()), relative(ours, g), GRADIENT_TOLERANCE))
        table.worst("gradient", rows, options.verbose)

        for name, preset in presets.items():
            long = not options.skip_long or name == "adamw"
            losses, first, seen = train(start, model, inputs, targets, preset, STEPS if long else 1)
            _, ours = steepest.train(preset, 1)
            rows = {"Adam": [], "Muon": []}
            for key, expected in first.items():
                if name == "muon" and is_hidden_matrix(key, expected):
                    row = muon_row(key, ours[key], expected, start[key], gradients[key], our_gradients[key])
                    rows["Muon"].append(row)
                else:
                    group = preset["groups"]["rest"]  # both groups of adamw have one rate
                    row = adam_row(key, ours[key], expected, start[key], seen[key], group["learning_rate"])
                    rows["Adam"].append(row)
            for rule, list_of_rule in rows.items():
                if list_of_rule:
                    table.worst(f"{name}, weights after a step of {rule}", list_of_rule, options.verbose)
            if long:
                our_losses, _ = steepest.train(preset, STEPS)
                errors = [abs(a - b) / b for a, b in zip(our_losses, losses)]
                at = max(range(STEPS), key=lambda i: errors[i])
                table.add(f"{name}, losses of {STEPS} steps: step {at + 1}", our_losses[at], losses[at], errors[at],
                          LOSSES_TOLERANCE)
    return not table.failed


# ---------------------------------------------------------------- numbers for the test suite


def mixed(count, stream):
    """Fractions in [0, 1) with 23 bits, exact in f32 also after an addition of 1: murmur3's finalizer of a counter."""
    h = (numpy.arange(count, dtype=numpy.uint64) + (stream << 20)).astype(numpy.uint32)
    with numpy.errstate(over="ignore"):
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            h = (h ^ (h >> numpy.uint32(shift))) * numpy.uint32(factor)
    return (h >> numpy.uint32(9)).astype(numpy.float64) / 2**23


def formula_weights(model):
    """In the order of the parameter table: stream k + 1 for parameter k."""
    C, padded = model["width"], -(-model["vocab"] // 128) * 128
    shapes = {"wte.weight": (padded, C), "wpe.weight": (model["context"], C)}
    for layer in range(model["layers"]):
        h = f"h.{layer}."
        for module, shape in (("ln_1", (C,)), ("attn.c_attn", (3 * C, C)), ("attn.c_proj", (C, C)), ("ln_2", (C,)),
                              ("mlp.c_fc", (4 * C, C)), ("mlp.c_proj", (C, 4 * C))):
            shapes[h + module + ".weight"], shapes[h + module + ".bias"] = shape, shape[:1]
    shapes["ln_f.weight"], shapes["ln_f.bias"] = (C,), (C,)
    weights = {}
    for k, (name, shape) in enumerate(shapes.items()):
        values = (mixed(math.prod(shape), k + 1) - 0.5).reshape(shape)
        if name == "wte.weight":
            values[model["vocab"] :] = 0
        gain = len(shape) == 1 and name.endswith(".weight")
        weights[name] = torch.from_numpy(values + 1 if gain else values)
    return weights


def expected_numbers():
    model = {"layers": 2, "heads": 2, "width": 24, "context": 16, "vocab": 61}
    batch = 3
    initial = formula_weights(model)
    windows = torch.from_numpy((mixed(batch * model["context"] + 1, 0) * model["vocab"]).astype(numpy.int64))
    inputs, targets = (w.view(batch, model["context"]) for w in (windows[:-1], windows[1:]))

    def some(values, clear):
        """Four elements of a tensor, as [index, value]; of those whose gradient is far from zero."""
        flat, candidates = values.flatten(), clear.flatten().nonzero().flatten()
        picks = candidates[(torch.arange(4) * (len(candidates) - 1)) // 3].unique()
        return [[int(i), float(flat[i])] for i in picks]

    loss, gradients = gradient(initial, model, inputs, targets)
    clear = {name: g.abs() > 0.1 * g.square().mean().sqrt() for name, g in gradients.items()}
    result = {
        "made_by": "scripts/parity_pytorch.py --write-expected",
        "torch": torch.__version__,
        "model": model,
        "batch": batch,
        "tokens": windows.tolist(),
        "loss": loss,
        "gradients": {
            name: {"norm": float(g.norm()), "largest": float(g.abs().max()), "elements": some(g, clear[name])}
            for name, g in gradients.items()
        },
    }
    for name in ("adamw", "muon"):
        preset = load_json(ROOT / "configs/optimizers" / f"{name}.json")
        losses, first, _ = train(initial, model, inputs, targets, preset, STEPS)
        result[name] = {"losses": losses, "weights": {n: some(w, clear[n]) for n, w in first.items()}}
    return result


def text_of(value, depth=0):
    """JSON with a line a parameter."""
    if not isinstance(value, dict) or depth == 2 and "norm" in value:
        return json.dumps(value)
    indent = " " * (2 * depth + 2)
    items = (f"{indent}{json.dumps(key)}: {text_of(item, depth + 1)}" for key, item in value.items())
    return "{\n" + ",\n".join(items) + "\n" + indent[2:] + "}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steepest", default=str(ROOT / "build/release/steepest"), help="the binary")
    parser.add_argument("--model", default="micro", help="a preset of configs/models")
    parser.add_argument("--batch", type=int, default=4, help="sequences")
    parser.add_argument("--context", type=int, help="tokens a sequence; the preset's if not given")
    parser.add_argument("--untied", action="store_true", help="a head of its own")
    parser.add_argument("--no-bias", action="store_true", help="no biases")
    parser.add_argument("--seed", type=int, default=1, help="of the tokens")
    parser.add_argument("--skip-long", action="store_true", help="one step of Muon, not ten")
    parser.add_argument("--verbose", action="store_true", help="every parameter, not the worst one")
    parser.add_argument("--write-expected", metavar="FILE", help="write numbers for the test suite and stop")
    options = parser.parse_args()
    if options.write_expected:
        pathlib.Path(options.write_expected).write_text(text_of(expected_numbers()) + "\n")
        return 0
    model = load_json(ROOT / "configs/models" / f"{options.model}.json")
    model["context"] = options.context or model["context"]
    model["tied"], model["bias"] = not options.untied, not options.no_bias
    print(f"{options.model}: {options.batch} x {model['context']} tokens, fp32, torch {torch.__version__}")
    return 0 if compare(options, model) else 1


if __name__ == "__main__":
    sys.exit(main())
