/**
 * Writes a segment: one Parquet file, one page per column and row group, ZSTD. Text pages are
 * compressed first, column by column with a pause between them, both to know what each memory
 * costs before `stored_bytes` is written and to keep the thread responsive; pages that came
 * unchanged out of an older segment keep their compressed bytes.
 */

import { ByteWriter as ParquetBytes, ParquetWriter } from "hyparquet-writer";
import type { Encoding } from "hyparquet";
import { ByteWriter, crc32c, equalBytes } from "./bytes.ts";
import type { ManifestSegment } from "./manifest.ts";
import {
  BLOCKS_KEY,
  BLOCK_BYTES,
  FORMAT_KEY,
  FORMAT_NAME,
  FORMAT_VERSION,
  segmentSchema,
} from "./segment-schema.ts";
import { COLUMNS, utf8Length, type ColumnSpec, type StoredRow } from "./stored-row.ts";
import type { Zstd } from "./zstd.ts";

/** Identifiers, times and vectors hardly shrink further at more effort. */
const LIGHT_LEVEL = 6;

/** The columns that `storedBytes` accounts for, and a row's part of each, in bytes. */
const TEXT_COLUMNS: Record<string, (row: StoredRow) => number> = {
  content: (row) => (row.content === null ? 0 : utf8Length(row.content)),
  envelope: (row) => row.envelope?.length ?? 0,
  summary: (row) => utf8Length(row.summary),
  entities: (row) =>
    row.entities.reduce((sum, entity) => sum + utf8Length(entity.text) + entity.type.length + 4, 0),
};

/** Compressed pages by their exact content. */
export class PageReuse {
  readonly #pages = new Map<number, { raw: Uint8Array; packed: Uint8Array }[]>();

  add(raw: Uint8Array, packed: Uint8Array): void {
    const key = crc32c(raw);
    const same = this.#pages.get(key);
    if (same) same.push({ raw, packed });
    else this.#pages.set(key, [{ raw, packed }]);
  }

  find(raw: Uint8Array): Uint8Array | undefined {
    if (this.#pages.size === 0) return undefined;
    return this.#pages.get(crc32c(raw))?.find((page) => equalBytes(page.raw, raw))?.packed;
  }

  clear(): void {
    this.#pages.clear();
  }
}

function encodingOf(spec: ColumnSpec, data: readonly unknown[]): Encoding | undefined {
  if (spec.nullable) {
    // A page without any value has nothing that these encodings could begin with.
    if (!spec.heavy || spec.kind === "float32" || data.every((value) => value === null))
      return undefined;
    return "DELTA_LENGTH_BYTE_ARRAY";
  }
  if (spec.kind === "int64" || spec.kind === "int32") return "DELTA_BINARY_PACKED";
  if (spec.kind === "utf8" && spec.heavy) return "DELTA_LENGTH_BYTE_ARRAY";
  return undefined;
}

function columnData(spec: ColumnSpec, rows: readonly StoredRow[]) {
  const data = rows.map((row) => {
    const value = spec.get(row);
    return spec.kind === "int64" && value !== null ? BigInt(value as number) : value;
  });
  const encoding = encodingOf(spec, data);
  return {
    name: spec.name,
    data,
    statistics: spec.statistics,
    offsetIndex: false,
    ...(encoding ? { encoding } : {}),
  };
}

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

export class SegmentWriter {
  readonly #zstd: Zstd;
  readonly #level: number;
  readonly #out = new ParquetBytes();
  readonly #parquet: ParquetWriter;
  readonly #prepared = new PageReuse();
  #reuse: PageReuse | null = null;
  #contentBytes = 0;
  #rows = 0;

  /** @param level ZSTD level of the text columns */
  constructor(zstd: Zstd, level: number) {
    this.#zstd = zstd;
    this.#level = level;
    this.#parquet = new ParquetWriter({
      writer: this.#out,
      schema: segmentSchema(),
      codec: "ZSTD",
      compressors: { ZSTD: (page) => this.#pack(page, LIGHT_LEVEL) },
      statistics: false,
      createdBy: "llm-compression",
    });
  }

  #pack(page: Uint8Array, level: number): Uint8Array {
    const known = this.#prepared.find(page) ?? this.#reuse?.find(page);
    return known ?? this.#zstd.compress(page, level);
  }

  get sizeBytes(): number {
    return this.#out.offset;
  }

  /** Writes one row group and sets each row's `storedBytes`. */
  async writeGroup(rows: StoredRow[], reuse: PageReuse | null): Promise<void> {
    this.#reuse = reuse;
    const shares = new Float64Array(rows.length);
    for (const spec of COLUMNS) {
      const measure = TEXT_COLUMNS[spec.name];
      if (!measure) continue;
      const packedBytes = this.#prepare(spec, rows);
      const sizes = rows.map(measure);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (total > 0) sizes.forEach((size, i) => (shares[i]! += (packedBytes * size) / total));
      if (spec.name === "content") this.#contentBytes += total;
      await pause();
    }
    rows.forEach((row, i) => (row.storedBytes = Math.ceil(shares[i]!)));
    void this.#parquet.write({
      columnData: COLUMNS.map((spec) => columnData(spec, rows)),
      rowGroupSize: rows.length,
      pageSize: 0,
    });
    this.#rows += rows.length;
    this.#prepared.clear();
    this.#reuse = null;
    await pause();
  }

  /** Compresses the pages of one column ahead of writing them; returns their compressed bytes. */
  #prepare(spec: ColumnSpec, rows: readonly StoredRow[]): number {
    let packedBytes = 0;
    const trial = new ParquetWriter({
      writer: new ParquetBytes(),
      schema: segmentSchema([spec]),
      codec: "ZSTD",
      compressors: {
        ZSTD: (page) => {
          const packed = this.#pack(page, this.#level);
          this.#prepared.add(page.slice(), packed);
          packedBytes += packed.length;
          return packed;
        },
      },
      statistics: false,
    });
    void trial.write({
      columnData: [columnData(spec, rows)],
      rowGroupSize: rows.length,
      pageSize: 0,
    });
    return packedBytes;
  }

  /** The whole file, and its manifest entry. */
  finish(number: number): { bytes: Uint8Array; info: ManifestSegment } {
    const dataBytes = this.#out.offset;
    const data = this.#out.getBytes();
    const checks = new ByteWriter();
    for (let at = 0; at < dataBytes; at += BLOCK_BYTES)
      checks.u32(crc32c(data.subarray(at, Math.min(dataBytes, at + BLOCK_BYTES))));
    this.#parquet.kvMetadata = [
      { key: FORMAT_KEY, value: `${FORMAT_NAME}/${FORMAT_VERSION}` },
      { key: BLOCKS_KEY, value: toBase64(checks.finish()) },
    ];
    void this.#parquet.finish();
    const bytes = new Uint8Array(this.#out.getBuffer());
    return {
      bytes,
      info: {
        number,
        rows: this.#rows,
        sizeBytes: bytes.length,
        dataBytes,
        footerCrc: crc32c(bytes.subarray(dataBytes)),
        contentBytes: this.#contentBytes,
        level: this.#level,
      },
    };
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
