/**
 * Reads a segment: the footer at opening, then single columns of single row groups. Every byte is
 * checked before it is decoded: the footer against the manifest, data blocks against the checksums
 * in the footer.
 */

import { parquetMetadata, parquetRead, type AsyncBuffer, type FileMetaData } from "hyparquet";
import { AppError } from "../errors.ts";
import { nextTurn } from "../next-turn.ts";
import type { FileStore } from "../ports/file-store.ts";
import { concatBytes, crc32c } from "./bytes.ts";
import type { ManifestSegment } from "./manifest.ts";
import {
  BLOCKS_KEY,
  BLOCK_BYTES,
  CODED_FORMAT_VERSION,
  FORMAT_KEY,
  FORMAT_NAME,
  FORMAT_VERSION,
} from "./segment-schema.ts";
import type { PageReuse } from "./segment-writer.ts";
import {
  COLUMNS,
  FIRST_COLUMNS,
  LIGHT_COLUMNS,
  rowsFromColumns,
  type StoredRow,
} from "./stored-row.ts";
import type { PrimeStore } from "./text-codec/prime-store.ts";
import { TEXT_KEY, decodeDirectory, type CodedBlock } from "./text-codec/segment-text.ts";
import { splitTexts } from "./text-codec/text-blocks.ts";
import type { Zstd } from "./zstd.ts";

/** A page of one 16 MB text and its neighbours fits; a damaged header can't ask for more. */
const MAX_PAGE_BYTES = 128 * 1024 * 1024;

const NO_BLOCKS: readonly number[] = [];
/** Column chunks with so little between them are read in one go. */
const GAP_BYTES = 64 * 1024;

// A byte order mark at the start of a text belongs to the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function segmentPath(number: number): string {
  return `segments/${number}.parquet`;
}

export interface RowGroup {
  firstRow: number;
  rows: number;
}

/** Text columns come as UTF-8 bytes (views of one page), decoded by whoever needs the string. */
export type HeavyColumn =
  | "content"
  | "envelope"
  | "summary"
  | "entities"
  | "embedding"
  | "embedding_scale"
  | "embedding_fine";

export class Segment {
  readonly info: ManifestSegment;
  readonly path: string;
  readonly groups: RowGroup[];
  readonly #files: FileStore;
  readonly #zstd: Zstd;
  readonly #metadata: FileMetaData;
  readonly #blockChecks: Uint32Array;
  readonly #primes: PrimeStore | null;
  /** Older files have fewer. */
  readonly #columns: ReadonlySet<string>;
  /** Blocks of coded text. */
  readonly blocks: readonly CodedBlock[];
  /** By row group and row: the blocks that hold its text, in order. Rows of one block share their list. */
  readonly #blocksOfRow: (readonly number[] | undefined)[][];

