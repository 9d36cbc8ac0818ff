/**
 * Writes a segment: one Parquet file, one page per column and row group, ZSTD. Text pages are
 * compressed first, column by column with a pause between them, both to know what each memory
 * costs before `stored_bytes` is written and to keep the thread responsive; pages that came
 * unchanged out of an older segment keep their compressed bytes.
 */

import { ByteWriter as ParquetBytes, ParquetWriter } from "hyparquet-writer";
import type { Encoding } from "hyparquet";
import type { TaskOptions } from "../model/task-control.ts";
import { nextTurn } from "../next-turn.ts";
import { ByteWriter, crc32c, equalBytes } from "./bytes.ts";
import type { ManifestSegment } from "./manifest.ts";
import {
  BLOCKS_KEY,
  BLOCK_BYTES,
  CODED_FORMAT_VERSION,
  FORMAT_KEY,
  FORMAT_NAME,
  FORMAT_VERSION,
  segmentSchema,
} from "./segment-schema.ts";
import { COLUMNS, utf8Length, type ColumnSpec, type StoredRow } from "./stored-row.ts";
import { TEXT_KEY, encodeDirectory, type CodedBlock } from "./text-codec/segment-text.ts";
import { codeTexts, type PackedBlock, type TextCoding } from "./text-codec/text-coder.ts";
import type { Zstd } from "./zstd.ts";

/** Identifiers, times and vectors hardly shrink further at more effort. */
const LIGHT_LEVEL = 6;

/** Of vectors only the unevenness of their codes can be used, which every level does alike. */
const VECTOR_LEVEL = 1;
const VECTOR_COLUMNS: ReadonlySet<string> = new Set(["embedding", "embedding_fine"]);

/** The columns that `storedBytes` accounts for, and a row's part of each, in bytes. */
const TEXT_COLUMNS: Record<string, (row: StoredRow) => number> = {
  content: (row) => (row.content === null ? 0 : utf8Length(row.content)),
  envelope: (row) => row.envelope?.length ?? 0,
  summary: (row) => utf8Length(row.summary),
  entities: (row) =>
    row.entities.reduce((sum, entity) => sum + utf8Length(entity.text) + entity.type.length + 4, 0),
};

/** How long work lets others go first. */
export interface Turns {
  /** Awaited between its steps. Default: until the next turn. */
  turn?: () => Promise<void>;
}

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

/** About what the directory takes for one block. */
const DIRECTORY_ENTRY_BYTES = 12;

export class SegmentWriter {
  readonly #zstd: Zstd;
  readonly #level: number;
  readonly #out = new ParquetBytes();
  readonly #parquet: ParquetWriter;
  readonly #prepared = new PageReuse();
  #reuse: PageReuse | null = null;
  #contentBytes = 0;
  #rows = 0;
  readonly #coding: TextCoding | null;
  readonly #blocks: CodedBlock[] = [];
  #groups = 0;

  /**
   * @param level ZSTD level of the text columns
   * @param coding how content is coded instead of lying in its column; null: it isn't
   */
  constructor(zstd: Zstd, level: number, coding: TextCoding | null = null) {
    this.#zstd = zstd;
    this.#coding = coding;
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

  /**
   * Writes one row group and sets each row's `storedBytes`.
   * @param kept coded blocks of rows whose `content` isn't given
   * @param options.storedBytes what the rows cost elsewhere, for a mere copy of them
   */
  async writeGroup(
    given: StoredRow[],
    reuse: PageReuse | null,
    kept: readonly PackedBlock[] = [],
    options: TaskOptions & Turns & { storedBytes?: readonly number[] } = {},
  ): Promise<void> {
    const { turn = nextTurn } = options;
    const shares = new Float64Array(given.length);
    const coded = await this.#writeBlocks(given, kept, shares, options);
    const rows = given.map((row, i) => (coded.has(i) ? { ...row, content: null } : row));
    this.#reuse = reuse;
    for (const spec of COLUMNS) {
      if (VECTOR_COLUMNS.has(spec.name)) this.#prepare(spec, rows, VECTOR_LEVEL);
      const measure = TEXT_COLUMNS[spec.name];
      if (!measure) continue;
      const packedBytes = this.#prepare(spec, rows, this.#level);
      const sizes = rows.map(measure);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (total > 0) sizes.forEach((size, i) => (shares[i]! += (packedBytes * size) / total));
      if (spec.name === "content") this.#contentBytes += total;
      await turn();
    }
    rows.forEach((row, i) => {
      row.storedBytes = options.storedBytes?.[i] ?? Math.ceil(shares[i]!);
      given[i]!.storedBytes = row.storedBytes;
    });
    void this.#parquet.write({
      columnData: COLUMNS.map((spec) => columnData(spec, rows)),
      rowGroupSize: rows.length,
      pageSize: 0,
    });
    this.#rows += rows.length;
    this.#groups++;
    this.#prepared.clear();
    this.#reuse = null;
    await turn();
  }

  /** Writes coded texts ahead of their row group; returns the rows that have theirs there. */
  async #writeBlocks(
    rows: readonly StoredRow[],
    kept: readonly PackedBlock[],
    shares: Float64Array,
    options: TaskOptions,
  ): Promise<Set<number>> {
    const coded = new Set(kept.flatMap((block) => block.rows));
    const coding = this.#coding;
    if (!coding) return coded;
    const fresh = coding.codec ? await codeTexts(coding.codec, rows, coded, options) : [];
    for (const { kind, rows: own, packed, sizeBytes } of [...kept, ...fresh]) {
      const offset = this.#out.offset;
      this.#out.appendBytes(packed);
      this.#blocks.push({
        kind,
        group: this.#groups,
        rows: own,
        offset,
        packedBytes: packed.length,
        sizeBytes,
      });
      this.#contentBytes += sizeBytes;
      const lengths = own.map((row) => {
        const { content, originalBytes } = rows[row]!;
        return content === null ? originalBytes : utf8Length(content);
      });
      const total = lengths.reduce((sum, length) => sum + length, 0) || 1;
      const cost = packed.length + DIRECTORY_ENTRY_BYTES + sizeBytes * coding.primeShare;
      own.forEach((row, i) => {
        coded.add(row);
        shares[row]! += (cost * lengths[i]!) / total;
      });
    }
    return coded;
  }

  /** Compresses the pages of one column ahead of writing them; returns their compressed bytes. */
  #prepare(spec: ColumnSpec, rows: readonly StoredRow[], level: number): number {
    let packedBytes = 0;
    const trial = new ParquetWriter({
      writer: new ParquetBytes(),
      schema: segmentSchema([spec]),
      codec: "ZSTD",
      compressors: {
        ZSTD: (page) => {
          const packed = this.#pack(page, level);
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
    const version = this.#blocks.length > 0 ? CODED_FORMAT_VERSION : FORMAT_VERSION;
    this.#parquet.kvMetadata = [
      { key: FORMAT_KEY, value: `${FORMAT_NAME}/${version}` },
      { key: BLOCKS_KEY, value: toBase64(checks.finish()) },
    ];
    if (this.#blocks.length > 0)
      this.#parquet.kvMetadata.push({
        key: TEXT_KEY,
        value: toBase64(encodeDirectory(this.#blocks)),
      });
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
        ...(this.#coding ? { prime: this.#coding.prime } : {}),
      },
    };
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
