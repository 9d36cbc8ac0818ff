/** Which rows a compaction puts where, and where it reads them from. */

import { currentRow, type MemoryRecord } from "./store-state.ts";
import { utf8Length, type StoredRow } from "./stored-row.ts";

/** Content of one row group: one page, the unit of compression and of a fetch. */
const GROUP_CONTENT_BYTES = 2 * 1024 * 1024;
/** Their envelopes are a page, too: of mails with large attachments it grows faster. */
const GROUP_ENVELOPE_BYTES = 4 * 1024 * 1024;
/** To write more rows at once would keep questions waiting (decisions/0019). */
const GROUP_ROWS = 4096;
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

/** Reads records in order and cuts them into row groups of about one page of content. */
export async function* readGroups(
  records: readonly MemoryRecord[],
): AsyncGenerator<{ own: MemoryRecord[]; rows: StoredRow[] }> {
  const source = new RowSource();
  let group = { own: [] as MemoryRecord[], rows: [] as StoredRow[] };
  let content = 0;
  let envelopes = 0;
  for (const record of records) {
    const row = await source.read(record);
    group.own.push(record);
    group.rows.push(row);
    content += row.content === null ? 0 : utf8Length(row.content);
    envelopes += row.envelope?.length ?? 0;
    if (
      content < GROUP_CONTENT_BYTES &&
      envelopes < GROUP_ENVELOPE_BYTES &&
      group.rows.length < GROUP_ROWS
    )
      continue;
    yield group;
    group = { own: [], rows: [] };
    [content, envelopes] = [0, 0];
  }
  if (group.rows.length > 0) yield group;
}

/** Whole rows of several segments, read group by group; merging by time comes back to the same few. */
class RowSource {
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