  private constructor(
    files: FileStore,
    zstd: Zstd,
    info: ManifestSegment,
    metadata: FileMetaData,
    blockChecks: Uint32Array,
    text: { primes: PrimeStore | null; directory: Uint8Array | null },
  ) {
    this.#files = files;
    this.#zstd = zstd;
    this.info = info;
    this.path = segmentPath(info.number);
    // Maps are read as plain structs: the reader's map form drops a key named "__proto__".
    this.#metadata = {
      ...metadata,
      schema: metadata.schema.map(({ converted_type, logical_type, ...element }) => ({
        ...element,
        ...(converted_type && converted_type !== "MAP" ? { converted_type } : {}),
        ...(logical_type && logical_type.type !== "MAP" ? { logical_type } : {}),
      })),
    };
    this.#blockChecks = blockChecks;
    const written = new Set(metadata.schema.map(({ name }) => name));
    const isLate = ({ name }: { name: string }, i: number) =>
      i >= FIRST_COLUMNS && !written.has(name);
    this.#columns = new Set(COLUMNS.filter((spec, i) => !isLate(spec, i)).map(({ name }) => name));
    this.groups = [];
    let firstRow = 0;
    for (const group of metadata.row_groups) {
      this.groups.push({ firstRow, rows: Number(group.num_rows) });
      firstRow += Number(group.num_rows);
    }
    this.#primes = text.primes;
    const groupRows = this.groups.map(({ rows }) => rows);
    this.blocks = text.directory
      ? decodeDirectory(text.directory, this.path, { dataBytes: info.dataBytes, groupRows })
      : [];
    this.#blocksOfRow = this.groups.map(() => []);
    this.blocks.forEach(({ group, rows }, number) => {
      const only = [number];
      const ofRow = this.#blocksOfRow[group]!;
      for (const row of rows) {
        const known = ofRow[row];
        ofRow[row] = known ? [...known, number] : only;
      }
    });
  }

  /** `corrupt_data` naming the segment, or `unsupported_version`. */
  static async open(
    files: FileStore,
    zstd: Zstd,
    info: ManifestSegment,
    primes: PrimeStore | null = null,
  ): Promise<Segment> {
    const path = segmentPath(info.number);
    const stat = await files.stat(path);
    if (!stat) throw corrupt(path, "the file is missing");
    if (stat.sizeBytes !== info.sizeBytes)
      throw corrupt(path, `it has ${stat.sizeBytes} of ${info.sizeBytes} bytes`);
    const footer = await files.read(path, info.dataBytes);
    if (crc32c(footer) !== info.footerCrc) throw corrupt(path, "its footer fails the check");
    const metadata = await guard(path, async () =>
      parquetMetadata(exactBuffer(footer), { geoparquet: false }),
    );
    const keys = new Map(metadata.key_value_metadata?.map(({ key, value }) => [key, value ?? ""]));
    const [name, version] = (keys.get(FORMAT_KEY) ?? "").split("/");
    if (name !== FORMAT_NAME) throw corrupt(path, "it is not a segment");
    if (Number(version) !== FORMAT_VERSION && Number(version) !== CODED_FORMAT_VERSION)
      throw new AppError(
        "unsupported_version",
        `Segment "${path}" has format version ${version}.`,
        {
          hint: "It was written by a newer version of this program; update.",
        },
      );
    const directory = keys.get(TEXT_KEY);
    return new Segment(files, zstd, info, metadata, parseChecks(keys.get(BLOCKS_KEY) ?? ""), {
      primes,
      directory: directory === undefined ? null : fromBase64(directory),
    });
  }

  /** The blocks that hold the text of a row, in order; none where it is in the column. */
  blocksOf(group: number, row: number): readonly number[] {
    return this.#blocksOfRow[group]?.[row] ?? NO_BLOCKS;
  }

  /** Whether coded texts decode at once: their model is read, or there are none. */
  get canDecode(): boolean {
    const { prime } = this.info;
    return this.blocks.length === 0 || prime === undefined || (this.#primes?.isRead(prime) ?? true);
  }

  /** A block's code, checked. */
  async packedBlock(number: number): Promise<Uint8Array> {
    const { offset, packedBytes } = this.blocks[number]!;
    return new Uint8Array(await this.#slice(offset, offset + packedBytes));
  }

  /** The texts of a block by its rows (of a part: the part), decoded. */
  async readBlock(number: number): Promise<Uint8Array[]> {
    const { kind, rows, sizeBytes } = this.blocks[number]!;
    const packed = await this.packedBlock(number);
    if (this.#primes === null || this.info.prime === undefined)
      throw corrupt(this.path, "its coded texts have no prime");
    const codec = await this.#primes.codec(this.info.prime);
    const bytes = codec.decodeBlock(packed, sizeBytes);
    const texts = kind === "part" ? [bytes] : splitTexts(bytes, rows.length);
    if (texts === null) throw corrupt(this.path, `text block ${number} doesn't decode`);
    return texts;
  }

  /** Puts the coded texts of a row group into its column. Yields between blocks. */
  async #fillTexts(group: number, cells: unknown[], textAsBytes: boolean): Promise<void> {
    const parts = new Map<number, Uint8Array[]>();
    for (let number = 0; number < this.blocks.length; number++) {
      const block = this.blocks[number]!;
      if (block.group !== group) continue;
      const texts = await this.readBlock(number);
      block.rows.forEach((row, i) => parts.set(row, [...(parts.get(row) ?? []), texts[i]!]));
      await nextTurn();
    }
    for (const [row, own] of parts) {
      const bytes = own.length === 1 ? own[0]! : concatBytes(own);
      cells[row] = textAsBytes ? bytes : decoder.decode(bytes);
    }
  }

  /** Bytes [start, end) of the data, checked. */
  async #slice(start: number, end: number): Promise<ArrayBuffer> {
    const first = Math.floor(start / BLOCK_BYTES);
    const from = first * BLOCK_BYTES;
    const to = Math.min(this.info.dataBytes, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES);
    const bytes = await this.#files.read(this.path, from, to - from);
    if (end > this.info.dataBytes || bytes.length !== to - from)
      throw corrupt(this.path, "it is cut off");
    for (let at = 0, block = first; at < bytes.length; at += BLOCK_BYTES, block++)
      if (crc32c(bytes.subarray(at, at + BLOCK_BYTES)) !== this.#blockChecks[block])
        throw corrupt(this.path, `block ${block} fails its check`);
    return exactBuffer(bytes.subarray(start - from, end - from));
  }

  /** The row group's chunks of some columns: those that lie side by side are read at once. */
  #chunkBuffer(group: number, columns: readonly string[]): AsyncBuffer {
    const runs: { start: number; end: number; bytes?: Promise<ArrayBuffer> }[] = [];
    for (const { meta_data: chunk } of this.#metadata.row_groups[group]!.columns) {
      if (!chunk || !columns.includes(chunk.path_in_schema[0]!)) continue;
      const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
      const end = start + Number(chunk.total_compressed_size);
      const last = runs.at(-1);
      if (last && start >= last.start && start - last.end <= GAP_BYTES) last.end = end;
      else runs.push({ start, end });
    }
    return {
      byteLength: this.info.sizeBytes,
      slice: async (start, end = this.info.dataBytes) => {
        const run = runs.find((run) => run.start <= start && end <= run.end);
        if (!run) return this.#slice(start, end);
        run.bytes ??= this.#slice(run.start, run.end);
        return (await run.bytes).slice(start - run.start, end - run.start);
      },
    };
  }

  /**
   * Columns of one row group by name. Strings of heavy columns stay bytes.
   * @param reuse collects the compressed form of the pages that were read
   */
  async readGroup(
    group: number,
    columns: readonly string[],
    options: { textAsBytes: boolean; reuse?: PageReuse; withoutCoded?: boolean },
  ): Promise<Record<string, unknown[]>> {
    const { firstRow, rows } = this.groups[group]!;
    const file = this.#chunkBuffer(group, columns);
    const found: Record<string, unknown[]> = {};
    await guard(this.path, () =>
      parquetRead({
        file,
        metadata: this.#metadata,
        columns: columns.filter((name) => this.#columns.has(name)),
        rowStart: firstRow,
        rowEnd: firstRow + rows,
        utf8: false,
        geoparquet: false,
        parsers: {
          stringFromBytes: (bytes: Uint8Array | undefined) =>
            bytes === undefined || bytes === null
              ? null
              : options.textAsBytes
                ? bytes
                : decoder.decode(bytes),
        },
        compressors: {
          ZSTD: (packed, size) => {
            const raw = this.#zstd.decompress(packed, { maxBytes: Math.min(size, MAX_PAGE_BYTES) });
            options.reuse?.add(raw, packed.slice());
            return raw;
          },
        },
        onChunk: ({ columnName, columnData }) => {
          const known = found[columnName];
          const values = Array.from(columnData as ArrayLike<unknown>);
          found[columnName] = known ? known.concat(values) : values;
        },
      }),
    );
    for (const name of columns)
      if (!this.#columns.has(name)) found[name] = new Array<null>(rows).fill(null);
      else if (found[name]?.length !== rows)
        throw corrupt(this.path, `column ${name} has ${found[name]?.length ?? 0} of ${rows} rows`);
    if (columns.includes("content") && !options.withoutCoded)
      await this.#fillTexts(group, found.content!, options.textAsBytes);
    return found;
  }

  /** Checks every byte. `corrupt_data` at the first block that fails. */
  async verify(): Promise<void> {
    const step = 64 * BLOCK_BYTES;
    for (let at = 0; at < this.info.dataBytes; at += step)
      await this.#slice(at, Math.min(this.info.dataBytes, at + step));
  }

  /** Everything but the heavy columns of one row group: what the catalog holds. */
  async readLightRows(group: number): Promise<StoredRow[]> {
    return this.#rows(
      group,
      LIGHT_COLUMNS.map((spec) => spec.name),
    );
  }

  /** Whole rows of one row group. */
  async readRows(
    group: number,
    options: { reuse?: PageReuse; withoutCoded?: boolean } = {},
  ): Promise<StoredRow[]> {
    return this.#rows(
      group,
      COLUMNS.map((spec) => spec.name),
      options,
    );
  }

  async #rows(
    group: number,
    names: string[],
    options: { reuse?: PageReuse; withoutCoded?: boolean } = {},
  ): Promise<StoredRow[]> {
    const columns = await this.readGroup(group, names, { textAsBytes: false, ...options });
    // The struct around a map's entries, see the constructor.
    columns.metadata = columns.metadata!.map((cell) => (cell as { key_value: unknown }).key_value);
    return rowsFromColumns(columns, this.groups[group]!.rows);
  }
}

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function corrupt(path: string, why: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `Segment "${path}" is damaged: ${why}.`, {
    hint: "The file is kept as it is; restore it from a copy. Everything else can be used.",
    cause,
  });
}

/** The Parquet reader's own errors mean bytes that no longer are what their checks said, or a defect: both are damage. */
async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && error.code !== "corrupt_data") throw error;
    if (error instanceof AppError && error.message.includes(path)) throw error;
    throw corrupt(path, error instanceof Error ? error.message : String(error), error);
  }
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
    ? (bytes.buffer as ArrayBuffer)
    : (bytes.slice().buffer as ArrayBuffer);
}

function fromBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function parseChecks(base64: string): Uint32Array {
  const bytes = fromBase64(base64);
  const view = new DataView(bytes.buffer);
  return Uint32Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(4 * i, true));
}
