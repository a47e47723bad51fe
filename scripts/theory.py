#!/usr/bin/env python3
"""What the sweeps of synthetic problems (configs/sweeps/theory-*.json) measured, as tables, and a picture of one.

    scripts/theory.py rates FOLDER                  mean nuclear norm of the true gradient over the last half, and its slope
    scripts/theory.py dimensions FOLDER             steps to a tenth of the first gradient's l1 norm, at the best rate
    scripts/theory.py phases FOLDER [--png FILE]    the best losses of polar factors over those of signs
    scripts/theory.py end FOLDER                    last and least loss of each arm, and what the last evaluation says

FOLDER is a sweep's: runs/theory-rates. The picture needs matplotlib.
"""

import argparse
import collections
import csv
import json
import math
import pathlib

from written_whole import written_whole

RATE = "optimizer.groups.all.learning_rate"


def runs_of(folder):
    with (folder / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluations(folder, run):
    with (folder / run["run"] / "log.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.startswith('{"kind":"eval"')]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


def slope(xs, ys):
    """Of the least-squares line through the logarithms, where they are finite."""
    points = [(math.log(x), math.log(y)) for x, y in zip(xs, ys) if math.isfinite(y)]
    if len(points) < 2:
        return math.nan
    x0, y0 = mean(x for x, _ in points), mean(y for _, y in points)
    return sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)


def rates(folder, _):
    norms = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs_of(folder):
        steps = int(run["steps"])
        found = evaluations(folder, run)
        norms[run["arm"]][steps].append(mean(e["exact"]["gradient_nuclear"] for e in found if e["step"] > steps / 2))
    for arm, by_steps in norms.items():
        means = {steps: mean(values) for steps, values in sorted(by_steps.items())}
        cells = "  ".join(f"T={steps} {value:.3f}" for steps, value in means.items())
        print(f"{arm:20s} {cells}  slope {slope(means.keys(), means.values()):+.3f}")


def steps_to_tenth(found):
    """The first step at which the mean of 20 gradient norms is a tenth of the first one's."""
    norms = [e["exact"]["gradient_l1"] for e in found]
    for at in range(20, len(norms)):
        if mean(norms[at - 19 : at + 1]) <= 0.1 * norms[0]:
            return found[at]["step"]
    return math.inf


def dimensions(folder, _):
    steps = collections.defaultdict(list)  # of each seed
    for run in runs_of(folder):
        key = float(run["problem.noise"]), run["arm"], int(run["problem.dimension"]), run[RATE]
        steps[key].append(steps_to_tenth(evaluations(folder, run)))
    best = collections.defaultdict(lambda: math.inf)
    for (noise, arm, dimension, _), found in steps.items():
        best[noise, arm, dimension] = min(best[noise, arm, dimension], mean(found))
    for noise in sorted({n for n, _, _ in best}):
        sizes = sorted({d for n, _, d in best if n == noise})
        table = {arm: [best[noise, arm, d] for d in sizes] for arm in ("sgd", "signsgd")}
        for d, sgd, sign in zip(sizes, *table.values()):
            print(f"noise {noise:g}  d={d:<5d} sgd {sgd:8.0f}  signsgd {sign:6.0f}  ratio {sgd / sign:7.1f}")
        for arm, counts in table.items():
            print(f"noise {noise:g}  {arm}: slope {slope(sizes, counts):+.2f}")


def phases(folder, arguments):
    best, rates_tried, edges = collections.defaultdict(lambda: (math.inf, "")), collections.defaultdict(set), 0
    for run in runs_of(folder):
        basis = "any basis" if run["problem.rotated"] == "true" else "diagonal covariance"
        batch = "endless batch" if run["problem.population"] == "true" else f"batch {run['batch']}"
        key = f"{basis}, {batch}", float(run["problem.alpha"]), float(run["problem.beta"]), run["arm"]
        best[key] = min(best[key], (float(run["best_loss"]), run[RATE]))
        rates_tried[run["arm"]].add(float(run[RATE]))
    alphas, betas = (sorted({key[i] for key in best}) for i in (1, 2))
    grids = {}
    for title in dict.fromkeys(key[0] for key in best):
        ratio = lambda a, b: math.log10(best[title, a, b, "signsvd"][0] / best[title, a, b, "signsgd"][0])
        grids[title] = [[ratio(a, b) for a in alphas] for b in betas]
        print(f"{title}: log10 of the least loss of polar factors over that of signs\n  beta \\ alpha", *alphas, sep="\t")
        for b, row in zip(betas, grids[title]):
            print(f"  {b:g}\t", *(f"{value:+.2f}" for value in row), sep="\t")
    for (_, _, _, arm), (_, rate) in best.items():
        edges += float(rate) in (min(rates_tried[arm]), max(rates_tried[arm]))
    print(f"best rates at an edge of those tried: {edges} of {len(best)}")
    if arguments.png:
        draw(grids, alphas, betas, arguments.png)


def draw(grids, alphas, betas, path):
    import matplotlib  # noqa: PLC0415  (tables need none)

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    most = max(abs(value) for grid in grids.values() for row in grid for value in row)
    figure, axes = pyplot.subplots(1, len(grids), figsize=(4.2 * len(grids), 4), sharey=True, constrained_layout=True)
    for axis, (title, grid) in zip(axes, grids.items()):
        image = axis.imshow(grid, origin="lower", cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
        for i, row in enumerate(grid):
            for j, value in enumerate(row):
                shade = "white" if abs(value) > 0.6 * most else "black"
                axis.text(j, i, f"{value:+.2f}", ha="center", va="center", fontsize=8, color=shade)
        axis.set_xticks(range(len(alphas)), [f"{a:g}" for a in alphas])
        axis.set_yticks(range(len(betas)), [f"{b:g}" for b in betas])
        axis.set_xlabel("covariance exponent α")
        axis.set_title(title)
    axes[0].set_ylabel("target exponent β")
    figure.colorbar(image, ax=axes, label="log10 of SignSVD's least loss over SignSGD's")
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)


def end(folder, _):
    groups = collections.defaultdict(list)
    fixed = {"run", "seed", "status", "steps", "tokens", "gradients", "flops", "final_loss", "best_loss", "error", "arm"}
    for run in runs_of(folder):
        varied = "  ".join(f"{k.removeprefix('problem.')}={v}" for k, v in run.items() if k not in fixed and v
                           and not k.startswith("optimizer."))
        groups[varied, run["arm"]].append((run, evaluations(folder, run)[-1]))
    for (varied, arm), found in sorted(groups.items()):
        last = sorted(float(run["final_loss"]) for run, _ in found)
        exact = {key: mean(e["exact"][key] for _, e in found) for key in found[0][1]["exact"] if "gradient" not in key}
        more = "  ".join(f"{key} {value:.3g}" for key, value in exact.items())
        print(f"{varied:50s} {arm:16s} final loss {last[0]:.4g} .. {last[len(last) // 2]:.4g} .. {last[-1]:.4g}"
              f"  least {min(float(run['best_loss']) for run, _ in found):.4g}  {more}")


def main():
    commands = {"rates": rates, "dimensions": dimensions, "phases": phases, "end": end}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=commands)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--png", type=pathlib.Path)
    arguments = parser.parse_args()
    commands[arguments.what](arguments.folder, arguments)


if __name__ == "__main__":
    main()
