#!/usr/bin/env python3
"""The page of `steepest compare --html` in a real browser: what it shows, and that it needs nothing but itself.

    tests/browser/test_page.py STEEPEST [SCREENSHOT.png]

Exits with 77 where no Chromium is installed, which ctest takes for skipped.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile

from chromium import Chromium, program

STEPS = range(0, 101, 10)
SEEDS, RATES = (1, 2, 3), (0.01, 0.02)
EVIDENCE = {"adamw": "defaults", "gluon": "reconstruction: by the abstract"}


def loss(optimizer, rate, seed, step):
    """Falls from 6; gluon lower, the higher rate lower, seeds a little apart."""
    depth = (3 if optimizer == "adamw" else 3.5) + 20 * rate
    return 6 - depth * step / (step + 20) + 0.01 * seed


def line(kind, step, value, **more):
    return {"kind": kind, "step": step, "tokens": 100 * step, "gradients": step, "model_flops": 1e6 * step,
            "optimizer_flops": 1e3 * step, "loss": value, **more,
            "time": {"step_ms": 20, "optimizer_ms": 1, "train_s": step / 50, "wall_s": step / 40}}


def make_run(folder, optimizer, rate, seed):
    run = folder / f"{optimizer}-{rate}-s{seed}"
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({
        "name": run.name, "seed": seed,
        "optimizer": {"name": optimizer, "evidence": EVIDENCE[optimizer], "groups": {"all": {"learning_rate": rate}}}}))
    lines = [{"kind": "start", "step": 0, "run": run.name, "model": "nano", "optimizer": optimizer, "steps": STEPS[-1],
              "tokens_per_step": 100, "seed": seed, "data": "d", "init": f"i{seed}"}]
    for step in STEPS:
        if step > 0:
            lines.append(line("train", step, loss(optimizer, rate, seed, step) + 0.1))
        lines.append(line("eval", step, loss(optimizer, rate, seed, step), split="validation"))
    lines.append({"kind": "end", "step": STEPS[-1], "reason": "done"})
    (run / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))


class Page:
    """What a person does on the page."""

    def __init__(self, browser):
        self.browser = browser

    def traces(self):
        return self.browser.value("document.getElementById('curves').data.filter(t => t.fill !== 'toself')"
                                  ".map(t => ({name: t.name, x: t.x, y: t.y}))")

    def choose(self, control, value):
        self.browser.value(f"{{ const e = document.getElementById('{control}'); e.value = {json.dumps(value)};"
                           " e.dispatchEvent(new Event('change')); e.dispatchEvent(new Event('input')); }")

    def tick(self, selector):
        self.browser.value(f"document.querySelector({json.dumps(selector)}).click()")

    def column(self, table, header):
        """The texts of one column from top to bottom."""
        return self.browser.value(
            f"{{ const t = document.getElementById('{table}');"
            f" const k = [...t.querySelectorAll('th')].findIndex(h => h.textContent.replace(/ [▲▼]$/, '') === '{header}');"
            " [...t.tBodies[0].rows].map(r => r.cells[k].textContent) }")

    def sort(self, table, header):
        self.browser.value(f"[...document.querySelectorAll('#{table} th')]"
                           f".find(h => h.textContent.replace(/ [▲▼]$/, '') === '{header}').click()")

    def axis(self, name):
        return self.browser.value(f"document.getElementById('curves').layout.{name}axis")


def close(a, b):
    return len(a) == len(b) and all(abs(x - y) < 1e-6 * max(1, abs(y)) for x, y in zip(a, b))


def check(page):
    browser = page.browser
    runs = len(EVIDENCE) * len(RATES) * len(SEEDS)
    browser.wait_for(f"document.getElementById('message')?.textContent === '{runs} runs, 2 arms'")

    # Arms: the mean over seeds at the best rate, and the word for what was pieced together.
    arms = {trace["name"]: trace for trace in page.traces()}
    assert set(arms) == {"adamw", "gluon (reconstruction)"}, set(arms)
    mean = [loss("adamw", 0.02, 2, step) for step in STEPS]
    assert close(arms["adamw"]["x"], list(STEPS)) and close(arms["adamw"]["y"], mean), arms["adamw"]
    assert browser.value("document.getElementById('curves').data.filter(t => t.fill === 'toself').length") == 2
    # The limits are the curves', not those of their intervals.
    late = [loss(name, 0.02, 2, step) for name in EVIDENCE for step in STEPS if step >= 10]
    margin = 0.04 * (max(late) - min(late))
    assert close(page.axis("y")["range"], [min(late) - margin, max(late) + margin]), page.axis("y")["range"]
    assert page.column("arms", "best rate") == ["0.02^", "0.02^"]
    assert page.column("arms", "verdict") == ["baseline", "better"]

    # The horizontal axis.
    for key, factor, label in (("tokens", 100, "tokens"), ("seconds", 1 / 50, "(s)"), ("flops", 1001000, "operations"),
                               ("gradients", 1, "gradient"), ("step", 1, "step")):
        page.choose("by", key)
        assert close(page.traces()[0]["x"], [factor * step for step in STEPS]), key
        title = page.axis("x")["title"]
        assert label in (title["text"] if isinstance(title, dict) else title), title
    page.tick("#logx"), page.tick("#logy")
    assert page.axis("x")["type"] == page.axis("y")["type"] == "log"
    page.tick("#logx"), page.tick("#logy")
    assert page.axis("x")["type"] == page.axis("y")["type"] == "linear"

    # Smoothing: an exponential mean with its start corrected.
    page.choose("smooth", "0.5")
    smoothed, weight, expected = 0, 0, []
    for value in mean:
        smoothed, weight = 0.5 * smoothed + 0.5 * value, 0.5 * weight + 0.5
        expected.append(smoothed / weight)
    assert close(page.traces()[0]["y"], expected)
    page.choose("smooth", "0")

    # Runs: which ones, one toggled, filtered, sorted.
    page.choose("what", "chosen")
    assert len(page.traces()) == 6
    page.tick("#train")
    assert len(page.traces()) == 12
    page.tick("#train")
    page.tick("#runs tbody input")
    assert len(page.traces()) == runs - 1, "without the first of all runs"
    assert "adamw-0.01-s1" not in {trace["name"] for trace in page.traces()}
    page.tick("#none")
    assert not page.traces()
    page.tick("#every")
    assert len(page.traces()) == runs
    for ascending in (True, False):
        page.sort("runs", "final")
        losses = [float(text) for text in page.column("runs", "final")]
        assert losses == sorted(losses, reverse=not ascending) and len(set(losses)) == runs, losses
    page.sort("runs", "run")
    assert page.column("runs", "run") == sorted(page.column("runs", "run"))
    page.choose("filter", "gluon-0.02")
    assert page.column("runs", "run") == [f"gluon-0.02-s{seed}" for seed in SEEDS]
    assert browser.value("document.querySelector('#runs a').href").endswith("/sweep/gluon-0.02-s1/")
    page.choose("filter", "")

    # From a curve to its run.
    browser.value("document.getElementById('curves').emit('plotly_click',"
                  " {points: [{data: document.getElementById('curves').data[4]}]})")
    name = page.traces()[4]["name"]
    assert browser.value("document.querySelector('tr.hot a').textContent") == name
    assert "optimizer.groups.all.learning_rate" in page.column("differences", "config key")
    page.choose("what", "arms")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    if not program():
        print("no Chromium is installed (Debian: chromium-headless-shell): not tested")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for optimizer in EVIDENCE:
            for rate in RATES:
                for seed in SEEDS:
                    make_run(folder / "sweep", optimizer, rate, seed)
        page = folder / "page.html"
        subprocess.run([sys.argv[1], "compare", str(folder / "sweep"), "--html", str(page), "--target", "4"], check=True,
                       stdout=subprocess.DEVNULL)
        with Chromium(program()) as browser:
            browser.open(page.as_uri())
            check(Page(browser))
            if len(sys.argv) == 3:
                picture = browser.call("Page.captureScreenshot", format="png")["data"]
                pathlib.Path(sys.argv[2]).write_bytes(base64.b64decode(picture))
            assert not browser.complaints(), browser.complaints()
            elsewhere = [url for url in browser.requests() if not url.startswith(("file:", "data:", "blob:"))]
            assert browser.requests() and not elsewhere, elsewhere
    print("the page shows what it should, alone")


if __name__ == "__main__":
    main()
