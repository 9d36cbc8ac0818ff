/** The Parquet schema of a segment, made from the one list of columns. */

import type { SchemaElement } from "hyparquet";
import { COLUMNS, type ColumnSpec } from "./stored-row.ts";

/** Keys in the file's key-value metadata. */
export const FORMAT_KEY = "llm-compression.format";
export const BLOCKS_KEY = "llm-compression.block_crc32c";
export const FORMAT_NAME = "memory-segment";
/** 1: all text is in columns; 2: some is in coded blocks between the row groups. */
export const FORMAT_VERSION = 1;
export const CODED_FORMAT_VERSION = 2;

/** Checksums cover blocks of this size, so that a range read checks only what it touches. */
export const BLOCK_BYTES = 64 * 1024;

const utf8 = (name: string): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "REQUIRED",
});

function columnElements({ name, kind, nullable }: ColumnSpec): SchemaElement[] {
  const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
  switch (kind) {
    case "utf8":
      return [{ ...utf8(name), repetition_type }];
    case "bytes":
      return [{ name, type: "BYTE_ARRAY", repetition_type }];
    case "int64":
      return [{ name, type: "INT64", repetition_type }];
    case "int32":
      return [{ name, type: "INT32", repetition_type }];
    case "float32":
      return [{ name, type: "FLOAT", repetition_type }];
    case "entities":
      return [
        { name, converted_type: "LIST", repetition_type: "REQUIRED", num_children: 1 },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", repetition_type: "REQUIRED", num_children: 3 },
        utf8("text"),
        utf8("type"),
        { name: "confidence", type: "FLOAT", repetition_type: "REQUIRED" },
      ];
    case "metadata":
      return [
        { name, converted_type: "MAP", repetition_type: "REQUIRED", num_children: 1 },
        { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
        utf8("key"),
        utf8("value"),
      ];
    case "quality":
      return [
        { name, repetition_type: "REQUIRED", num_children: 5 },
        { name: "similarity", type: "DOUBLE", repetition_type: "OPTIONAL" },
        { name: "coverage", type: "DOUBLE", repetition_type: "OPTIONAL" },
        { name: "entity_recall", type: "DOUBLE", repetition_type: "REQUIRED" },
        { name: "number_recall", type: "DOUBLE", repetition_type: "REQUIRED" },
        { name: "faithfulness", type: "DOUBLE", repetition_type: "REQUIRED" },
      ];
  }
}

export function segmentSchema(columns: readonly ColumnSpec[] = COLUMNS): SchemaElement[] {
  return [
    { name: "memories", num_children: columns.length },
    ...columns.flatMap((spec) => columnElements(spec)),
  ];
}
