#!/usr/bin/env python3
"""Reads a Parquet export with pyarrow and DuckDB, independently of the program that wrote it.

    python3 scripts/check-export.py EXPORT_DIRECTORY

Prints the schema and counts of every *.parquet file. Exits with 1 when a type, a name or a count
isn't what docs/guide/data-format.md says, 2 when there is nothing to check, 3 when pyarrow or
duckdb is missing (python3 -m pip install --target .cache/python pyarrow duckdb).
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".cache" / "python"))

try:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    print(f"{error}: python3 -m pip install --target .cache/python pyarrow duckdb", file=sys.stderr)
    sys.exit(3)

DIMENSIONS = 384
ENTITY = pa.struct([("text", pa.string()), ("type", pa.string()), ("confidence", pa.float32())])
QUALITY = pa.struct(
    [
        (name, pa.float64())
        for name in ("similarity", "coverage", "entity_recall", "number_recall", "faithfulness")
    ]
)
# The given interchange schema: names, order and types.
V2 = {
    "memory_id": pa.string(),
    "content": pa.string(),
    "embedding": pa.list_(pa.float32(), DIMENSIONS),
    "summary": pa.string(),
    "entities": pa.list_(ENTITY),
    "timestamp": pa.int64(),
    "activation_level": pa.float32(),
    "metadata": pa.map_(pa.string(), pa.string()),
}
V3 = {
    "recorded_at": pa.int64(),
    "user_id": pa.string(),
    "keep": pa.string(),
    "mode": pa.string(),
    "model": pa.string(),
    "quality": QUALITY,
    "episode_id": pa.string(),
    "previous_id": pa.string(),
    "next_id": pa.string(),
    "supersedes": pa.string(),
    "superseded_by": pa.string(),
    "valid_from": pa.int64(),
    "valid_to": pa.int64(),
    "content_sha256": pa.string(),
    "original_bytes": pa.int64(),
    "stored_bytes": pa.int64(),
    "embedding_model": pa.string(),
    "embedding_scale": pa.float32(),
    "envelope": pa.binary(),
}
DUCKDB_TYPES = {
    "memory_id": "VARCHAR",
    "content": "VARCHAR",
    "embedding": "FLOAT[]",
    "summary": "VARCHAR",
    "entities": 'STRUCT("text" VARCHAR, "type" VARCHAR, confidence FLOAT)[]',
    "timestamp": "BIGINT",
    "activation_level": "FLOAT",
    "metadata": "MAP(VARCHAR, VARCHAR)",
}


def check_pyarrow(path, problems):
    """Schema and values as pyarrow sees them; returns (rows, rows with a vector)."""
    table = pq.read_table(path)
    table.validate(full=True)
    expected = {**V2, **V3}
    if table.schema.names != list(expected):
        problems.append(f"{path.name}: columns {table.schema.names}")
    for name, wanted in expected.items():
        if name not in table.schema.names:
            continue
        found = table.schema.field(name).type
        if not found.equals(wanted):
            problems.append(f"{path.name}: {name} is {found}, not {wanted}")
    for name in ("content", "embedding"):
        if not table.schema.field(name).nullable:
            problems.append(f"{path.name}: {name} is not nullable")
    vectors = table.column("embedding")
    present = len(vectors) - vectors.null_count
    for vector in vectors.drop_null()[:50].to_pylist():
        if len(vector) != DIMENSIONS:
            problems.append(f"{path.name}: a vector has {len(vector)} numbers")
    print(f"{path.name}: {table.num_rows} rows, {present} vectors, {path.stat().st_size} bytes")
    print("  " + table.schema.remove_metadata().to_string().replace("\n", "\n  "))
    return table.num_rows, present


def check_duckdb(directory, rows, vectors, problems):
    """Types, counts and an aggregate over all files as DuckDB sees them."""
    source = f"read_parquet('{str(directory / '*.parquet').replace(chr(39), chr(39) * 2)}')"
    found = {name: type_ for name, type_, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    for name, wanted in DUCKDB_TYPES.items():
        if found.get(name) != wanted:
            problems.append(f"DuckDB: {name} is {found.get(name)}, not {wanted}")
    counted = duckdb.sql(
        f"SELECT count(*), count(embedding), count(DISTINCT memory_id), coalesce(sum(length(content)), 0),"
        f" coalesce(sum(len(entities)), 0), count(*) FILTER (WHERE list_count(embedding) <> {DIMENSIONS})"
        f" FROM {source}"
    ).fetchall()[0]
    print(
        f"DuckDB {duckdb.__version__}: {counted[0]} rows, {counted[1]} vectors, {counted[2]} ids,"
        f" {counted[3]} characters of content, {counted[4]} entities"
    )
    if counted[:2] != (rows, vectors) or counted[2] != rows or counted[5] != 0:
        problems.append(f"DuckDB counts {counted}; pyarrow found {rows} rows and {vectors} vectors")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    directory = pathlib.Path(sys.argv[1])
    paths = sorted(directory.glob("*.parquet"))
    if not paths:
        print(f"There is no .parquet file in {directory}.", file=sys.stderr)
        return 2
    problems = []
    print(f"pyarrow {pa.__version__}")
    counts = [check_pyarrow(path, problems) for path in paths]
    rows = sum(count for count, _ in counts)
    check_duckdb(directory, rows, sum(count for _, count in counts), problems)
    for problem in problems:
        print(f"WRONG {problem}", file=sys.stderr)
    print("FAILED" if problems else "OK")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
