#!/usr/bin/env python3
"""Times `steepest compare` over many long runs, made up for it: 500 of 20,000 steps unless told otherwise.

Five optimizers, ten learning rates, the rest seeds. Every log line has what a real one has, and losses are a curve with noise.
Prints wall and processor time and peak memory of the table alone, and of table and page, with warm files.

    scripts/bench_compare.py [--steepest build/release/steepest] [--runs 500] [--steps 20000] [--folder DIR]

The runs take 0.5 KB a line: 4.6 GB in all. They are made once and left in DIR.
"""
import argparse
import json
import pathlib
import random
import resource
import subprocess
import sys
import time

OPTIMIZERS = ["adamw", "signsgd", "sgd", "muon", "muon-mvr1"]
RATES = [2.0**k for k in range(-3, 7)]
TOKENS = 2048
EVALUATE_EVERY = 250


def train_line(step, rates):
    """Around its loss."""
    line = {"kind": "train", "step": step, "tokens": step * TOKENS, "gradients": step,
            "model_flops": step * 11079254016.0, "optimizer_flops": step * 119254016.0, "loss": "LOSS",
            "grad_norm": 0.76748514, "clip": 1.0, "lr": rates, "data_hash": f"{step * 0x9E3779B97F4A7C15 % 2**64:016x}",
            "time": {"step_ms": 93.93601599731483, "optimizer_ms": 0.65263903, "tokens_per_s": 21802.074297663872,
                     "gflop_per_s": 117.94468711890765, "model_flops_utilization": None, "train_s": step * 0.09393601,
                     "wall_s": step * 0.09493601 + 1.3}}
    return json.dumps(line, separators=(",", ":")).split('"LOSS"')


def eval_line(step, loss):
    line = {"kind": "eval", "step": step, "tokens": step * TOKENS, "gradients": step,
            "model_flops": step * 11079254016.0, "optimizer_flops": step * 119254016.0, "split": "validation", "loss": loss,
            "eval_tokens": 65536, "time": {"eval_s": 1.05, "train_s": step * 0.09393601, "wall_s": step * 0.09493601 + 1.3}}
    return json.dumps(line, separators=(",", ":")) + "\n"


def make_run(folder, name, config, seed, best, parts, steps):
    config.update(name=name, seed=seed)
    rng = random.Random(name)
    curve = [best + 3.5 * (1 + step / 40) ** -0.5 for step in range(steps + 1)]
    noise = [rng.gauss(0, 0.05) for _ in range(1009)]  # prime: no pattern with the evaluations
    lines = [json.dumps({"kind": "start", "step": 0, "run": name, "model": "nano", "optimizer": config["optimizer"]["name"],
                         "parameters": 842624, "steps": steps, "tokens_per_step": TOKENS, "seed": seed,
                         "optimizer_state_bytes": 6871040, "data": "22c4dbf1465c0d6f", "init": f"{seed:016x}",
                         "time": {"at": "2026-01-01T00:00:00Z"}}) + "\n", eval_line(0, 5.56)]
    for step in range(1, steps + 1):
        before, after = parts[step - 1]
        lines.append(f"{before}{curve[step] + noise[step % 1009]:.7g}{after}\n")
        if step % EVALUATE_EVERY == 0:
            lines.append(eval_line(step, curve[step] + 0.1 * noise[step % 1009]))
    lines.append(json.dumps({"kind": "end", "step": steps, "reason": "done", "time": {"at": "2026-01-01T01:00:00Z"}}) + "\n")
    run = folder / name
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps(config))
    (run / "log.jsonl").write_text("".join(lines))


def make_runs(steepest, folder, count, steps):
    parts = [train_line(step, {"matrices": 0.02, "rest": 0.0048}) for step in range(1, steps + 1)]
    configs = {}
    for i in range(count):
        optimizer, rate = OPTIMIZERS[i % 5], RATES[i // 5 % 10]
        if (optimizer, rate) not in configs:
            sets = [f"optimizer={optimizer}", f"optimizer.lr_scale={rate}", f"steps={steps}"]
            command = [steepest, "config", "nano-short"] + [word for s in sets for word in ("--set", s)]
            configs[optimizer, rate] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        seed = 1 + i // 50
        best = 1.5 + 0.1 * (i % 5) + 0.02 * (i // 5 % 10 - 4) ** 2 + 0.01 * random.Random(f"{i % 5} {seed}").gauss(0, 1)
        make_run(folder, f"{optimizer}-x{rate:g}-s{seed}", configs[optimizer, rate], seed, best, parts, steps)
        if (i + 1) % 50 == 0:
            print(f"made {i + 1} of {count} runs", file=sys.stderr)


def timed(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak] + [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")])
        except OSError:  # it has just ended
            pass
        time.sleep(0.02)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steepest", default="build/release/steepest")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench_compare"))
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        make_runs(arguments.steepest, arguments.folder, arguments.runs, arguments.steps)
    page = arguments.folder.with_suffix(".html")
    compare = [arguments.steepest, "compare", str(arguments.folder)]
    size = sum(log.stat().st_size for log in arguments.folder.glob("*/log.jsonl"))
    print(f"{len(list(arguments.folder.iterdir()))} runs, {size / 1e9:.1f} GB")
    print(f"{'':16}{'wall, s':>9}{'processor, s':>14}{'peak, MiB':>11}")
    for what, command in (("(first)", compare), ("table", compare), ("table and page", compare + ["--html", str(page)])):
        wall, processor, peak = timed(command)
        print(f"{what:16}{wall:9.1f}{processor:14.1f}{peak:11.0f}")
    print(f"page: {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
