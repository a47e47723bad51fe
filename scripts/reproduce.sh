#!/usr/bin/env bash
# A sweep from its first run to the page: trains what is not trained yet, one run a core, and writes table.txt, curves.png,
# rates.png and page.html beside its results.csv in runs/SWEEP. It can be stopped and started again.
#
#   scripts/reproduce.sh optimizers-nano-short [options of `steepest compare`, e.g. --target 2]
set -euo pipefail
cd "$(dirname "$0")/.."

sweep=${1:?usage: scripts/reproduce.sh SWEEP [options of compare]}
shift
steepest=${STEEPEST:-build/release/steepest}
start=$SECONDS
"$steepest" sweep "$sweep" --jobs "$(nproc)"
echo "trained in $((SECONDS - start)) s"
runs=runs/$(basename "$sweep" .json)
"$steepest" compare "$runs" "$@" --png "$runs/curves.png" --rates "$runs/rates.png" --html "$runs/page.html" |
    tee "$runs/table.txt"
echo "in $runs: results.csv, table.txt, curves.png, rates.png, page.html"
