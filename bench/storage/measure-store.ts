/** What a store's folder holds, byte for byte: by kind of file, and inside segments by column group. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parquetMetadata } from "hyparquet";

/** Parts of a store in the order they are printed. */
export const PARTS = [
  "content",
  "envelope",
  "summary",
  "entities",
  "vectors",
  "metadata",
  "other columns",
  "segment footers",
  "journal",
  "dictionaries",
  "index",
  "manifests",
  "other files",
] as const;
export type Part = (typeof PARTS)[number];

const COLUMN_PARTS: Record<string, Part> = {
  content: "content",
  envelope: "envelope",
  summary: "summary",
  entities: "entities",
  embedding: "vectors",
  embedding_scale: "vectors",
  embedding_model: "vectors",
  metadata: "metadata",
};

const FILE_PARTS: readonly [RegExp, Part][] = [
  [/^journal/, "journal"],
  [/^dictionar/, "dictionaries"],
  [/^(index|derived)/, "index"],
  [/^manifest/, "manifests"],
];

export interface StoreBytes {
  totalBytes: number;
  parts: Record<Part, number>;
  segmentCount: number;
  rowGroupCount: number;
  /** Compressed bytes by column name. */
  columns: Record<string, number>;
}

/** Sums every file below `directory`; what segments don't account for by column is their footer. */
export function measureStore(directory: string): StoreBytes {
  const parts = Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<Part, number>;
  const columns: Record<string, number> = {};
  let totalBytes = 0;
  let segmentCount = 0;
  let rowGroupCount = 0;
  for (const path of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const stat = statSync(join(directory, path));
    if (!stat.isFile()) continue;
    totalBytes += stat.size;
    if (!path.endsWith(".parquet")) {
      const part = FILE_PARTS.find(([pattern]) => pattern.test(path))?.[1] ?? "other files";
      parts[part] += stat.size;
      continue;
    }
    segmentCount++;
    let left = stat.size;
    for (const group of readMetadata(join(directory, path)).row_groups) {
      rowGroupCount++;
      for (const { meta_data } of group.columns) {
        if (!meta_data) continue;
        const name = meta_data.path_in_schema[0]!;
        const size = Number(meta_data.total_compressed_size);
        columns[name] = (columns[name] ?? 0) + size;
        parts[COLUMN_PARTS[name] ?? "other columns"] += size;
        left -= size;
      }
    }
    parts["segment footers"] += left;
  }
  return { totalBytes, parts, segmentCount, rowGroupCount, columns };
}

function readMetadata(path: string) {
  const bytes = readFileSync(path);
  return parquetMetadata(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
  );
}
