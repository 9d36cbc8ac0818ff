#!/usr/bin/env python3
"""Reads what `llm-compress quantize` wrote with pyarrow and onnxruntime, independently of the program.

    python3 scripts/check-quantized.py FOLDER

FOLDER holds weights.parquet, model.onnx and expected.json: {"sequences": [[token id, ...]], "vectors":
[[float, ...]], "tensors": {name: [float, ...]}}. Checks every row's SHA-256, unpacks the named tensors
by the formula of docs/guide/quantization.md, and runs the network. Prints what it found. Exits with 1 when
anything differs, 3 when a package is missing
(python3 -m pip install --target .cache/python-quantization pyarrow onnxruntime).
"""

import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".cache" / "python-quantization"))

try:
    import numpy as np
    import onnxruntime as ort
    import pyarrow.parquet as pq
except ImportError as error:
    print(
        f"{error}: python3 -m pip install --target .cache/python-quantization pyarrow onnxruntime",
        file=sys.stderr,
    )
    sys.exit(3)

LIGHT = "name shape dtype scheme bits symmetric group_size columns first_row rows".split()
HEAVY = "scales zero_points column_factors codes".split()


def check_digest(row: dict) -> None:
    digest = hashlib.sha256("\n".join(str(row[name]) for name in LIGHT).encode())
    for name in HEAVY:
        digest.update(row[name])
    if digest.digest() != row["sha256"]:
        raise SystemExit(f"{row['name']}: another SHA-256")


def unpack(row: dict) -> np.ndarray:
    rows, columns, bits = row["rows"], row["columns"], row["bits"]
    if row["scheme"] == "float32":
        return np.frombuffer(row["codes"], "<f4").reshape(rows, columns)
    packed = np.frombuffer(row["codes"], np.uint8).reshape(rows, -1)
    per_byte = 8 // bits
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    codes = ((packed[:, :, None] >> shifts) & (2**bits - 1)).reshape(rows, -1)[:, :columns]
    scales = np.frombuffer(row["scales"], "<f4")
    zeros = np.frombuffer(row["zero_points"], np.uint8).astype(np.float32)
    size = row["group_size"]
    if size == -1:
        groups = np.zeros((rows, columns), np.int64)
    else:
        size = size or columns
        per_row = -(-columns // size)
        groups = np.arange(rows)[:, None] * per_row + np.arange(columns)[None, :] // size
    values = (codes.astype(np.float32) - zeros[groups]) * scales[groups]
    factors = np.frombuffer(row["column_factors"], "<f4")
    return values * factors if factors.size else values


def main(folder: pathlib.Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    table = pq.read_table(folder / "weights.parquet")
    rows = table.to_pylist()
    for row in rows:
        check_digest(row)
    found = {row["name"]: row for row in rows}
    for name, values in expected["tensors"].items():
        ours = np.array(values, np.float32)
        theirs = unpack(found[name]).reshape(-1)
        if not np.array_equal(ours, theirs):
            raise SystemExit(f"{name}: values differ by {np.abs(ours - theirs).max()}")
    print(f"package: {len(rows)} rows, {len(expected['tensors'])} tensors the same bit for bit")

    options = ort.SessionOptions()
    # Else its sums of INT8 products saturate on processors with AVX2 and without VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    worst = 1.0
    for ids, vector in zip(expected["sequences"], expected["vectors"]):
        shape = (1, len(ids))
        (theirs,) = session.run(
            ["sentence_embedding"],
            {
                "input_ids": np.array(ids, np.int64).reshape(shape),
                "attention_mask": np.ones(shape, np.int64),
                "token_type_ids": np.zeros(shape, np.int64),
            },
        )
        worst = min(worst, float(np.dot(theirs[0], np.array(vector, np.float32))))
    print(f"network: {len(expected['vectors'])} vectors, lowest cosine {worst:.6f}")
    if worst < 0.9999:
        raise SystemExit(f"the vectors differ: lowest cosine {worst:.6f}")


main(pathlib.Path(sys.argv[1]))
