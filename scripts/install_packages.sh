#!/usr/bin/env bash
# Installs what is missing of Debian's or Ubuntu's packages, and nothing where nothing is missing.
# Usage: scripts/install_packages.sh build|test|demo...
set -euo pipefail

build=(g++ cmake ninja-build nlohmann-json3-dev libspdlog-dev libcli11-dev libxxhash-dev libsimdjson-dev libboost-dev git ca-certificates)
# oneDNN is a fast path; architectures without the package build without it.
optional=(libdnnl-dev)
# A browser for the page that compare makes; without one, that test is skipped.
optional_test=(chromium-headless-shell)
test=(libgtest-dev libbenchmark-dev python3 python3-venv python3-numpy python3-matplotlib python3-plotly bible-kjv slurm-wlm)
demo=(python3 python3-matplotlib python3-plotly bible-kjv)

wanted=()
for set in "$@"; do
    case $set in
        build) wanted+=("${build[@]}") ;;
        test) wanted+=("${test[@]}") optional+=("${optional_test[@]}") ;;
        demo) wanted+=("${demo[@]}") ;;
        *) echo "install_packages.sh: no set of packages is called \"$set\"; there are: build, test, demo" >&2; exit 2 ;;
    esac
done

missing() {
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
    done
}

mapfile -t needed < <(missing "${wanted[@]}")
mapfile -t extra < <(missing "${optional[@]}")
[ $((${#needed[@]} + ${#extra[@]})) -gt 0 ] || exit 0

run_as_root=()
if [ "$(id -u)" -ne 0 ]; then
    # What is optional is not worth a password.
    [ ${#needed[@]} -gt 0 ] || exit 0
    command -v sudo >/dev/null || { echo "missing packages: ${needed[*]}; install them as root, or install sudo" >&2; exit 2; }
    run_as_root=(sudo)
fi
echo "installing: ${needed[*]} ${extra[*]}"
"${run_as_root[@]}" apt-get update -qq
if [ ${#needed[@]} -gt 0 ]; then
    "${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${needed[@]}" >/dev/null
fi
for package in "${extra[@]}"; do
    "${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
        echo "without $package: not available here"
done
