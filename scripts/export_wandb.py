#!/usr/bin/env python3
"""Writes runs as offline runs of Weights & Biases; nothing is sent anywhere.

    scripts/export_wandb.py runs.json FOLDER      (as `steepest export --wandb` calls it)

runs.json is a list of {"name": ..., "folder": ..., "log": ...}. `wandb sync FOLDER/wandb/offline-run-*` uploads them.
Needs wandb (pip install wandb; Debian has no package).
Exit codes: 3 wandb is missing, 6 the folder cannot be written.
"""

import json
import os
import pathlib
import sys

# Before the import, which reads them: nothing may ask for the network, an account or a repository.
os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DISABLE_GIT="true", WANDB_DISABLE_CODE="true",
                  WANDB_CONSOLE="off", WANDB__DISABLE_STATS="true", WANDB_ERROR_REPORTING="false")
try:
    import wandb
except ImportError:
    print("wandb is missing: pip install wandb", file=sys.stderr)
    sys.exit(3)


def metrics(line):
    """What a log line says, by the names of the TensorBoard export; the clock's numbers beside it."""
    time = {f"time/{key}": value for key, value in line.get("time", {}).items() if isinstance(value, (int, float))}
    totals = {key: line[key] for key in ("tokens", "gradients", "model_flops", "optimizer_flops") if key in line}
    if line["kind"] == "eval":
        return {f"loss/{line['split']}": line["loss"], **totals}
    if line["kind"] == "train":
        rates = {f"learning_rate/{group}": rate for group, rate in line["lr"].items()}
        return {"loss/train": line["loss"], "gradient_norm": line["grad_norm"], **rates, **totals, **time}
    return None


def export(run, folder):
    config = pathlib.Path(run["folder"] or "/nonexistent", "config.json")
    started = wandb.init(
        project="steepest", name=run["name"], dir=str(folder), mode="offline",
        config=json.loads(config.read_text(encoding="utf-8")) if config.exists() else {})
    with open(run["log"], encoding="utf-8") as log:
        for line in log:
            if not line.endswith("\n"):
                break  # being written, or cut off by a crash
            line = json.loads(line)
            values = metrics(line)
            if values is not None:
                # null is how the log writes what was not finite.
                started.log({key: float("nan") if value is None else value for key, value in values.items()},
                            step=line["step"])
    started.finish()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for run in json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")):
            export(run, folder)
    except OSError as error:
        print(f"{folder}: cannot write: {error.strerror or error}", file=sys.stderr)
        sys.exit(6)


if __name__ == "__main__":
    main()
