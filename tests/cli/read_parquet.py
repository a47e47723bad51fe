"""Prints the types and the rows of a Parquet file as JSON."""

import json
import sys

import pyarrow.parquet

table = pyarrow.parquet.read_table(sys.argv[1])
print(json.dumps({"types": {field.name: str(field.type) for field in table.schema}, "rows": table.to_pylist()}))
