#!/usr/bin/env bash
# The five-point learning-rate sweep behind configs/experiments/quickstart-*: every run at half, once, twice, ... the preset's
# rates, on the quickstart's own data and steps. Finished runs are kept, so it can be stopped and started. About 25 minutes
# on two cores. Usage: scripts/sweep_quickstart.sh [STEEPEST]
set -euo pipefail
cd "$(dirname "$0")/.."

steepest=${1:-build/release/steepest}
runs=runs/quickstart-sweep
declare -A scales=(
    [adamw]="1 2 4 8 16"
    [signsgd]="2 4 8 16 32"
    [muon]="0.25 0.5 1 2 4"
    [muon-mvr2]="0.5 1 2 4 8"
)
for optimizer in adamw signsgd muon muon-mvr2; do
    for scale in ${scales[$optimizer]}; do
        "$steepest" train "quickstart-$optimizer" --set "runs=$runs" --set "name=$optimizer-x$scale" \
            --set "optimizer.lr_scale=$scale" --resume --quiet
    done
done
"$steepest" compare $(for o in adamw signsgd muon muon-mvr2; do for s in ${scales[$o]}; do echo "$runs/$o-x$s"; done; done) \
    --csv "$runs/sweep.csv"
