#!/usr/bin/env python3
"""Times steepest's training step against PyTorch's, interleaved in one run, and prints the ratios.

Same model, batch, precision, optimizer (AdamW, clipping by norm), random tokens, all cores. PyTorch runs twice: as
installed, and with glibc told to keep large blocks on huge pages ("tuned"): without that, page faults cost it a factor of
three to four on virtual machines, and the tuned figure is the fair yardstick.

    scripts/bench_pytorch.py [--steepest build/release/steepest] [--models 124M small] [--rounds 3] [--json FILE]

Needs PyTorch (Debian: python3-torch, and libopenblas0-openmp so that both sides have one OpenMP pool).
"""
import argparse
import json
import os
import subprocess
import sys

MODELS = {
    "124M": dict(config="bench-124M", layers=12, heads=12, width=768, context=256, vocab=50304, batch=4),
    "small": dict(config="bench-small", layers=4, heads=4, width=256, context=256, vocab=512, batch=4),
}
TUNED = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=40000000000:glibc.malloc.trim_threshold=40000000000"


def torch_step(model, precision, steps, warmup):
    """The other process: one JSON line with the median step in milliseconds and the peak memory in MiB."""
    import math
    import resource
    import time

    import torch
    import torch.nn.functional as F
    from torch import nn

    m = MODELS[model]
    C, H, T, B, V = m["width"], m["heads"], m["context"], m["batch"], m["vocab"]
    torch.manual_seed(1)
    torch.set_num_threads(len(os.sched_getaffinity(0)))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
            self.c_attn, self.c_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
            self.c_fc, self.mlp_proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)
            self.register_buffer("mask", torch.tril(torch.ones(T, T, dtype=torch.bool)), persistent=False)

        def attention(self, x):
            q, k, v = (t.view(B, T, H, C // H).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
            if hasattr(F, "scaled_dot_product_attention"):
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                scores = (q @ k.transpose(-2, -1)) / math.sqrt(C // H)
                y = F.softmax(scores.masked_fill(~self.mask, float("-inf")), dim=-1) @ v
            return self.c_proj(y.transpose(1, 2).reshape(B, T, C))

        def forward(self, x):
            x = x + self.attention(self.ln_1(x))
            h = self.c_fc(self.ln_2(x))
            try:
                h = F.gelu(h, approximate="tanh")
            except TypeError:
                h = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h * h * h)))
            return x + self.mlp_proj(h)

    class Gpt2(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(V, C), nn.Embedding(T, C)
            self.blocks = nn.ModuleList(Block() for _ in range(m["layers"]))
            self.ln_f = nn.LayerNorm(C)
            for p in self.parameters():
                if p.dim() == 2:
                    nn.init.normal_(p, std=0.02)

        def forward(self, x, y):
            h = self.wte(x) + self.wpe(torch.arange(T))
            for block in self.blocks:
                h = block(h)
            logits = F.linear(self.ln_f(h), self.wte.weight)
            return F.cross_entropy(logits.view(-1, V).float(), y.view(-1))

    net = Gpt2()
    optimizer = torch.optim.AdamW(net.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1)
    times = []
    for step in range(warmup + steps):
        x, y = torch.randint(0, V, (B, T)), torch.randint(0, V, (B, T))
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = net(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if step >= warmup:
            times.append(time.perf_counter() - start)
    times.sort()
    print(json.dumps(dict(step_ms=times[len(times) // 2] * 1e3, torch=torch.__version__,
                          resident_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))


def run(command, environment):
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {result.returncode}")
    return json.loads(result.stdout.splitlines()[-1])


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steepest", default=os.path.join(root, "build/release/steepest"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    parser.add_argument("--rounds", type=int, default=3, help="each round runs every side once; medians are over rounds")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--default-malloc", action="store_true", help="also time PyTorch as installed")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--torch-step", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch_step:
        return torch_step(*args.torch_step, steps=args.steps, warmup=2)

    # An old core type forced on OpenBLAS would halve PyTorch's speed: a peer is timed at its best.
    plain = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "GLIBC_TUNABLES")}
    peers = {"torch tuned": dict(plain, GLIBC_TUNABLES=TUNED)}
    if args.default_malloc:
        peers["torch"] = plain
    figures = []
    print(f"{'model':8} {'precision':9} {'side':12} {'ms/step':>9} {'tokens/s':>9} {'MiB':>7} {'steepest is':>12}")
    for model in args.models:
        tokens = MODELS[model]["batch"] * MODELS[model]["context"]
        for precision in args.precisions:
            rounds = {}
            for _ in range(args.rounds):
                ours = [args.steepest, "bench", "step", MODELS[model]["config"], "--json", "--steps", str(args.steps),
                        "--set", f"precision.compute={precision}"]
                rounds.setdefault("steepest", []).append(run(ours, plain))
                for name, environment in peers.items():
                    theirs = [sys.executable, __file__, "--steps", str(args.steps), "--torch-step", model, precision]
                    rounds.setdefault(name, []).append(run(theirs, environment))
            median = {name: sorted(r["step_ms"] for r in runs)[len(runs) // 2] for name, runs in rounds.items()}
            for name, runs in rounds.items():
                memory = max(r["resident_mib"] for r in runs)
                ratio = "" if name == "steepest" else f"{median[name] / median['steepest']:.2f}x faster"
                print(f"{model:8} {precision:9} {name:12} {median[name]:9.1f} {tokens / median[name] * 1e3:9.0f} {memory:7.0f} {ratio:>12}",
                      flush=True)
                figures.append(dict(model=model, precision=precision, side=name, step_ms=median[name], resident_mib=memory, rounds=runs))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(figures, f, indent=1)


if __name__ == "__main__":
    main()
