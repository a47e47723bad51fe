#!/usr/bin/env python3
"""Bytes that kernels move, bank conflicts and local memory, as the GPU in software counts them, against bounds.

    check.py PROGRAM     PROGRAM: tests/traffic/traffic.cpp, over the stand-in libraries (LD_LIBRARY_PATH)
    check.py --self-test

Moved are the distinct 32-byte sectors of each block, read and written: what a cache a block would ask of the memory.
"""

import json
import os
import subprocess
import sys
import tempfile

# Extra cycles of shared memory an access: of kernels that use tensor cores, and of others, whose tiles on their way out
# may have some. Those of the token sort follow from the tokens.
CONFLICTS, OTHER_CONFLICTS, BY_DATA = 0.02, 0.1, "steepest::cuda::(anonymous namespace)::scatter"


def cases_of(executed):
    """The kernels of each case, by the memsets that begin them."""
    cases, current = {}, None
    for entry in executed:
        if entry["kind"] == "memset" and entry["bytes"] % 4 == 1:
            current = cases.setdefault((entry["bytes"] - 1) // 4, [])
        elif entry["kind"] == "kernel" and current is not None:
            current.append(entry)
    return cases


def moved(kernel, every_block):
    return 32 * (kernel["sectors_read"] + kernel["sectors_written"]) - (kernel["blocks"] - 1) * every_block


def check(parts, report):
    """Faults, and a table."""
    faults, rows = [], []
    cases = cases_of(report["executed"])
    for p in parts:
        kernels = [k for k in cases.get(p["case"], []) if p["kernel"] in k["name"]]
        total = sum(moved(k, p["every_block"]) for k in kernels)
        asked = sum(k["requested_global_read"] + k["requested_global_written"] for k in kernels)
        name = p["name"] + (f": {p['kernel']}" if p["kernel"] else "")
        rows.append(f"{name:36} {p['least']:11.0f} least {total:11.0f} moved {total / p['least']:6.3f} "
                    f"(at most {p['bound']}) {asked:12.0f} asked for")
        if not kernels:
            faults.append(f"{name}: no kernel ran")
        if total > p["bound"] * p["least"]:
            faults.append(f"{name}: moves {total / p['least']:.3f} times the {p['least']:.0f} bytes it must, "
                          f"at most {p['bound']} allowed")
        if p["must"] and total < 0.9 * p["least"]:
            faults.append(f"{name}: moves {total:.0f} bytes, less than the {p['least']:.0f} it must: which of both is wrong?")
    for name, k in report["kernels"].items():
        accesses, conflicts = k["shared_accesses"] + k["ldmatrix"], k["shared_conflicts"] + k["ldmatrix_conflicts"]
        if accesses:
            rows.append(f"{conflicts / accesses:6.3f} conflicts an access of shared memory{', mma' if k['mma'] else ''}: {name}")
        most = CONFLICTS if k["mma"] else OTHER_CONFLICTS
        if conflicts > most * accesses and name != BY_DATA:
            faults.append(f"{name}: {conflicts} bank conflicts in {accesses} accesses, at most {most} each allowed")
        if k["local_bytes"]:
            faults.append(f"{name}: {k['local_bytes']} bytes of local memory")
    return faults, rows


def run(program):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "report.json")
        environment = {**os.environ, "GPU_SIM_REPORT": file, "GPU_SIM_GRADIENT_EPILOGUES": "refused",
                       "STEEPEST_TEST_DEVICE": "cuda"}
        done = subprocess.run([program], env=environment, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            sys.exit(f"{program}: exit code {done.returncode}")
        with open(file, encoding="utf-8") as text:
            return json.loads(done.stdout), json.load(text)


def self_test():
    """Planted faults must be found."""
    kernel = {"kind": "kernel", "name": "k", "blocks": 2, "sectors_read": 10, "sectors_written": 0,
              "requested_global_read": 320, "requested_global_written": 0}
    part = {"case": 1, "name": "case", "kernel": "", "least": 320, "bound": 1.1, "every_block": 0, "must": True}
    clean = {"shared_accesses": 100, "shared_conflicts": 1, "ldmatrix": 0, "ldmatrix_conflicts": 0, "mma": 1, "local_bytes": 0}

    def faults(part_changes=(), kernel_changes=(), sums=()):
        report = {"executed": [{"kind": "memset", "bytes": 5}, {**kernel, **dict(kernel_changes)}],
                  "kernels": {"k": {**clean, **dict(sums)}}}
        return check([{**part, **dict(part_changes)}], report)[0]

    assert faults() == []
    assert faults(kernel_changes={"sectors_read": 12}) and faults(kernel_changes={"sectors_written": 2})
    assert faults(kernel_changes={"sectors_read": 12}, part_changes={"every_block": 64}) == []
    assert faults(kernel_changes={"sectors_read": 8}) and faults(part_changes={"kernel": "other"})
    assert faults(sums={"shared_conflicts": 3}) and faults(sums={"ldmatrix_conflicts": 3}) and faults(sums={"local_bytes": 4})
    assert faults(sums={"shared_conflicts": 3, "mma": 0}) == [] and faults(sums={"shared_conflicts": 11, "mma": 0})
    print("all planted faults were found")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    faults, rows = check(*run(sys.argv[1]))
    print("\n".join(rows))
    for fault in faults:
        print("FAULT " + fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
