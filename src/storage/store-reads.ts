/**
 * The reading side of the store: whole memories, single columns of some, scans over all.
 *
 * More than 400 lines: every way to read has to cope with the same damage and the same moves of rows.
 */

import { AppError } from "../errors.ts";
import type { Entity, Memory } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { textSha256 } from "./bytes.ts";
import type { CatalogEntry, IndexRow, ReadMemory } from "./memory-store.ts";
import { decodeEntities, type EntityBytes, type RowReader } from "./row-reader.ts";
import { decodeText, type Segment } from "./segment.ts";
import { isCorrupt, type StoreCore } from "./store-core.ts";
import { isBare, type MemoryRecord, type Place } from "./store-state.ts";

export type WholeMemory = Memory & { envelope: Uint8Array | null };
export type IndexColumn = "content" | "summary" | "entities" | "embedding";

const INDEX_COLUMNS: readonly IndexColumn[] = ["content", "summary", "entities", "embedding"];
const SCAN_ROWS = 512;
/** So few rows of a group are read one by one, through the cache. */
const FEW_ROWS = 8;
/** Memories that are read together for an order that isn't that of the files, and their text. */
const WINDOW_ROWS = 8192;
const WINDOW_BYTES = 32 * 1024 * 1024;

export interface ScanOptions {
  columns?: readonly IndexColumn[];
  /** Only these; those that aren't live are passed over. */
  ordinals?: Iterable<number>;
}

/** Columns that are read together, as `row-reader.ts` does. */
const CHUNKS: readonly (readonly string[])[] = [
  ["content"],
  ["summary", "entities"],
  ["embedding", "embedding_scale", "embedding_fine"],
];

type Maybe<T> = T | Promise<T>;
type Cell = IndexColumn | "envelope";
type CellOf<C extends Cell> = Awaited<ReturnType<RowReader[C]>>;
type SegmentPlace = Extract<Place, { kind: "segment" }>;

export class StoreReads {
  readonly #core: StoreCore;
  /** Column chunks that were found damaged, by `chunkOf`. */
  readonly #unreadable = new Map<string, AppError>();

  constructor(core: StoreCore) {
    this.#core = core;
  }

  async indexRow(record: MemoryRecord): Promise<IndexRow> {
    const { ordinal, id } = record.entry;
    return {
      ordinal,
      id,
      content: await this.#cell(record, "content"),
      summary: await this.#cell(record, "summary"),
      entities: await this.#cell(record, "entities"),
      embedding: await this.#cell(record, "embedding"),
    };
  }

  /** The same with empty cells for what isn't wanted or can't be read. */
  async #readableRow(record: MemoryRecord, wanted: ReadonlySet<string>): Promise<IndexRow> {
    const { ordinal, id } = record.entry;
    const cell = <C extends IndexColumn>(column: C, empty: CellOf<C>) =>
      wanted.has(column) ? orEmpty(this.#cell(record, column), empty) : empty;
    return {
      ordinal,
      id,
      content: await cell("content", null),
      summary: await cell("summary", ""),
      entities: await cell("entities", []),
      embedding: await cell("embedding", null),
    };
  }

  /** The whole memory; its text is checked against its SHA-256. */
  async memory(record: MemoryRecord): Promise<WholeMemory> {
    const { embedded: _embedded, ...memory } = await this.withoutVector(record);
    const embedding = await this.#cell(record, "embedding");
    return { ...memory, embedding };
  }

  /** The same without its vector, which lies in a column of its own: its neighbours' come with it. */
  async withoutVector(record: MemoryRecord): Promise<ReadMemory> {
    const { entry } = record;
    const content = await this.#cell(record, "content");
    const light = lightMemory(entry);
    if (content !== null && (await textSha256(content)) !== light.contentSha256) {
      const error = new AppError(
        "corrupt_data",
        `The text of memory ${light.id} fails its checksum.`,
        { hint: "Restore the store from a copy; other memories can be used." },
      );
      this.#note(record.place, error);
      throw error;
    }
    return {
      ...light,
      content,
      summary: await this.#cell(record, "summary"),
      entities: await this.#cell(record, "entities"),
      embedded: entry.embedded && !isBare(entry, entry.keep),
      envelope: await this.#cell(record, "envelope"),
    };
  }

