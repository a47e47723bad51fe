#!/usr/bin/env python3
"""Counts the launches of a training step on the simulated GPU, and fails if they are more than a step may have.

    count_launches.py BINARY TEXT      BINARY: steepest over the shared runtime, with the simulator in LD_LIBRARY_PATH

Launches do not depend on the width or the batch, so a small model stands for GPT-2: what a step more costs is a step, and
what two layers more cost a step is two layers. Steps are of two micro-batches, the second of which is added to the
first. scripts/kernel_step.py, which predicts times, must count the same.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import kernel_step

LAYER, NEWTON_SCHULZ, OTHERWISE = 22, 35, 12
MICRO_BATCHES = 2
NEWTON_SCHULZ_KERNELS = ("multiply_tiles", "gather", "scatter", "sum_squares")
LAST_OF_GRADIENT = "add_partials"  # of the embedding's backward


def launched(binary, text, layers, steps, folder):
    """The names of all launches of a run, in order."""
    report = pathlib.Path(folder) / f"{layers}-{steps}.json"
    sets = {"model": "micro", "model.layers": layers, "steps": steps, "optimizer": "muon", "batch": MICRO_BATCHES, "micro_batch": 1, "device": "cuda",
            "cuda.graphs": "false", "precision.compute": "bf16", "evaluation.every": 0, "sampling.every": 0,
            "data.train": json.dumps([text]), "runs": str(folder), "name": report.stem}
    command = [binary, "train", "nano", "--quiet"]
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, env={**os.environ, "GPU_SIM_REPORT": str(report)}, stdout=subprocess.DEVNULL)
    executed = json.loads(report.read_text())["executed"]
    return [e["name"].split("<")[0].split("::")[-1] if e["kind"] == "kernel" else e["name"] for e in executed
            if e["kind"] in ("kernel", "library")]


def step_of(binary, text, layers, folder):
    """(launches of the gradient, launches by kernel of the optimizer) of a step."""
    two, three = (launched(binary, text, layers, steps, folder) for steps in (2, 3))
    step = collections.Counter(three) - collections.Counter(two)
    last = max(i for i, name in enumerate(three) if name == LAST_OF_GRADIENT)
    optimizer = collections.Counter(three[last + 1:])
    return sum(step.values()) - sum(optimizer.values()), optimizer


def main(binary, text):
    with tempfile.TemporaryDirectory() as folder:
        (two, _), (four, optimizer) = (step_of(binary, text, layers, folder) for layers in (2, 4))
    newton = sum(n for name, n in optimizer.items() if name in NEWTON_SCHULZ_KERNELS)
    rest = sum(optimizer.values()) - newton
    predicted = kernel_step.muon(kernel_step.Model())
    predicted_newton = sum(p.launches for p in predicted if p.name.startswith("newton-schulz"))
    rows = [("a layer, forward and backward", (four - two) / 2 / MICRO_BATCHES, LAYER,
             sum(p.launches for p in kernel_step.layer(kernel_step.Model()))),
            ("Newton-Schulz", newton, NEWTON_SCHULZ, predicted_newton),
            ("the rest of Muon's step", rest, OTHERWISE, sum(p.launches for p in predicted) - predicted_newton)]
    for name, counted, most, model in rows:
        print(f"{name:32} {counted:5g} launches, at most {most}, kernel_step.py: {model}")
    wrong = [name for name, counted, most, model in rows if counted > most or counted > model or counted == 0]
    if wrong:
        sys.exit(f"too many launches, or fewer in kernel_step.py, which predicts times: {', '.join(wrong)}\n{optimizer}")


if __name__ == "__main__":
    main(*sys.argv[1:])
