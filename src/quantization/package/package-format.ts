/**
 * The format of a package of quantized weights: a Parquet file, ZSTD, one row a tensor (a part of its
 * rows where it is very large), each in a row group of its own. Described for other readers in
 * `docs/guide/quantization.md`.
 */

import type { SchemaElement } from "hyparquet";

export const FORMAT_KEY = "llm-compression.format";
export const FORMAT_NAME = "quantized-weights";
export const FORMAT_VERSION = 1;
/** JSON of `PackageInfo`. */
export const INFO_KEY = "llm-compression.package";

/** Codes of one row of the file at most; larger tensors are cut between their rows. */
export const PART_BYTES = 32 * 1024 * 1024;

const required = (name: string, type: "INT32" | "INT64"): SchemaElement => ({
  name,
  type,
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
  { name: "schema", num_children: 14 },
  text("name"),
  /** Comma-separated sizes of the whole tensor; empty for a scalar. */
  text("shape"),
  /** The type in the source file: "F32", "BF16", … */
  text("dtype"),
  /** "float32" or "affine". */
  text("scheme"),
  required("bits", "INT32"),
  /** 1 when all zero points are the middle code. */
  required("symmetric", "INT32"),
  /** Values per scale along a row; 0 one scale a row, -1 one for the tensor. */
  required("group_size", "INT32"),
  /** The tensor as a matrix: [first size, the others together]. */
  required("columns", "INT32"),
  /** Rows of this part, from the first on. */
  required("first_row", "INT32"),
  required("rows", "INT32"),
  /** Float32, little-endian. */
  bytes("scales"),
  /** One byte each. */
  bytes("zero_points"),
  /** Codes, first in the lowest bits, each row on a byte of its own; or float32 values. */
  bytes("codes"),
  /** CRC-32C of scales, zero points and codes, one behind the other. */
  required("crc32c", "INT64"),
];

export interface PackageInfo {
  /** Of the weights: "all-MiniLM-L6-v2". */
  model: string;
  /** How it was made, for people: method, calibration, versions. */
  settings: Record<string, string | number | boolean>;
  tensorCount: number;
}