  /**
   * A cell through the reader's cache. `corrupt_data` once another try has failed, too; the chunk isn't
   * read again then for each of the thousands of rows that lie in it.
   */
  #cell<C extends Cell>(record: MemoryRecord, column: C): Maybe<CellOf<C>> {
    if (this.#unreadable.size > 0) {
      const known = this.#unreadable.get(chunkOf(record, column) ?? "");
      if (known) return Promise.reject(known);
    }
    const read = () => this.#core.reader[column](record) as Maybe<CellOf<C>>;
    const value = read();
    return value instanceof Promise ? this.#noting(record, column, value, read) : value;
  }

  async #noting<T>(
    record: MemoryRecord,
    column: Cell,
    first: Promise<T>,
    read: () => Maybe<T>,
  ): Promise<T> {
    try {
      return await first;
    } catch (error) {
      if (!isCorrupt(error)) throw error;
    }
    const { place } = record;
    const chunk = chunkOf(record, column);
    try {
      return await read();
    } catch (error) {
      if (isCorrupt(error)) {
        if (chunk !== null) this.#unreadable.set(chunk, error);
        this.#note(place, error);
      }
      throw error;
    }
  }

  /** Damage met while reading is told once in `recovered`; its file is kept as it is until it is given up. */
  #note(place: Place, error: AppError): void {
    const { recovered, segments, damagedSegments } = this.#core;
    if (!recovered.includes(error.message)) recovered.push(error.message);
    // Not when it was replaced or given up meanwhile.
    if (place.kind === "segment" && segments.get(place.segment.info.number) === place.segment)
      damagedSegments.add(place.segment.info.number);
  }

  /** Null where it can't be read: who has none is found by words. */
  async embedding(record: MemoryRecord): Promise<QuantizedVector | null> {
    return orEmpty(this.#cell(record, "embedding"), null);
  }

  /** Empty where they can't be read: a page of hits is shown without them. `strict` rejects instead. */
  summaries(
    records: readonly MemoryRecord[],
    { strict = false }: { strict?: boolean } = {},
  ): Promise<{ summary: string; entities: Entity[] }[]> {
    return allNow(
      records.map((record) => {
        let summary = this.#cell(record, "summary");
        let entities = this.#cell(record, "entities");
        if (!strict) [summary, entities] = [orEmpty(summary, ""), orEmpty(entities, [])];
        return summary instanceof Promise || entities instanceof Promise
          ? Promise.all([summary, entities]).then(([summary, entities]) => ({ summary, entities }))
          : { summary, entities };
      }),
    );
  }

  /** Null as where they faded for those that can't be read. */
  contents(records: readonly MemoryRecord[]): Promise<(string | null)[]> {
    return allNow(records.map((record) => orEmpty(this.#cell(record, "content"), null)));
  }

  /** Undefined for texts whose model isn't read yet, and for those that can't be read. */
  contentsAtHand(records: readonly MemoryRecord[]): Promise<(string | null | undefined)[]> {
    const { reader, primes } = this.#core;
    if (!records.every((record) => reader.isAtHand(record))) primes.wanted();
    return allNow<string | null | undefined>(
      records.map((record) =>
        reader.isAtHand(record) ? orEmpty(this.#cell(record, "content"), undefined) : undefined,
      ),
    );
  }

  /**
   * Every live memory and gist, or those of `ordinals`, row group by row group. What can't be read of
   * one is noted and left empty.
   * @param alive throws once the store is closed
   */
  async *scan(
    alive: () => void,
    { columns = INDEX_COLUMNS, ordinals }: ScanOptions = {},
  ): AsyncIterable<IndexRow[]> {
    const wanted = new Set<string>(columns);
    const { catalog } = this.#core.state;
    const live = (record: MemoryRecord) => catalog.byOrdinal(record.entry.ordinal) === record.entry;
    for (const part of partsByGroup(this.records(ordinals), SCAN_ROWS)) {
      const from = part.place;
      const cells =
        from.kind === "journal" || part.records.length < FEW_ROWS
          ? null
          : await this.#groupCells(part.records, wanted);
      const rows: IndexRow[] = [];
      for (const record of part.records) {
        if (!live(record)) continue;
        const { place } = record;
        const isHere =
          from.kind === "segment" && place.kind === "segment" && place.segment === from.segment;
        if (!cells || !isHere) {
          rows.push(await this.#readableRow(record, wanted));
          continue;
        }
        const row = rowFromGroup(record, place.index, cells, wanted);
        // Coded texts are damaged block by block.
        if (wanted.has("content") && !cells.content && chunkOf(record, "content") === null)
          row.content = await orEmpty(this.#cell(record, "content"), null);
        rows.push(row);
      }
      alive();
      for (let at = 0; at < rows.length; at += SCAN_ROWS) {
        yield rows.slice(at, at + SCAN_ROWS).filter(({ ordinal }) => catalog.byOrdinal(ordinal));
        alive();
      }
    }
  }

  /** In the order of the files. */
  records(ordinals?: Iterable<number>): MemoryRecord[] {
    if (!ordinals) return this.#allInFileOrder();
    const { catalog } = this.#core.state;
    const entries = [...ordinals].flatMap((ordinal) => catalog.byOrdinal(ordinal) ?? []);
    const records = entries.map((entry) => this.#core.state.recordOf(entry));
    return records.sort(
      (a, b) => placeOrder(a.place, b.place) || a.entry.ordinal - b.entry.ordinal,
    );
  }

  /** Each to its place: to sort 100,000 takes a tenth of a second. */
  #allInFileOrder(): MemoryRecord[] {
    const { state } = this.#core;
    const bySegment = new Map<Segment, (MemoryRecord | undefined)[]>();
    const inJournal: MemoryRecord[] = [];
    for (const entry of state.catalog.all()) {
      const record = state.recordOf(entry);
      const { place } = record;
      if (place.kind === "journal") {
        inJournal.push(record);
        continue;
      }
      const { segment, group, index } = place;
      let rows = bySegment.get(segment);
      if (!rows) bySegment.set(segment, (rows = new Array(segment.info.rows)));
      rows[segment.groups[group]!.firstRow + index] = record;
    }
    const segments = [...bySegment].sort(([a], [b]) => a.info.number - b.info.number);
    return [
      ...segments.flatMap(([, rows]) => rows.filter((row) => row !== undefined)),
      ...inJournal,
    ];
  }

  /**
   * Columns of the row group that the first of `records` lies in, without those that can't be read;
   * null when it moved meanwhile.
   */
  async #groupCells(
    records: readonly MemoryRecord[],
    wanted: ReadonlySet<string>,
  ): Promise<Record<string, unknown[]> | null> {
    const [first] = records;
    const place = first!.place as SegmentPlace;
    const read = (names: readonly string[]) =>
      place.segment.readGroup(place.group, names, { textAsBytes: true });
    const parts = CHUNKS.filter((names) => names.some((name) => wanted.has(name)));
    try {
      return await read(parts.flat());
    } catch (error) {
      if (first!.place === place && !isCorrupt(error)) throw error;
    }
    // Another try, too: a disk may err once.
    const cells: Record<string, unknown[]> = {};
    for (const names of parts)
      try {
        Object.assign(cells, await read(names));
      } catch (error) {
        if (first!.place !== place) return null;
        if (!isCorrupt(error)) throw error;
        this.#note(place, error);
      }
    return cells;
  }

  /**
   * Whole memories, oldest first. What is near in time may lie far apart in the files: a window of them
   * is read in the order of the files, so that no page is decoded for one row alone. Memories that
   * can't be read are left out; the damage is noted.
   */
  async *scanMemories(alive: () => void): AsyncIterable<WholeMemory[]> {
    const { state } = this.#core;
    const entries = [...state.catalog.all()].sort(
      (a, b) => a.timestamp - b.timestamp || a.ordinal - b.ordinal,
    );
    const isLive = (entry: CatalogEntry) => state.catalog.byOrdinal(entry.ordinal) === entry;
    for (const window of windowsOf(entries)) {
      const ordinals = window.filter(isLive).map(({ ordinal }) => ordinal);
      const vectors = new Map<number, QuantizedVector | null>();
      for await (const rows of this.scan(alive, { columns: ["embedding"], ordinals }))
        for (const { ordinal, embedding } of rows) vectors.set(ordinal, embedding);
      const memories = new Map<number, WholeMemory>();
      for (const record of this.records(ordinals)) {
        if (!isLive(record.entry)) continue;
        const read = await orEmpty(this.withoutVector(record), null);
        alive();
        if (!read) continue;
        const { embedded: _embedded, ...memory } = read;
        const { ordinal } = record.entry;
        memories.set(ordinal, { ...memory, embedding: vectors.get(ordinal) ?? null });
      }
      for (let from = 0; from < window.length; from += SCAN_ROWS) {
        yield window
          .slice(from, from + SCAN_ROWS)
          .flatMap((entry) => (isLive(entry) ? (memories.get(entry.ordinal) ?? []) : []));
        alive();
      }
    }
  }
}

/** Runs of entries whose texts fit into memory together. */
function* windowsOf(entries: readonly CatalogEntry[]): Generator<readonly CatalogEntry[]> {
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < entries.length; at++) {
    const { originalBytes } = entries[at]!;
    if (at > from && (at - from >= WINDOW_ROWS || bytes + originalBytes > WINDOW_BYTES)) {
      yield entries.slice(from, at);
      [from, bytes] = [at, 0];
    }
    bytes += originalBytes;
  }
  if (from < entries.length) yield entries.slice(from);
}

function lightMemory(entry: CatalogEntry): Omit<CatalogEntry, "ordinal" | "embedded"> {
  const light: Partial<Record<keyof CatalogEntry, unknown>> = { ...entry };
  delete light.ordinal;
  delete light.embedded;
  light.metadata = { ...entry.metadata };
  light.quality = { ...entry.quality };
  return light as Omit<CatalogEntry, "ordinal" | "embedded">;
}

function placeOrder(a: Place, b: Place): number {
  if (a.kind === "journal" || b.kind === "journal")
    return (a.kind === "journal" ? 1 : 0) - (b.kind === "journal" ? 1 : 0);
  return a.segment.info.number - b.segment.info.number || a.group - b.group || a.index - b.index;
}

/** Cuts sorted records where the row group changes; journal rows by `most`. */
export function* partsByGroup(
  records: readonly MemoryRecord[],
  most: number,
): Generator<{ place: Place; records: MemoryRecord[] }> {
  const same = (a: Place, b: Place) =>
    a.kind === "segment" && b.kind === "segment" && a.segment === b.segment && a.group === b.group;
  for (let from = 0; from < records.length;) {
    const { place } = records[from]!;
    let to = from + 1;
    while (
      to < records.length &&
      (place.kind === "journal" ? to - from < most : same(place, records[to]!.place))
    )
      to++;
    yield { place, records: records.slice(from, to) };
    from = to;
  }
}

function rowFromGroup(
  record: MemoryRecord,
  index: number,
  cells: Record<string, unknown[]>,
  wanted: ReadonlySet<string>,
): IndexRow {
  const { entry, text } = record;
  const bare = isBare(entry, entry.keep);
  const bytes = (name: string) => (cells[name]?.[index] ?? null) as Uint8Array | null;
  const content = wanted.has("content") && entry.keep === "exact" ? bytes("content") : null;
  const summary = text?.summary ?? decodeText(bytes("summary") ?? new Uint8Array());
  const entities = text?.entities ?? decodeEntities((cells.entities?.[index] ?? []) as EntityBytes);
  return {
    ordinal: entry.ordinal,
    id: entry.id,
    content: content && decodeText(content),
    summary: wanted.has("summary") && !bare ? summary : "",
    entities: wanted.has("entities") && !bare ? entities : [],
    embedding:
      wanted.has("embedding") && !bare && entry.embedded
        ? (record.embedding ?? vectorOf(bytes("embedding"), cells, index))
        : null,
  };
}

/** A copy: the page that it lies in isn't kept for it. */
function vectorOf(
  codes: Uint8Array | null,
  cells: Record<string, unknown[]>,
  index: number,
): QuantizedVector | null {
  if (!codes) return null;
  const fine = cells.embedding_fine?.[index] as Uint8Array | null | undefined;
  return {
    codes: new Int8Array(codes.slice().buffer),
    scale: cells.embedding_scale![index] as number,
    ...(fine ? { fine: fine.slice() } : {}),
  };
}

/** Where the cell lies that would be read; null for what is in memory, and for coded texts, which have blocks of their own. */
function chunkOf({ entry, place, text, embedding }: MemoryRecord, column: Cell): string | null {
  if (place.kind === "journal") return null;
  const { segment, group, index } = place;
  if ((column === "summary" || column === "entities") && text) return null;
  if (column === "embedding" && embedding) return null;
  if (column === "content" && segment.blocksOf(group, index).length > 0) return null;
  const isKept =
    column === "content" || column === "envelope"
      ? entry.keep === "exact"
      : !isBare(entry, entry.keep);
  return isKept ? `${segment.info.number}/${group}/${column}` : null;
}

/** `empty` for what can't be read. */
function orEmpty<T, E>(value: Maybe<T>, empty: E): Maybe<T | E> {
  if (!(value instanceof Promise)) return value;
  return value.catch((error: unknown) => {
    if (isCorrupt(error)) return empty;
    throw error;
  });
}

/** Without a promise per value where all are there. */
function allNow<T>(values: (T | Promise<T>)[]): Promise<T[]> {
  return values.some((value) => value instanceof Promise)
    ? Promise.all(values)
    : Promise.resolve(values as T[]);
}
