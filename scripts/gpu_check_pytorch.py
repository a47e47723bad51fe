"""One JSON line: the time of a GPT-2 training step in PyTorch on the first GPU, for scripts/gpu_check.sh.

    gpu_check_pytorch.py LAYERS WIDTH HEADS BATCH COMPILED(0|1)

bf16 autocast, fused causal attention, fused AdamW, clipping by norm: what people run. Times by events, after warming up.
"""

import json
import sys

import torch
import torch.nn.functional as F
from torch import nn

LAYERS, WIDTH, HEADS, BATCH, COMPILED = map(int, sys.argv[1:6])
CONTEXT, VOCAB, WARMUP, STEPS = 1024, 50304, 10, 20


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.projection = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc, self.mlp_projection = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, HEADS, c // HEADS).transpose(1, 2) for y in self.qkv(self.ln_1(x)).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, c)
        x = x + self.projection(y)
        return x + self.mlp_projection(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCAB, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.ln_f = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
        nn.init.normal_(self.wte.weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy((self.ln_f(x) @ self.wte.weight.T).flatten(0, 1).float(), targets.flatten())


torch.manual_seed(1)
torch.set_float32_matmul_precision("high")
model = Gpt2().cuda()
run = torch.compile(model) if COMPILED else model
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
tokens = torch.randint(0, VOCAB, (BATCH, CONTEXT + 1), device="cuda")
times = []
for step in range(WARMUP + STEPS):
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    with torch.autocast("cuda", torch.bfloat16):
        loss = run(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    end.record()
    times.append((start, end))
torch.cuda.synchronize()
milliseconds = sorted(a.elapsed_time(b) for a, b in times[WARMUP:])
median = milliseconds[len(milliseconds) // 2]
print(json.dumps({"step_ms": median, "best_step_ms": milliseconds[0], "tokens_per_s": BATCH * CONTEXT / median * 1e3,
                  "peak_memory_mib": torch.cuda.max_memory_allocated() / 2**20, "torch": torch.__version__}))
