#!/usr/bin/env bash
# Sets up and runs every test: layers and formatting, the release build's tests, where there is nvcc those of the CUDA
# backend on a GPU in software, and those of the CPU again under ASan and UBSan. Prints the time of each part.
# STEEPEST_WERROR is on: a warning is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

times=()
part() {
    local name=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@"
    times+=("$(printf '%6d s  %s' $((SECONDS - start)) "$name")")
}

jobs=$(nproc)
build() {
    cmake --preset "$1" -DSTEEPEST_WERROR=ON -DSTEEPEST_TESTS=ON "${@:2}" >/dev/null
    cmake --build "build/$1" --parallel "$jobs" | tail -n 1
}
run_tests() { ctest --test-dir "build/$1" --output-on-failure --parallel "$jobs" --timeout 1200 "${@:2}" | tail -n 40; }
portable() {
    # Without oneDNN: the build that machines without the package get, and its products.
    cmake --preset release -DSTEEPEST_WERROR=ON -DSTEEPEST_ONEDNN=OFF -DSTEEPEST_CUDA=OFF -B build/portable >/dev/null
    cmake --build build/portable --parallel "$jobs" --target test_ops steepest | tail -n 1
    OMP_WAIT_POLICY=passive build/portable/tests/test_ops --gtest_brief=1
}
kernels() {
    scripts/kernel_report --self-test | tail -n 1
    scripts/kernel_report --check >build/kernel_report.txt
    echo "no spills, no local memory, tensor cores in use: build/kernel_report.txt"
}
# What reads the exports back; Debian does not have them. Without them those tests are skipped.
readers() {
    { [ -x build/readers/bin/python ] || python3 -m venv build/readers; } &&
        build/readers/bin/pip install --quiet --disable-pip-version-check tensorboard pyarrow wandb ||
        { echo "PyPI was not reached: exports are not read back"; return 0; }
    export STEEPEST_TEST_PYTHON=$PWD/build/readers/bin/python
}
formatted() {
    command -v clang-format >/dev/null || { echo "clang-format is not installed: not checked"; return 0; }
    git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run --Werror
}

part "packages" scripts/install_packages.sh build test
part "text" scripts/get_bible.sh
part "readers of exports" readers
part "formatting" formatted
# PTX alone: it is what the simulator runs, and a quarter of the compilation.
part "build (release)" build release -DSTEEPEST_CUDA_ARCHITECTURES=80-virtual
part "tests (release)" run_tests release --label-exclude gpu
if command -v nvcc >/dev/null; then
    part "kernels as compiled for sm_90" kernels
    part "tests (CUDA on a simulated GPU)" run_tests release --label-regex gpu
else
    echo "nvcc is not installed: the CUDA backend was not tested"
fi
part "build and products without oneDNN" portable
part "build (ASan, UBSan)" build asan -DSTEEPEST_CUDA=OFF
part "tests (ASan, UBSan)" run_tests asan

printf '\n== time of each part\n'
printf '%s\n' "${times[@]}"
