/**
 * Writes a segment: one Parquet file, one page per column and row group, ZSTD. Each column chunk is
 * encoded by itself, texts first, with pauses between them, and put in its place then: so what each
 * memory costs is known before `stored_bytes` is encoded, and the thread stays responsive. Pages that
 * came unchanged out of an older segment keep their compressed bytes.
 */

import { ByteWriter as ParquetBytes, ParquetWriter } from "hyparquet-writer";
import type { ColumnChunk, Encoding } from "hyparquet";
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

/** What a Parquet file begins with. */
const MAGIC_BYTES = 4;

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

/** One column of a row group as Parquet has it. */
interface EncodedColumn {
  bytes: Uint8Array;
  /** Of the column's leaves; offsets count from the beginning of `bytes`. */
  chunks: ColumnChunk[];
  /** Of its pages after compression. */
  packedBytes: number;
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
      createdBy: "llm-compression",
    });
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
    const encoded = new Map<ColumnSpec, EncodedColumn>();
    for (const spec of COLUMNS) {
      const measure = TEXT_COLUMNS[spec.name];
      if (!measure) continue;
      const column = this.#encode(spec, rows, this.#level, reuse);
      encoded.set(spec, column);
      const sizes = rows.map(measure);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (total > 0)
        sizes.forEach((size, i) => (shares[i]! += (column.packedBytes * size) / total));
      if (spec.name === "content") this.#contentBytes += total;
      await turn();
    }
    rows.forEach((row, i) => {
      row.storedBytes = options.storedBytes?.[i] ?? Math.ceil(shares[i]!);
      given[i]!.storedBytes = row.storedBytes;
    });
    for (const spec of COLUMNS) {
      if (encoded.has(spec)) continue;
      const level = VECTOR_COLUMNS.has(spec.name) ? VECTOR_LEVEL : LIGHT_LEVEL;
      encoded.set(spec, this.#encode(spec, rows, level, reuse));
    }
    this.#append(
      COLUMNS.map((spec) => encoded.get(spec)!),
      rows.length,
    );
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

  #encode(
    spec: ColumnSpec,
    rows: readonly StoredRow[],
    level: number,
    reuse: PageReuse | null,
  ): EncodedColumn {
    let packedBytes = 0;
    const writer = new ParquetWriter({
      writer: new ParquetBytes(),
      schema: segmentSchema([spec]),
      codec: "ZSTD",
      compressors: {
        ZSTD: (page) => {
          const packed = reuse?.find(page) ?? this.#zstd.compress(page, level);
          packedBytes += packed.length;
          return packed;
        },
      },
      statistics: false,
    });
    void writer.write({
      columnData: [columnData(spec, rows)],
      rowGroupSize: rows.length,
      pageSize: 0,
    });
    const bytes = (writer.writer as ParquetBytes).getBytes().subarray(MAGIC_BYTES);
    const chunks = writer.row_groups[0]!.columns.map((chunk) => moved(chunk, -MAGIC_BYTES));
    return { bytes, chunks, packedBytes };
  }

  /** A row group of columns that are encoded. */
  #append(encoded: readonly EncodedColumn[], rows: number): void {
    const out = this.#out;
    const start = out.offset;
    const columns = encoded.flatMap(({ bytes, chunks }) => {
      const at = out.offset;
      out.appendBytes(bytes);
      return chunks.map((chunk) => moved(chunk, at));
    });
    this.#parquet.row_groups.push({
      columns,
      total_byte_size: columns.reduce(
        (sum, { meta_data }) => sum + meta_data!.total_uncompressed_size,
        0n,
      ),
      num_rows: BigInt(rows),
      total_compressed_size: BigInt(out.offset - start),
    });
    this.#parquet.num_rows += BigInt(rows);
    this.#rows += rows;
    this.#groups++;
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

/** The chunk at another place of its file. */
function moved(chunk: ColumnChunk, by: number): ColumnChunk {
  const { data_page_offset, dictionary_page_offset, ...meta_data } = chunk.meta_data!;
  return {
    ...chunk,
    file_offset: chunk.file_offset + BigInt(by),
    meta_data: {
      ...meta_data,
      data_page_offset: data_page_offset + BigInt(by),
      ...(dictionary_page_offset === undefined
        ? {}
        : { dictionary_page_offset: dictionary_page_offset + BigInt(by) }),
    },
  };
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
