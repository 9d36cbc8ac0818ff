/** Which rows a compaction puts where, and where it reads them from. */

import { currentRow, type MemoryRecord } from "./store-state.ts";
import type { StoredRow } from "./stored-row.ts";

/** Content of one row group: one page, the unit of compression and of a fetch. */
const GROUP_CONTENT_BYTES = 2 * 1024 * 1024;
const GROUP_ROWS = 16_384;
/** Text that a dictionary is trained from. */
const SAMPLE_BYTES = 2 * 1024 * 1024;

/** Records of one segment by row group, in the order of its rows. */
export function byGroup(records: readonly MemoryRecord[]): [number, MemoryRecord[]][] {
  const groups = new Map<number, MemoryRecord[]>();
  for (const record of records) {
    const { group } = record.place as { group: number };
    const own = groups.get(group);
    if (own) own.push(record);
    else groups.set(group, [record]);
  }
  const index = (record: MemoryRecord) => (record.place as { index: number }).index;
  for (const own of groups.values()) own.sort((a, b) => index(a) - index(b));
  return [...groups].sort(([a], [b]) => a - b);
}

/** Without reading rows: the original's size bounds content and envelope closely enough. */
export function estimateBytes(records: readonly MemoryRecord[]): number {
  let size = 0;
  for (const { entry } of records) size += entry.keep === "exact" ? entry.originalBytes : 256;
  return size;
}

/** Cuts records into row groups of about one page of content. */
export function* cutGroups(records: readonly MemoryRecord[]): Generator<MemoryRecord[]> {
  let from = 0;
  let size = 0;
  for (let i = 0; i < records.length; i++) {
    size += estimateBytes([records[i]!]);
    if (size < GROUP_CONTENT_BYTES && i + 1 - from < GROUP_ROWS) continue;
    yield records.slice(from, i + 1);
    from = i + 1;
    size = 0;
  }
  if (from < records.length) yield records.slice(from);
}

/** Whole rows of several segments, read group by group; merging by time comes back to the same few. */
export class RowSource {
  readonly #groups = new Map<string, StoredRow[]>();

  async read(record: MemoryRecord): Promise<StoredRow> {
    const { place } = record;
    if (place.kind === "journal") return currentRow(record, place.row);
    const key = `${place.segment.info.number}/${place.group}`;
    let rows = this.#groups.get(key);
    if (rows) this.#groups.delete(key);
    else rows = await place.segment.readRows(place.group);
    this.#groups.set(key, rows);
    if (this.#groups.size > 12) this.#groups.delete(this.#groups.keys().next().value!);
    return currentRow(record, rows[place.index]!);
  }
}

/** Texts for a dictionary, spread over all that is written. */
export class TextSamples {
  readonly texts: string[] = [];
  readonly #every: number;
  #seen = 0;

  /** @param records all that will be added, for the spacing */
  constructor(records: readonly MemoryRecord[]) {
    const total = estimateBytes(records);
    this.#every = Math.max(1, Math.ceil(total / SAMPLE_BYTES));
  }

  add(rows: readonly StoredRow[]): void {
    for (const { content } of rows)
      if (content !== null && this.#seen++ % this.#every === 0) this.texts.push(content);
  }
}
