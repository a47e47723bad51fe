#!/usr/bin/env bash
# From a fresh Debian or Ubuntu to a picture of four optimizers: installs what is missing, builds, trains a nano GPT-2 on
# the King James Bible with AdamW, SignSGD, Muon and Muon-MVR2, compares. Run it again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh build demo
cmake --preset release -DSTEEPEST_TESTS=OFF >/dev/null
cmake --build --preset release --parallel
scripts/get_bible.sh

steepest=build/release/steepest
runs=runs/quickstart
start=$SECONDS
for optimizer in adamw signsgd muon muon-mvr2; do
    echo
    "$steepest" train "quickstart-$optimizer" --set "runs=$runs" --set "name=$optimizer" --overwrite
done
echo
echo "trained in $((SECONDS - start)) s"
echo
"$steepest" compare "$runs"/{adamw,signsgd,muon,muon-mvr2} --png "$runs/quickstart.png" --csv "$runs/quickstart.csv"
echo
echo "the picture: $runs/quickstart.png"
