#!/usr/bin/env python3
"""Turns the table of `steepest export --csv` into a Parquet file.

    scripts/export_parquet.py log.csv log.parquet

Needs pyarrow (pip install pyarrow; Debian has no package). Columns are whole numbers, numbers or truth values where all
their cells are, and texts otherwise; empty cells are nulls.
Exit codes: 3 pyarrow is missing, 6 the file cannot be written.
"""

import pathlib
import sys

from written_whole import written_whole

try:
    import pyarrow
    from pyarrow import csv, parquet
except ImportError:
    print("pyarrow is missing: pip install pyarrow", file=sys.stderr)
    sys.exit(3)

# Hashes may look like numbers.
TEXTS = {"run", "kind", "split", "data_hash", "culprit"}


def typed(column):
    for kind in (pyarrow.int64(), pyarrow.float64(), pyarrow.bool_()):
        try:
            return column.cast(kind)
        except pyarrow.ArrowInvalid:
            continue
    return column


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = map(pathlib.Path, sys.argv[1:])
    with csv.open_csv(source, read_options=csv.ReadOptions(block_size=1 << 20)) as reader:
        names = reader.schema.names
    # As texts first: types guessed from the first block would not hold for the rest.
    table = csv.read_csv(source, convert_options=csv.ConvertOptions(
        column_types={name: pyarrow.string() for name in names}, strings_can_be_null=True, null_values=[""],
        quoted_strings_can_be_null=False))
    columns = [table[name] if name in TEXTS else typed(table[name]) for name in names]
    with written_whole(target) as temporary:
        parquet.write_table(pyarrow.table(columns, names=names), temporary)


if __name__ == "__main__":
    main()
