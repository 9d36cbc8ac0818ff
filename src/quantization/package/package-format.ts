/**
 * The format of a package of quantized weights: a Parquet file, ZSTD, one row a tensor (a part of its
 * rows where it is very large), each in a row group of its own. Described for other readers in
 * `docs/guide/quantization.md`.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import type { SchemaElement } from "hyparquet";

export const FORMAT_KEY = "llm-compression.format";
export const FORMAT_NAME = "quantized-weights";
export const FORMAT_VERSION = 1;
/** JSON of `PackageInfo`. */
export const INFO_KEY = "llm-compression.package";

/** Codes of one row of the file at most; larger tensors are cut between their rows. */
export const PART_BYTES = 32 * 1024 * 1024;

const int32 = (name: string): SchemaElement => ({
  name,
  type: "INT32",
  repetition_type: "REQUIRED",
});
const text = (name: string): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "REQUIRED",
});
const bytes = (name: string): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  repetition_type: "REQUIRED",
});

export const SCHEMA: SchemaElement[] = [
  { name: "schema", num_children: 15 },
  text("name"),
  /** Comma-separated sizes of the whole tensor; empty for a scalar. */
  text("shape"),
  /** The type in the source file: "F32", "BF16", … */
  text("dtype"),
  /** "float32" or "affine". */
  text("scheme"),
  int32("bits"),
  /** 1 when all zero points are the middle code. */
  int32("symmetric"),
  /** Values per scale along a row; 0 one scale a row, -1 one for the tensor. */
  int32("group_size"),
  /** The tensor as a matrix: [first size, the others together]. */
  int32("columns"),
  /** Rows of this part, from the first on. */
  int32("first_row"),
  int32("rows"),
  /** Float32, little-endian. */
  bytes("scales"),
  /** One byte each. */
  bytes("zero_points"),
  /** Float32, little-endian, one per column; empty where there are none. */
  bytes("column_factors"),
  /** Codes, first in the lowest bits, each row on a byte of its own; or float32 values. */
  bytes("codes"),
  /** SHA-256, 32 bytes; see `rowDigest`. */
  bytes("sha256"),
];

/** The compression of pages; `storage/zstd.ts` is one. */
export interface PackageCodec {
  compress(bytes: Uint8Array, level: number): Uint8Array;
  decompress(bytes: Uint8Array, options: { maxBytes: number }): Uint8Array;
}

/** The columns of one row. */
export interface PackageRow {
  name: string;
  shape: string;
  dtype: string;
  scheme: "affine" | "float32";
  bits: number;
  symmetric: number;
  group_size: number;
  columns: number;
  first_row: number;
  rows: number;
  scales: Uint8Array;
  zero_points: Uint8Array;
  column_factors: Uint8Array;
  codes: Uint8Array;
}

/** What a row's `sha256` column holds: its other columns, first the light ones a line each, then the bytes. */
export function rowDigest(row: PackageRow): Uint8Array {
  const { name, shape, dtype, scheme, bits, symmetric } = row;
  const { group_size: group, columns, first_row: first, rows } = row;
  const light = [name, shape, dtype, scheme, bits, symmetric, group, columns, first, rows];
  return sha256
    .create()
    .update(new TextEncoder().encode(light.join("\n")))
    .update(row.scales)
    .update(row.zero_points)
    .update(row.column_factors)
    .update(row.codes)
    .digest();
}

export interface PackageInfo {
  /** Of the weights: "all-MiniLM-L6-v2". */
  model: string;
  /** How it was made, for people: method, calibration, versions. */
  settings: Record<string, string | number | boolean>;
  tensorCount: number;
}
