/** The reading side of the store: whole memories, single columns of some, scans over all. */

import { AppError } from "../errors.ts";
import type { Entity, Memory } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { textSha256 } from "./bytes.ts";
import type { CatalogEntry, IndexRow, ReadMemory } from "./memory-store.ts";
import { decodeEntities, type EntityBytes } from "./row-reader.ts";
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

type SegmentPlace = Extract<Place, { kind: "segment" }>;

export class StoreReads {
  readonly #core: StoreCore;

  constructor(core: StoreCore) {
    this.#core = core;
  }

  async indexRow(
    record: MemoryRecord,
    columns: ReadonlySet<string> = new Set(INDEX_COLUMNS),
  ): Promise<IndexRow> {
    const { reader } = this.#core;
    return {
      ordinal: record.entry.ordinal,
      id: record.entry.id,
      content: columns.has("content") ? await reader.content(record) : null,
      summary: columns.has("summary") ? await reader.summary(record) : "",
      entities: columns.has("entities") ? await reader.entities(record) : [],
      embedding: columns.has("embedding") ? await reader.embedding(record) : null,
    };
  }

  /** The whole memory; its text is checked against its SHA-256. */
  async memory(record: MemoryRecord): Promise<WholeMemory> {
    const { embedded: _embedded, ...memory } = await this.withoutVector(record);
    const embedding = await this.#noting(() => this.#core.reader.embedding(record));
    return { ...memory, embedding };
  }

  /** The same without its vector, which lies in a column of its own: its neighbours' come with it. */
  async withoutVector(record: MemoryRecord): Promise<ReadMemory> {
    const { reader } = this.#core;
    return this.#noting(async () => {
      const { entry } = record;
      const content = await reader.content(record);
      const light = lightMemory(entry);
      if (content !== null && (await textSha256(content)) !== light.contentSha256)
        throw new AppError("corrupt_data", `The text of memory ${light.id} fails its checksum.`, {
          hint: "Restore the store from a copy; other memories can be used.",
        });
      return {
        ...light,
        content,
        summary: await reader.summary(record),
        entities: await reader.entities(record),
        embedded: entry.embedded && !isBare(entry, entry.keep),
        envelope: await reader.envelope(record),
      };
    });
  }

  /** Damage met while reading is told once in `recovered`, too. */
  async #noting<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (isCorrupt(error) && !this.#core.recovered.includes(error.message))
        this.#core.recovered.push(error.message);
      throw error;
    }
  }

  summaries(records: readonly MemoryRecord[]): Promise<{ summary: string; entities: Entity[] }[]> {
    const { reader } = this.#core;
    return this.#noting(() =>
      allNow(
        records.map((record) => {
          const summary = reader.summary(record);
          const entities = reader.entities(record);
          return summary instanceof Promise || entities instanceof Promise
            ? Promise.all([summary, entities]).then(([summary, entities]) => ({
                summary,
                entities,
              }))
            : { summary, entities };
        }),
      ),
    );
  }

  contents(records: readonly MemoryRecord[]): Promise<(string | null)[]> {
    return this.#noting(() => allNow(records.map((record) => this.#core.reader.content(record))));
  }

  /** Undefined for texts whose model isn't read yet. */
  contentsAtHand(records: readonly MemoryRecord[]): Promise<(string | null | undefined)[]> {
    const { reader, primes } = this.#core;
    if (!records.every((record) => reader.isAtHand(record))) primes.wanted();
    return this.#noting(() =>
      allNow(
        records.map((record) => (reader.isAtHand(record) ? reader.content(record) : undefined)),
      ),
    );
  }

  /**
   * Every live memory and gist, or those of `ordinals`, row group by row group.
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
        rows.push(
          cells && isHere
            ? rowFromGroup(record, place.index, cells, wanted)
            : await this.#noting(() => this.indexRow(record, wanted)),
        );
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

  /** Columns of the row group that the first of `records` lies in; null when it moved meanwhile. */
  async #groupCells(
    records: readonly MemoryRecord[],
    wanted: ReadonlySet<string>,
  ): Promise<Record<string, unknown[]> | null> {
    const [first] = records;
    const place = first!.place as SegmentPlace;
    const names = [...wanted];
    if (wanted.has("embedding")) names.push("embedding_scale", "embedding_fine");
    try {
      return await place.segment.readGroup(place.group, names, { textAsBytes: true });
    } catch (error) {
      // Row by row: what is damaged is told of the row that it belongs to, what moved is found.
      if (first!.place === place && !isCorrupt(error)) throw error;
      return null;
    }
  }

  /**
   * Whole memories, oldest first. What is near in time may lie far apart in the files: a window of them
   * is read in the order of the files, so that no page is decoded for one row alone.
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
        const { embedded: _embedded, ...memory } = await this.withoutVector(record);
        const { ordinal } = record.entry;
        memories.set(ordinal, { ...memory, embedding: vectors.get(ordinal) ?? null });
        alive();
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

/** Without a promise per value where all are there. */
function allNow<T>(values: (T | Promise<T>)[]): Promise<T[]> {
  return values.some((value) => value instanceof Promise)
    ? Promise.all(values)
    : Promise.resolve(values as T[]);
}
