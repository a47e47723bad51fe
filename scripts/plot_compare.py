#!/usr/bin/python3
"""Draws the validation curves of `steepest compare --csv` as a picture.

    scripts/plot_compare.py curves.csv curves.png [--by tokens] [--train]

The picture's format is its ending: .png, .svg or .pdf. Needs Debian's python3-matplotlib.
Exit codes: 3 matplotlib is missing, 6 the picture cannot be written.
"""

import argparse
import csv
import math
import pathlib
import sys

from written_whole import written_whole

try:
    import matplotlib
except ImportError:
    print("matplotlib is missing: install Debian's python3-matplotlib", file=sys.stderr)
    sys.exit(3)

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402  (the backend is chosen before)

LABELS = {
    "step": "step",
    "tokens": "training tokens",
    "gradients": "gradient evaluations",
    "seconds": "training time without evaluation (s)",
    "flops": "floating-point operations",
}
# Okabe and Ito's colours without the yellow, which is too light for a line: told apart by colour-blind readers.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
STYLES = ["-", "--", ":"]  # after every colour was used once
MOST_MARKERS = 25
MOST_LEGEND_ROWS = 24
WARM_UP = 0.1  # of the axis: higher losses there do not set the limits
WORTH_SHOWING = 1.5  # times the limits' range: then nothing is cut off
MARGIN = 0.04


class Run:
    def __init__(self, name, optimizer):
        self.name, self.optimizer = name, optimizer
        self.curves = {"train": ([], []), "eval": ([], [])}
        self.band = []  # (x, low, high)

    def finite(self, kind):
        return [(x, y) for x, y in zip(*self.curves[kind]) if math.isfinite(x) and math.isfinite(y)]

    def final(self):
        """What the legend is sorted by: the last evaluation, where it was finite."""
        ys = self.curves["eval"][1]
        return ys[-1] if ys and math.isfinite(ys[-1]) else math.inf


def read_runs(path, by):
    runs = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            run = runs.setdefault(row["run"], Run(row["run"], row["optimizer"]))
            xs, ys = run.curves[row["kind"]]
            xs.append(float(row[by]))
            ys.append(float(row["loss"]))
            if "low" in row:
                run.band.append((xs[-1], float(row["low"]), float(row["high"])))
    return list(runs.values())


def loss_limits(curves):
    """Limits that the first, huge losses do not set. As src/report/limits.h."""
    points = [point for curve in curves for point in curve]
    if not points:
        return None
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    late = [y for x, y in points if x >= first + WARM_UP * (last - first)]
    if late and max(late) > min(late) and high - low >= WORTH_SHOWING * (max(late) - min(late)):
        high = max(late)
    margin = MARGIN * (high - low) or 0.5
    return low - margin, high + margin


def smoothed(points):
    """Running mean over a fiftieth of the curve, centred; at the ends over what there is of it."""
    half = max(1, len(points) // 100)
    sums = [0.0]
    for _, y in points:
        sums.append(sums[-1] + y)
    means = []
    for i in range(len(points)):
        begin, end = max(0, i - half), min(len(points), i + half + 1)
        means.append((sums[end] - sums[begin]) / (end - begin))
    return [x for x, _ in points], means


def spread(wanted, gap, low, high):
    """Heights at least `gap` apart, near the wanted ones (ascending), within the limits where there is room."""
    groups = []  # [sum of (wanted - offset within the group), heights]
    for want in wanted:
        groups.append([want, 1])
        while len(groups) > 1:
            (s0, n0), (s1, n1) = groups[-2:]
            if s0 / n0 + n0 * gap <= s1 / n1:
                break
            groups[-2:] = [[s0 + s1 - n1 * n0 * gap, n0 + n1]]
    heights = []
    for s, n in groups:
        start = min(max(s / n, low), max(low, high - (n - 1) * gap))
        heights += [start + i * gap for i in range(n)]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    return heights


def label_ends(axes, runs, limits, looks):
    """Each run's name and final loss beside the end of its curve; those that would overlap are moved apart."""
    ends = sorted((run.finite("eval")[-1][1], run.name) for run in runs if run.finite("eval"))
    low, high = limits
    gap = 0.052 * (high - low)
    xs = {run.name: run.finite("eval")[-1][0] for run in runs if run.finite("eval")}
    heights = spread([min(max(y, low), high) for y, _ in ends], gap, low, high)
    left, right = axes.get_xlim()
    for (y, name), height in zip(ends, heights):
        colour = looks[name]["color"]
        axes.annotate(
            f"{name}  {y:.4f}", xy=(xs[name], y), xytext=(right + 0.035 * (right - left), height),
            color=colour, va="center", fontsize=9, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "alpha": 0.7, "shrinkA": 2, "shrinkB": 4,
                        "linestyle": "-" if xs[name] > left + 0.9 * (right - left) else (0, (1, 3))})


def short_number(value, _=None):
    for size, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if size == 1e4 else size):g}{letter}"
    return f"{value:g}"


