#!/usr/bin/env bash
# Everything that only a GPU can show, in one command and under ten minutes on an H100:
#
#     scripts/gpu_check.sh                        builds into build/gpu and writes gpu_check.json and gpu_check.md
#     scripts/gpu_check.sh --out DIR --only tests,sanitizers
#     scripts/gpu_check.sh --no-build --build DIR uses what is built in DIR, e.g. on a machine without nvcc
#     scripts/gpu_check.sh --rehearse             the script itself, with tiny sizes, on the simulator of tests/gpu_sim
#
# Needs: an NVIDIA driver and GPU (sm_80 or newer), python3. To build: cmake 3.25, ninja, g++ 12, nvcc 13 with cuBLASLt, and
# the headers of scripts/install_packages.sh build test; without a network or root, unpack those packages into a folder and
# name its usr in CMAKE_PREFIX_PATH. Uses, where they are there: compute-sanitizer, nvidia-smi, PyTorch.
# Parts: device, build, tests, sanitizers, ops, step, optimizers, pytorch, curve. Each has a time limit; one that fails or
# is missing is reported and the others go on. Exit code: 0 all passed or said why they were missing; 1 a part failed; 2
# nothing could be run.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "gpu_check.sh: python3 is not there" >&2; exit 2; }
exec python3 scripts/gpu_check.py "$@"
