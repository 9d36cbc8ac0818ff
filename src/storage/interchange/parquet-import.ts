/** Parquet exports → records: ours, and V2 files that other programs wrote. */

import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from "hyparquet";
import { AppError } from "../../errors.ts";
import { EMBEDDING_DIMENSIONS } from "../../model/vector.ts";
import { loadZstd } from "../zstd.ts";
import { EXPORT_COLUMNS } from "./export-columns.ts";
import { checkVersion } from "./jsonl.ts";
import { VERSION_KEY } from "./parquet-export.ts";
import type { ExportRecord } from "./portable-memory.ts";
import { ungzip } from "./ungzip.ts";

const SLICE_ROWS = 2_000;
const MAX_PAGE_BYTES = 256 * 1024 * 1024;
const REQUIRED_COLUMNS = ["memory_id", "timestamp"];

function damaged(path: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const isCodec = /unsupported compression codec/.test(reason);
  return new AppError(
    isCodec ? "unsupported_input" : "corrupt_data",
    `“${path}” can't be read as Parquet: ${reason}`,
    {
      hint: isCodec
        ? "Write it again with ZSTD, Snappy, GZIP or no compression."
        : "The file is damaged or cut off; take another copy.",
      cause,
    },
  );
}

async function compressors(): Promise<Compressors> {
  const zstd = await loadZstd();
  const bounded = (length: number): number => {
    if (length > MAX_PAGE_BYTES)
      throw new AppError("too_large", `A page declares ${length} bytes, more than 256 MB.`, {
        hint: "Write the file again with smaller pages.",
      });
    return length;
  };
  return {
    ZSTD: (bytes, length) => zstd.decompress(bytes, { maxBytes: bounded(length) }),
    GZIP: (bytes, length) => ungzip(bytes, bounded(length)),
  };
}

/**
 * INT8 codes again, where the file has their scale, and the ninth bit per value where it stands a
 * quarter off its code; else the floats.
 */
function embeddingOf(row: Record<string, unknown>): unknown {
  const values = row["embedding"];
  if (values === null || values === undefined) return null;
  const numbers = Array.from(values as ArrayLike<number>);
  const scale = row["embedding_scale"];
  if (typeof scale !== "number" || numbers.length !== EMBEDDING_DIMENSIONS) return numbers;
  const steps = numbers.map((value) => (scale === 0 ? 0 : value / scale));
  const codes = Int8Array.from(steps, Math.round);
  const offsets = steps.map((step, i) => step - codes[i]!);
  if (!offsets.every((offset) => Math.abs(Math.abs(offset) - 0.25) < 0.01)) return { codes, scale };
  const fine = new Uint8Array((codes.length + 7) >>> 3);
  offsets.forEach((offset, i) => offset > 0 && (fine[i >>> 3]! |= 1 << (i & 7)));
  return { codes, scale, fine };
}

/** int64 → number, dates → ms, undefined → null, deeply. */
function plain(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}

function toExportRecord(row: Record<string, unknown>): ExportRecord {
  const record: ExportRecord = {};
  for (const [name, value] of Object.entries(row))
    record[name] = name === "embedding" ? embeddingOf(row) : plain(value);
  return record;
}

/** Row numbers count from 1. `corrupt_data` when the file is damaged, `unsupported_input` when it holds no memories. */
export async function* readParquetRecords(
  path: string,
  blob: Blob,
): AsyncGenerator<{ number: number; record: ExportRecord }[]> {
  const file: AsyncBuffer = {
    byteLength: blob.size,
    slice: (start, end = blob.size) => {
      // A damaged footer may point anywhere; Node's Blob ends the process on such a range.
      if (!(Number.isSafeInteger(start) && start >= 0 && end >= start && end <= blob.size))
        throw new RangeError("it points to bytes outside of the file");
      return blob.slice(start, end).arrayBuffer();
    },
  };
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
  } catch (cause) {
    throw damaged(path, cause);
  }
  const version = metadata.key_value_metadata?.find((item) => item.key === VERSION_KEY)?.value;
  checkVersion(version, `“${path}”`);
  const present = topLevelColumns(metadata);
  const missing = REQUIRED_COLUMNS.filter((name) => !present.includes(name));
  if (missing.length > 0)
    throw new AppError("unsupported_input", `“${path}” has no column ${missing.join(", ")}.`, {
      hint: `A Parquet file of memories has at least ${REQUIRED_COLUMNS.join(" and ")}; see docs/guide/data-format.md.`,
    });
  const known = EXPORT_COLUMNS.map((column) => column.name);
  const columns = known.filter((name) => present.includes(name));
  // Ours have every column; a lost one would read as faded text or missing vectors.
  if (version !== undefined && columns.length < known.length)
    throw damaged(path, `it lacks ${known.filter((name) => !present.includes(name)).join(", ")}`);
  const options = {
    file,
    metadata,
    columns,
    compressors: await compressors(),
    utf8: false,
    useOffsetIndex: true,
    // The default decoder would drop a leading U+FEFF of a text.
    parsers: { stringFromBytes: decodeText },
  };
  let start = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = start + Number(group.num_rows);
    for (; start < groupEnd; start = Math.min(start + SLICE_ROWS, groupEnd)) {
      const rowEnd = Math.min(start + SLICE_ROWS, groupEnd);
      let rows: Record<string, unknown>[];
      try {
        rows = await parquetReadObjects({ ...options, rowStart: start, rowEnd });
      } catch (cause) {
        throw damaged(path, cause);
      }
      const first = start + 1;
      yield rows.map((row, index) => ({ number: first + index, record: toExportRecord(row) }));
    }
  }
}

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
function decodeText(bytes: Uint8Array | undefined): string | undefined {
  return bytes && textDecoder.decode(bytes);
}

function topLevelColumns({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  const skip = (index: number): number => {
    let next = index + 1;
    for (let i = 0; i < (schema[index]!.num_children ?? 0); i++) next = skip(next);
    return next;
  };
  for (let index = 1; index < schema.length; index = skip(index)) names.push(schema[index]!.name);
  return names;
}