def draw(runs, by, train, title, targets=()):
    figure, axes = pyplot.subplots(figsize=(8, 4.6), dpi=150, layout="constrained")
    looks = {}
    for i, run in enumerate(runs):
        looks[run.name] = {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": STYLES[i // len(COLOURS) % len(STYLES)],
        }
    ranked = sorted(runs, key=lambda run: (run.final(), run.name))
    for rank, run in enumerate(ranked):
        look, points = looks[run.name], run.finite("eval")
        if train and run.finite("train"):
            axes.plot(*smoothed(run.finite("train")), color=look["color"], linewidth=0.8, alpha=0.35, zorder=2)
        if run.band:
            xs, lows, highs = zip(*run.band)
            axes.fill_between(xs, lows, highs, color=look["color"], alpha=0.2, linewidth=0, zorder=2)
        if points:
            axes.plot(*zip(*points), **look, linewidth=1.8, markersize=4.5, markeredgecolor="white",
                      markeredgewidth=0.6, zorder=3 + len(ranked) - rank, label=f"{run.name}  {points[-1][1]:.4f}",
                      markevery=-(-len(points) // MOST_MARKERS))
    limits = loss_limits([run.finite("eval") for run in runs])
    if limits:
        axes.set_ylim(*limits)
    for target in targets:
        axes.axhline(target, color="#666666", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
        axes.annotate(f"{target:g}", xy=(0, target), xycoords=("axes fraction", "data"), xytext=(4, 2),
                      textcoords="offset points", fontsize=8, color="#666666")
    axes.margins(x=0.02)
    axes.grid(True, color="#d9d9d9", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(LABELS[by])
    axes.set_ylabel("validation (thick) and training loss (nats per token)" if train else "validation loss (nats per token)")
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(short_number))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    if title:
        axes.set_title(title, fontsize=11, loc="left")
    return figure, axes, limits, looks


def draw_rates(path):
    """Loss against learning rate: a point a rate with its interval, diverged rates as crosses at the top."""
    arms = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            arms.setdefault(row["arm"], []).append({key: float(row[key]) for key in row if key != "arm"})
    figure, axes = pyplot.subplots(figsize=(8, 4.6), dpi=150, layout="constrained")
    finite = [p["loss"] for points in arms.values() for p in points if math.isfinite(p["loss"])]
    best = min(finite, default=0)
    # What is far above the best says no more than that it is.
    high = min(max(finite, default=1), best + 3 * (sorted(finite)[len(finite) // 2] - best) + 0.1) if finite else 1
    for i, (name, points) in enumerate(arms.items()):
        points = [p for p in points if math.isfinite(p["learning_rate"]) and p["learning_rate"] > 0]
        good = [p for p in points if math.isfinite(p["loss"])]
        look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        if good:
            low = min(good, key=lambda p: (p["diverged"], p["loss"]))
            axes.plot([p["learning_rate"] for p in good], [p["loss"] for p in good], **look, linewidth=1.6,
                      linestyle=STYLES[i // len(COLOURS) % len(STYLES)], markersize=5, markeredgecolor="white",
                      markeredgewidth=0.6, label=f"{name}  {low['loss']:.4f} at {low['learning_rate']:.3g}", zorder=3)
            band = [p for p in good if math.isfinite(p["low"])]
            axes.fill_between([p["learning_rate"] for p in band], [p["low"] for p in band], [p["high"] for p in band],
                              color=look["color"], alpha=0.2, linewidth=0)
        broken = [p["learning_rate"] for p in points if p["diverged"] > 0]
        axes.plot(broken, [0.985] * len(broken), "x", color=look["color"], transform=axes.get_xaxis_transform(),
                  markersize=7, markeredgewidth=1.6)
    axes.set_xscale("log")
    margin = MARGIN * (high - best) or 0.1
    axes.set_ylim(best - margin, high + 2 * margin)
    axes.grid(True, color="#d9d9d9", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("learning rate (x at the top: a run diverged)")
    axes.set_ylabel("validation loss (nats per token)")
    if arms:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    return figure


def save(figure, path):
    # No dates in the file: the same curves give the same bytes.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(pathlib.Path(path).suffix)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=150, metadata=metadata)


def draw_curves(options):
    runs = read_runs(options.csv, options.by)
    figure, axes, limits, looks = draw(runs, options.by, options.train, options.title, options.target)
    if options.log_y and limits:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(short_number))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    if options.log_x:
        axes.set_xscale("log")
    if limits and len(runs) <= len(COLOURS) and not options.log_x:
        label_ends(axes, runs, limits, looks)
    elif limits:
        columns = -(-len(runs) // MOST_LEGEND_ROWS)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8, ncols=columns)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", help="what `steepest compare --csv` wrote")
    parser.add_argument("picture", help="file to draw, .png, .svg or .pdf")
    parser.add_argument("--by", choices=LABELS, default="step", help="horizontal axis (default: step)")
    parser.add_argument("--train", action="store_true", help="also the training loss, smoothed, as a thin line")
    parser.add_argument("--title", default="", help="above the picture")
    parser.add_argument("--target", type=float, action="append", default=[], help="mark this loss by a line")
    parser.add_argument("--log-x", action="store_true", help="logarithmic horizontal axis")
    parser.add_argument("--log-y", action="store_true", help="logarithmic loss")
    parser.add_argument("--rates", action="store_true", help="the file is of losses against learning rates")
    options = parser.parse_args()
    matplotlib.rcParams.update({
        "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
        "svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "steepest"})
    figure = draw_rates(options.csv) if options.rates else draw_curves(options)
    save(figure, options.picture)


if __name__ == "__main__":
    main()
