"""The parts of scripts/gpu_check.sh, which says what they are and need."""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
# Of the processor, and the two that take minutes under a sanitizer.
NOT_ON_GPU = "-Gemm*:*Engine*:References*"
SLOW = ":*BytesDependOnTheInputAlone*:*LongRows*"
OPTIMIZERS = ("sgd", "adamw", "signsgd", "muon", "muon-mvr2")


class Missing(Exception):
    """A part that cannot be run here, and why."""


class Check:
    def __init__(self, arguments):
        self.arguments = arguments
        self.rehearse = arguments.rehearse
        self.build_folder = pathlib.Path(arguments.build).resolve()
        self.results, self.tables = {}, []

    # --- running

    def call(self, command, limit, env=None, cwd=ROOT):
        """Output of a command; raises for failure, and for more than `limit` seconds."""
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive", **(env or {})}
        if self.rehearse:
            environment["LD_LIBRARY_PATH"] = str(self.build_folder / "tests/gpu_sim/lib")
            environment.setdefault("GPU_SIM_CHECKS", "none")
        try:
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=limit,
                                  env=environment, cwd=cwd)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"took more than {limit} s: {' '.join(map(str, command))[:200]}") from error
        except FileNotFoundError as error:
            raise Missing(f"{command[0]} is not there") from error
        if done.returncode != 0:
            text = (done.stdout + done.stderr).strip().splitlines()
            raise RuntimeError(f"exit code {done.returncode}: " + " | ".join(text[-6:])[-800:])
        return done.stdout

    def steepest(self, *arguments, limit, cwd=ROOT):
        # The rehearsal's has its CUDA runtime as a shared library, which the simulator can replace.
        name = "tests/steepest_shared_runtime" if self.rehearse else "steepest"
        return self.call([self.build_folder / name, *arguments], limit, cwd=cwd)

    def size(self):
        """Options of a step that a GPU, or the rehearsal, takes seconds for."""
        if self.rehearse:
            return ["--steps", "2", "--warmup", "1", "--gemm", "64", "--set", "model=micro", "--set", "model.layers=1",
                    "--set", "model.context=16", "--set", "batch=1", "--set", "micro_batch=1"]
        return ["--steps", "20", "--warmup", "5"]

    # --- parts, in order

    def device(self):
        if self.rehearse:
            return {"name": "gpu_sim", "driver": None}
        fields = "name,driver_version,memory.total,clocks.max.sm,power.limit"
        if not shutil.which("nvidia-smi") and os.path.exists("/dev/nvidiactl"):
            return {"name": "unnamed: nvidia-smi is not there"}
        line = self.call(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"], 20).splitlines()[0]
        return dict(zip(fields.split(","), [field.strip() for field in line.split(",")]))

    def build(self):
        if self.arguments.no_build or self.rehearse:
            for file in ("steepest", "tests/test_ops"):
                if not (self.build_folder / file).is_file():
                    raise RuntimeError(f"{self.build_folder / file} is not there; build it, or leave out --no-build")
            return {"folder": str(self.build_folder), "seconds": None}
        absent = [tool for tool in ("cmake", "ninja", "g++") if not shutil.which(tool)]
        if not (shutil.which("nvcc") or os.path.exists("/usr/local/cuda/bin/nvcc")):
            absent.append("nvcc")
        if absent:
            raise RuntimeError(f"to build, these are missing: {', '.join(absent)}; or use --no-build --build DIR")
        start = time.monotonic()
        self.call(["cmake", "--preset", "cuda", "-B", self.build_folder, "-DSTEEPEST_CUDA_ARCHITECTURES=native"], 60)
        self.call(["cmake", "--build", self.build_folder, "--parallel", str(os.cpu_count())], 280)
        return {"folder": str(self.build_folder), "seconds": round(time.monotonic() - start, 1)}

    def tests(self):
        """The op, model and train tests, on the device."""
        ran = {}
        filters = {"test_ops": NOT_ON_GPU, "test_model": "*", "test_train": "*Stepper*:*Backends*:*Oracle*"}
        if self.rehearse:
            filters = {"test_ops": "Gelu*:LayerNorm*"}
        for binary, chosen in filters.items():
            with tempfile.NamedTemporaryFile(suffix=".json") as report:
                error = None
                try:
                    self.call([self.build_folder / "tests" / binary, f"--gtest_filter={chosen}", "--gtest_brief=1",
                               f"--gtest_output=json:{report.name}"], 90, {"STEEPEST_TEST_DEVICE": "cuda"})
                except RuntimeError as failure:
                    error = str(failure)
                text = pathlib.Path(report.name).read_text(encoding="utf-8")
            entry = {"error": error}
            if text:
                found = json.loads(text)
                entry |= {"tests": found["tests"], "failures": found["failures"],
                          "failed": [f"{suite['name']}.{test['name']}" for suite in found["testsuites"]
                                     for test in suite["testsuite"] if test.get("failures")]}
            ran[binary] = entry
        self.table("Tests on the device", ["binary", "tests", "failed", "which"],
                   [[name, e.get("tests", ""), e.get("failures", "all"), ", ".join(e.get("failed", [])) or e["error"] or ""]
                    for name, e in ran.items()])
        if any(e["error"] for e in ran.values()):
            raise RuntimeError("; ".join(f"{name}: {e['error']}" for name, e in ran.items() if e["error"])[:800])
        return ran

    def sanitizers(self):
        tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
        if self.rehearse or not os.path.exists(tool):
            raise Missing("compute-sanitizer is not there" if not self.rehearse else "the simulator has its own checks")
        found = {}
        for name in SANITIZERS:
            try:
                self.call([tool, "--tool", name, "--error-exitcode", "9", self.build_folder / "tests/test_ops",
                           f"--gtest_filter={NOT_ON_GPU}{SLOW}", "--gtest_brief=1"], 60, {"STEEPEST_TEST_DEVICE": "cuda"})
                found[name] = "clean"
            except RuntimeError as failure:
                found[name] = str(failure)
        self.table("compute-sanitizer", ["tool", "result"], [[k, v] for k, v in found.items()])
        wrong = [name for name, result in found.items() if result != "clean"]
        if wrong:
            raise RuntimeError(f"not clean: {', '.join(wrong)}: {found[wrong[0]][:400]}")
        return found

    def ops(self):
        text = self.steepest("bench", "ops", "bench-124M", "--set", "device=cuda", "--set", "precision.compute=bf16",
                             *self.larger(), *self.size(), limit=90)
        self.tables.append(("Ops of a step", "```text\n" + text + "```\n"))
        return {"text": text}

    def larger(self):
        return [] if self.rehearse else ["--set", "model.context=1024", "--set", "batch=16", "--set", "micro_batch=16"]

    def bench_step(self, model, optimizer, batch):
        sizes = self.size() if self.rehearse else [*self.size(), "--set", f"model={model}", "--set", "model.context=1024",
                                                   "--set", f"batch={batch}", "--set", f"micro_batch={batch}"]
        line = self.steepest("bench", "step", "bench-124M", "--json", "--set", f"optimizer={optimizer}", "--set",
                             "device=cuda", "--set", "precision.compute=bf16", *sizes, limit=60)
        return json.loads(line.strip().splitlines()[-1])

    def step(self):
        found = {model: self.bench_step(model, "adamw", batch) for model, batch in (("gpt2-124M", 32), ("gpt2-350M", 16))}
        self.table("Steps, bf16, T = 1024, AdamW", ["model", "ms", "tokens/s", "GEMM peak, TFLOP/s"],
                   [[k, f"{v['step_ms']:.2f}", f"{v['tokens_per_s']:,.0f}", f"{v['measured_peak_gflop_per_s'] / 1e3:.1f}"]
                    for k, v in found.items()])
        return found

    def optimizers(self):
        found = {name: self.bench_step("gpt2-124M", name, 16) for name in OPTIMIZERS}
        self.table("Optimizers, 124M, 16,384 tokens a step", ["optimizer", "step, ms", "tokens/s"],
                   [[k, f"{v['step_ms']:.2f}", f"{v['tokens_per_s']:,.0f}"] for k, v in found.items()])
        return found

    def pytorch(self):
        try:
            import torch
        except ImportError as error:
            raise Missing("PyTorch is not there") from error
        if not torch.cuda.is_available():
            raise Missing("PyTorch is there, but without a GPU")
        found = {}
        for layers, width, heads, batch in ((12, 768, 12, 32), (24, 1024, 16, 16)):
            for compiled in (0, 1):
                key = f"{layers} x {width}, " + ("compiled" if compiled else "eager")
                text = self.call([sys.executable, ROOT / "scripts/gpu_check_pytorch.py", layers, width, heads, batch, compiled],
                                 90)
                found[key] = json.loads(text.strip().splitlines()[-1])
        self.table("PyTorch, bf16 autocast, T = 1024, fused AdamW", ["model", "ms", "tokens/s"],
                   [[k, f"{v['step_ms']:.2f}", f"{v['tokens_per_s']:,.0f}"] for k, v in found.items()])
        return found

    def curve(self):
        """The same 200 steps on the GPU and on the CPU."""
        steps = 3 if self.rehearse else 200
        losses = {}
        with tempfile.TemporaryDirectory() as folder:
            text = pathlib.Path(folder) / "text.txt"
            text.write_text("".join(f.read_text(encoding="utf-8") for f in sorted(ROOT.glob("src/*/*.h"))), encoding="utf-8")
            (pathlib.Path(folder) / "curve.json").write_text(json.dumps(
                {"model": "micro", "optimizer": "adamw", "data": {"train": ["text.txt"]}, "batch": 4, "steps": steps,
                 "evaluation": {"every": 0}, "precision": {"compute": "fp32"}}))
            for device in ("cpu", "cuda"):
                self.steepest("train", "curve.json", "--quiet", "--set", f"device={device}", "--set", f"name={device}",
                              limit=90, cwd=folder)
                log = pathlib.Path(folder) / "runs" / device / "log.jsonl"
                lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
                losses[device] = [line["loss"] for line in lines if line["kind"] == "train"]
        if len(losses["cpu"]) != steps or len(losses["cuda"]) != steps:
            raise RuntimeError(f"expected {steps} losses, found {len(losses['cpu'])} and {len(losses['cuda'])}")
        apart = [abs(a - b) for a, b in zip(losses["cpu"], losses["cuda"])]
        at = range(0, steps, max(1, steps // 8))
        self.table("Loss, micro, fp32", ["step", "cpu", "gpu", "apart"],
                   [[i + 1, f"{losses['cpu'][i]:.6f}", f"{losses['cuda'][i]:.6f}", f"{apart[i]:.1e}"] for i in at])
        return {**losses, "largest_difference": max(apart)}

    # --- reports

    def table(self, name, head, rows):
        line = lambda cells: "| " + " | ".join(str(c) for c in cells) + " |"
        self.tables.append((name, "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)]) + "\n"))

    def run(self):
        parts = ("device", "build", "tests", "sanitizers", "ops", "step", "optimizers", "pytorch", "curve")
        only = self.arguments.only.split(",") if self.arguments.only else parts
        if unknown := set(only) - set(parts):
            sys.exit(f"gpu_check: no part is called {', '.join(sorted(unknown))}; there are: {', '.join(parts)}")
        for name in parts:
            if name not in only and name not in ("device", "build"):
                continue
            start = time.monotonic()
            entry = {"status": "passed"}
            try:
                entry["result"] = getattr(self, name)()
            except Missing as missing:
                entry = {"status": "missing", "why": str(missing)}
            except Exception as error:  # whatever happens to one part, the others are worth having
                entry = {"status": "failed", "why": f"{error}" or repr(error)}
            entry["seconds"] = round(time.monotonic() - start, 1)
            self.results[name] = entry
            print(f"{name:11} {entry['status']:8} {entry['seconds']:6.1f} s  {entry.get('why', '')}", flush=True)
            self.write()
            if name in ("device", "build") and entry["status"] != "passed":
                print(f"gpu_check: nothing can be run without: {name}", file=sys.stderr)
                return 2
        return 1 if any(e["status"] == "failed" for e in self.results.values()) else 0

    def write(self):
        out = pathlib.Path(self.arguments.out)
        out.mkdir(parents=True, exist_ok=True)
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT).stdout
        about = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                 "commit": commit.strip() or "unknown", "rehearsal": self.rehearse}
        (out / "gpu_check.json").write_text(json.dumps({"format": 1, **about, "parts": self.results}, indent=1) + "\n")
        device = self.results.get("device", {}).get("result", {})
        lines = [f"# GPU check: {device.get('name', 'no device')}\n",
                 ("**A rehearsal on the simulator: times mean nothing.**\n\n" if self.rehearse else "")
                 + f"{about['date']}, commit {about['commit']}, driver {device.get('driver_version')}\n",
                 "| part | status | s | why |\n| --- | --- | ---: | --- |\n" + "".join(
                     f"| {k} | {e['status']} | {e['seconds']} | {re.sub(r'[|]', '/', e.get('why', ''))} |\n"
                     for k, e in self.results.items())]
        lines += [f"## {name}\n\n{text}" for name, text in self.tables]
        (out / "gpu_check.md").write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description="What only a GPU can show; see scripts/gpu_check.sh.")
    parser.add_argument("--out", default=str(ROOT / "build"), help="where gpu_check.json and gpu_check.md go")
    parser.add_argument("--build", default=None, help="build folder; default build/gpu, of a rehearsal build/release")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--only", help="parts, separated by commas")
    parser.add_argument("--rehearse", action="store_true", help="tiny, on the simulator; the build must be there")
    arguments = parser.parse_args()
    arguments.build = arguments.build or str(ROOT / ("build/release" if arguments.rehearse else "build/gpu"))
    sys.exit(Check(arguments).run())


if __name__ == "__main__":
    main()
