"""Prints what an offline run of Weights & Biases below a folder holds, as JSON."""

import glob
import json
import struct
import sys

from wandb.proto import wandb_internal_pb2


def records(path):
    """LevelDB's log format: blocks of 32 KiB, after a header of 7 bytes records of crc, length, type, data."""
    data = open(path, "rb").read()
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7:at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


rows, config, name = [], {}, ""
files = glob.glob(sys.argv[1] + "/wandb/offline-run-*/*.wandb")
for data in records(files[0]):
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    if record.HasField("run"):
        name = record.run.display_name
        config = {u.key: json.loads(u.value_json) for u in record.run.config.update}
    if record.HasField("history"):
        rows.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item})
print(json.dumps({"files": len(files), "rows": rows, "config": config, "name": name}))
