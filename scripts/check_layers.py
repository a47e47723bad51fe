#!/usr/bin/env python3
"""Fails if a folder includes one it may not, or a file breaks the house's other rules of layout.

    scripts/check_layers.py [ROOT]      check a source tree
    scripts/check_layers.py --self-test check this check: a planted mistake of every kind must be found

The table is the architecture; README.md shows the same one.
"""

import pathlib
import re
import sys
import tempfile

# A folder may always include itself. An entry is a folder, or one header of it.
EVERY_LAYER = ["core", "ops", "data", "comm", "model", "problems", "optim"]
KERNELS = ["kernels/cpu", "kernels/cuda"]
MAY_INCLUDE = {
    "src/core": [],
    "src/ops": ["core"],
    "kernels/cpu": ["core", "ops"],
    "kernels/cuda": ["core", "ops"],
    "src/data": ["core"],
    "src/comm": ["core"],
    "src/model": ["core", "ops"],
    "src/problems": ["core", "ops", "model/problem.h"],
    "src/optim": ["core", "ops", "comm/communicator.h"],
    "src/train": EVERY_LAYER,
    "src/report": ["core"],
    "src/sweep": ["core", "report", "train/interrupt.h", "train/terminal.h"],
    "src/cli": [*EVERY_LAYER, "train", "report", "sweep", *KERNELS],
    "tests": [*EVERY_LAYER, "train", "report", "sweep", "cli", *KERNELS],
}
TOP = ["src", "kernels", "tests", "scripts"]
# A drawer for everything has no purpose one could hold it to.
BANNED_FOLDERS = {"utils", "util", "helpers", "misc", "common"}
MOST_LINES = 450
# Path: why it may be longer.
LONG_FILES = {}
CODE = {".h", ".cpp", ".cu", ".cuh"}
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def layer_of(path):
    """The row of the table a file is under, or None."""
    parents = [parent.as_posix() for parent in pathlib.PurePosixPath(path).parents]
    return next((layer for layer in MAY_INCLUDE if layer in parents), None)


def may_include(layer, header):
    allowed = [layer.removeprefix("src/"), *MAY_INCLUDE[layer]]
    return any(header == entry or header.startswith(entry + "/") for entry in allowed)


def include_mistakes(path, text):
    layer = layer_of(path)
    if layer is None:
        yield f"{path}: no row of the table in scripts/check_layers.py covers its folder"
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match[1]
        if "/" not in header or header.startswith(".") or "/../" in header:
            yield f'{path}:{number}: include "{header}" by its path from src/ or the root'
        elif not may_include(layer, header):
            yield f'{path}:{number}: {layer} may not include "{header}"'


def mistakes(root):
    for top in TOP:
        for file in sorted((root / top).rglob("*")):
            path = file.relative_to(root).as_posix()
            if "__pycache__" in path:
                continue
            if file.is_dir():
                if file.name in BANNED_FOLDERS:
                    yield f"{path}: no folder is called {file.name}: name it after what is in it"
                continue
            if file.suffix not in CODE | {".py", ".sh"}:
                continue
            text = file.read_text(encoding="utf-8")
            lines = text.count("\n")
            if lines > MOST_LINES and path not in LONG_FILES:
                yield f"{path}: {lines} lines, more than {MOST_LINES}"
            if file.suffix in CODE and top != "scripts":
                yield from include_mistakes(path, text)


def self_test():
    good = {
        "src/core/a.h": '#include "core/b.h"\n#include <vector>\n',
        "src/problems/a.cpp": '#include "model/problem.h"\n',
        "src/optim/estimator/a.cpp": '#include "optim/estimator.h"\n#include "comm/communicator.h"\n',
        "kernels/cpu/a.cpp": '#include "kernels/cpu/cpu.h"\n#include "ops/op.h"\n',
        "src/cli/a.cpp": '#include "kernels/cpu/cpu.h"\n#include "report/table.h"\n',
        "tests/ops/a.cpp": '#include "tests/close.h"\n#include "kernels/cuda/cuda.h"\n',
        "tests/data/long.txt": "\n" * (MOST_LINES + 1),
        "scripts/a.py": "\n" * MOST_LINES,
    }
    bad = {
        ("src/core/a.h", '#include "ops/op.h"\n'): 'src/core/a.h:1: src/core may not include "ops/op.h"',
        ("src/model/a.cpp", '\n  # include "optim/optimizer.h"\n'):
            'src/model/a.cpp:2: src/model may not include "optim/optimizer.h"',
        ("src/problems/a.cpp", '#include "model/gpt2.h"\n'):
            'src/problems/a.cpp:1: src/problems may not include "model/gpt2.h"',
        ("src/train/a.cpp", '#include "kernels/cpu/cpu.h"\n'):
            'src/train/a.cpp:1: src/train may not include "kernels/cpu/cpu.h"',
        ("src/report/a.cpp", '#include "train/run_log.h"\n'):
            'src/report/a.cpp:1: src/report may not include "train/run_log.h"',
        ("src/sweep/a.cpp", '#include "train/trainer.h"\n'):
            'src/sweep/a.cpp:1: src/sweep may not include "train/trainer.h"',
        ("kernels/cpu/a.cpp", '#include "kernels/cuda/cuda.h"\n'):
            'kernels/cpu/a.cpp:1: kernels/cpu may not include "kernels/cuda/cuda.h"',
        ("src/core/a.cpp", '#include "b.h"\n'):
            'src/core/a.cpp:1: include "b.h" by its path from src/ or the root',
        ("src/core/a.cpp", '#include "core/../ops/op.h"\n'):
            'src/core/a.cpp:1: include "core/../ops/op.h" by its path from src/ or the root',
        ("src/extras/a.cpp", ""): "src/extras/a.cpp: no row of the table in scripts/check_layers.py covers its folder",
        ("src/core/utils/a.cpp", ""): "src/core/utils: no folder is called utils: name it after what is in it",
        ("src/core/a.cpp", "\n" * (MOST_LINES + 1)): f"src/core/a.cpp: {MOST_LINES + 1} lines, more than {MOST_LINES}",
    }

    def found(files):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                file = pathlib.Path(folder) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return list(mistakes(pathlib.Path(folder)))

    wrong = [] if found(good) == [] else [f"a good tree: found {found(good)}"]
    for (path, text), expected in bad.items():
        if found({path: text}) != [expected]:
            wrong.append(f"{path}: expected [{expected!r}], found {found({path: text})}")
    return wrong


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        found = self_test()
    else:
        root = pathlib.Path(arguments[0] if arguments else ".")
        # A check of nothing must not pass.
        found = list(mistakes(root)) if (root / "src").is_dir() else [f"{root}: no source tree: there is no src in it"]
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
