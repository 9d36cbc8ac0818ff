/**
 * The store's logical state: where each memory's row is, what changed since, what was forgotten.
 * The same methods apply a record when it is written and when the journal is replayed, so that
 * reopening can't differ from going on.
 *
 * More than 400 lines: every kind of change is applied to the same few maps, and has to keep them in step.
 */

import { isEpisode, keepsLess, type Entity, type KeepLevel } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { MemoryCatalog, entryFromRow, roomFor } from "./catalog.ts";
import type { Bundle, Change, ChangedFields, VectorBatch } from "./journal-records.ts";
import type { CatalogEntry, IndexRow, StoreChange } from "./memory-store.ts";
import type { Segment } from "./segment.ts";
import type { StoredRow } from "./stored-row.ts";

export type Place =
  | { kind: "journal"; row: StoredRow; journal: number }
  | { kind: "segment"; segment: Segment; group: number; index: number };

export interface MemoryRecord {
  /** The truth about light fields; the row behind `place` may be older. */
  readonly entry: CatalogEntry;
  place: Place;
  /** A vector newer than the row's. */
  embedding: QuantizedVector | null;
  /** A summary newer than the row's. */
  text: { summary: string; entities: Entity[] } | null;
  /** The level of the row behind `place`. The entry's may be lower: a move that can be taken back. */
  detail: KeepLevel;
  /** The level that a running compaction writes it at; then it can rise no more. */
  sinking: KeepLevel | null;
  /** Number of the journal that holds the last change which the row lacks; 0 when it lacks none. */
  changedIn: number;
  /** Generation of the last change to what indexes are made of, or a later one; 0 when there was none. */
  editedAt: number;
}

export interface Forgotten {
  record: MemoryRecord;
  /** To be erased: can't be restored. */
  erase: boolean;
  /** A running compaction leaves it out. */
  dropping: boolean;
}

type Links = Pick<
  CatalogEntry,
  "previousId" | "nextId" | "episodeId" | "supersedes" | "supersededBy"
>;

export class StoreState {
  readonly catalog: MemoryCatalog;
  /** By ordinal. */
  readonly records: (MemoryRecord | undefined)[];
  readonly forgotten = new Map<string, Forgotten>();
  /** Changes to memories that aren't there: those of a damaged segment, should it be mended. */
  readonly unresolved: Change[] = [];
  /** Of the store, once what is being applied is in it. */
  generation = 0;

  /** @param expected about so many ordinals will be added, in any order */
  constructor(expected = 0) {
    this.catalog = new MemoryCatalog(expected);
    this.records = roomFor(expected);
  }

  recordOf(entry: CatalogEntry): MemoryRecord {
    return this.records[entry.ordinal]!;
  }

  recordById(id: string): MemoryRecord | undefined {
    const entry = this.catalog.byId(id);
    return entry && this.records[entry.ordinal];
  }

  /** @param entry as the segment has it */
  addFromSegment(entry: CatalogEntry, segment: Segment, group: number, index: number): void {
    this.#add({
      entry,
      place: { kind: "segment", segment, group, index },
      embedding: null,
      text: null,
      detail: entry.keep,
      sinking: null,
      changedIn: 0,
      editedAt: segment.info.editedAt ?? 0,
    });
  }

  #add(record: MemoryRecord): void {
    this.records[record.entry.ordinal] = record;
    this.catalog.add(record.entry);
  }

  #change(
    record: MemoryRecord,
    change: Partial<Omit<CatalogEntry, "ordinal" | "id">>,
    journal: number,
  ): void {
    this.catalog.update(record.entry, change);
    record.changedIn = journal;
  }

  /**
   * New rows with their ordinals. `frameBytes` on disk and `payloadBytes` before compression give
   * each row its share.
   */
  applyMemories(
    rows: readonly StoredRow[],
    journal: number,
  ): { added: CatalogEntry[]; rows: IndexRow[]; linked: CatalogEntry[] } {
    const added: MemoryRecord[] = [];
    for (const row of rows) {
      if (this.catalog.byId(row.id)) continue;
      const record: MemoryRecord = {
        entry: entryFromRow(row),
        place: { kind: "journal", row, journal },
        embedding: null,
        text: null,
        detail: row.keep,
        sinking: null,
        changedIn: 0,
        editedAt: 0,
      };
      this.#add(record);
      added.push(record);
    }
    const linked = new Set<CatalogEntry>();
    for (const { entry } of added) {
      const previous = entry.previousId === null ? undefined : this.recordById(entry.previousId);
      if (previous && previous.entry.nextId === null && previous.entry !== entry) {
        this.#change(previous, { nextId: entry.id }, journal);
        linked.add(previous.entry);
      }
      const next = entry.nextId === null ? undefined : this.recordById(entry.nextId);
      if (next && next.entry.previousId === null && next.entry !== entry) {
        this.#change(next, { previousId: entry.id }, journal);
        linked.add(next.entry);
      }
    }
    for (const { entry } of added) linked.delete(entry);
    return {
      added: added.map((record) => record.entry),
      rows: added.map(({ place }) => indexRow((place as { row: StoredRow }).row)),
      linked: [...linked],
    };
  }

  applyChange(change: Change, journal: number): StoreChange | null {
    switch (change.op) {
      case "patch": {
        const record = this.recordById(change.id) ?? this.forgotten.get(change.id)?.record;
        if (!record) {
          this.unresolved.push({ ...change, carried: true });
          return null;
        }
        const fields = changedFields(record.entry, change.fields);
        record.editedAt = this.generation;
        if (this.forgotten.has(change.id)) {
          Object.assign(record.entry, fields);
          record.changedIn = journal;
          return null;
        }
        this.#change(record, fields, journal);
        return { type: "updated", entries: [record.entry] };
      }
      case "forget": {
        const removed: CatalogEntry[] = [];
        const unknown: string[] = [];
        for (const id of change.ids) {
          const known = this.forgotten.get(id);
          if (known) {
            known.erase ||= change.erase ?? false;
            continue;
          }
          const record = this.recordById(id);
          if (!record) {
            unknown.push(id);
            continue;
          }
          this.catalog.remove(record.entry);
          this.forgotten.set(id, { record, erase: change.erase ?? false, dropping: false });
          removed.push(record.entry);
        }
        if (unknown.length > 0) this.unresolved.push({ ...change, ids: unknown, carried: true });
        if (removed.length === 0) return null;
        return {
          type: "removed",
          ordinals: removed.map((entry) => entry.ordinal),
          ids: removed.map((entry) => entry.id),
        };
      }
      case "restore": {
        const entries: CatalogEntry[] = [];
        const unknown = change.ids.filter((id) => !this.forgotten.has(id) && !this.recordById(id));
        if (unknown.length > 0) this.unresolved.push({ ...change, ids: unknown, carried: true });
        for (const id of change.ids) {
          const found = this.forgotten.get(id);
          if (!found || found.erase || found.dropping) continue;
          this.forgotten.delete(id);
          found.record.editedAt = this.generation;
          this.catalog.add(found.record.entry);
          entries.push(found.record.entry);
        }
        // Rows are added by the caller, who can read them.
        return entries.length === 0 ? null : { type: "added", entries, rows: [] };
      }
      case "text":
        return this.#eachKnown(change, [change.id], (record) => {
          record.text = {
            summary: change.summary,
            entities: change.entities.map(([text, type, confidence]) => ({
              text,
              type,
              confidence,
            })),
          };
          record.changedIn = journal;
          if (!change.dropVector) return {};
          record.embedding = null;
          return { embedded: false, embeddingModel: null };
        });
      case "fade":
        return this.#eachKnown(change, change.ids, ({ entry }) =>
          keepsLess(change.keep, entry.keep) ? { keep: change.keep } : null,
        );
      case "lift":
        return this.#eachKnown(change, change.ids, ({ entry, detail }) =>
          entry.keep === detail ? null : { keep: detail },
        );
    }
  }

  /** Applies what `fields` says of each memory, forgotten ones too; null leaves one as it is. */
  #eachKnown(
    change: Extract<Change, { op: "text" | "fade" | "lift" }>,
    ids: readonly string[],
    fields: (record: MemoryRecord) => Partial<Omit<CatalogEntry, "ordinal" | "id">> | null,
  ): StoreChange | null {
    const entries: CatalogEntry[] = [];
    const unknown: string[] = [];
    for (const id of ids) {
      const live = this.recordById(id);
      const record = live ?? this.forgotten.get(id)?.record;
      if (!record) {
        unknown.push(id);
        continue;
      }
      const changed = fields(record);
      if (changed === null) continue;
      record.editedAt = this.generation;
      if (live) {
        this.catalog.update(record.entry, changed);
        entries.push(record.entry);
      } else Object.assign(record.entry, changed);
    }
    if (unknown.length > 0)
      this.unresolved.push(
        change.op === "text"
          ? { ...change, carried: true }
          : { ...change, ids: unknown, carried: true },
      );
    return entries.length === 0
      ? null
      : { type: "updated", entries, ...(change.op === "text" ? { textChanged: true } : {}) };
  }

  /** In the order of rows, changes, vectors. */
  applyBundle({ rows, changes, vectors }: Bundle, journal: number): StoreChange[] {
    const applied: (StoreChange | null)[] = [];
    if (rows.length > 0) {
      const { added, rows: indexed, linked } = this.applyMemories(rows, journal);
      applied.push({ type: "added", entries: added, rows: indexed });
      if (linked.length > 0) applied.push({ type: "updated", entries: linked });
    }
    for (const change of changes) applied.push(this.applyChange(change, journal));
    if (vectors) applied.push(this.applyVectors(vectors, journal));
    return applied.filter((change) => change !== null);
  }

  applyVectors(batch: VectorBatch, journal: number): StoreChange | null {
    const ordinals: number[] = [];
    const vectors: QuantizedVector[] = [];
    for (const { id, embedding, quality } of batch.updates) {
      const record = this.recordById(id) ?? this.forgotten.get(id)?.record;
      if (!record) continue;
      record.embedding = embedding;
      record.changedIn = journal;
      record.editedAt = this.generation;
      Object.assign(record.entry, {
        embedded: true,
        embeddingModel: batch.model,
        ...(quality ? { quality } : {}),
      });
      if (this.forgotten.has(id)) continue;
      ordinals.push(record.entry.ordinal);
      vectors.push(embedding);
    }
    return ordinals.length === 0 ? null : { type: "embedded", ordinals, vectors };
  }

  /**
   * Joins the neighbours of forgotten memories over the gap and removes references to them. What it
   * returns takes that back, should they stay, where nothing else changed it since.
   */
  mend(ids: ReadonlySet<string>, journal: number): () => void {
    if (ids.size === 0) return () => undefined;
    const mends: { entry: CatalogEntry; old: Links; mended: Links }[] = [];
    const update = (entry: CatalogEntry, links: Partial<Links>): void => {
      if (this.catalog.byId(entry.id) === entry) this.catalog.update(entry, links);
      else Object.assign(entry, links);
    };
    const gone = (id: string | null) => id !== null && ids.has(id);
    const past = (id: string | null, step: "previousId" | "nextId"): string | null => {
      let at = id;
      for (let hops = 0; at !== null && ids.has(at); hops++)
        at = hops > ids.size ? null : (this.forgotten.get(at)?.record.entry[step] ?? null);
      return at;
    };
    const mendRecord = (record: MemoryRecord): void => {
      const { entry } = record;
      if (
        !gone(entry.previousId) &&
        !gone(entry.nextId) &&
        !gone(entry.episodeId) &&
        !gone(entry.supersedes) &&
        !gone(entry.supersededBy)
      )
        return;
      const { previousId, nextId, episodeId, supersedes, supersededBy } = entry;
      const old = { previousId, nextId, episodeId, supersedes, supersededBy };
      const mended = {
        previousId: past(entry.previousId, "previousId"),
        nextId: past(entry.nextId, "nextId"),
        episodeId: gone(entry.episodeId) ? null : entry.episodeId,
        supersedes: gone(entry.supersedes) ? null : entry.supersedes,
        supersededBy: gone(entry.supersededBy) ? null : entry.supersededBy,
      };
      update(entry, mended);
      mends.push({ entry, old, mended });
      record.changedIn = journal;
    };
    for (const record of this.records) if (record && !ids.has(record.entry.id)) mendRecord(record);
    return () => {
      for (const { entry, old, mended } of mends) {
        const names = (Object.keys(old) as (keyof Links)[]).filter(
          (name) => entry[name] === mended[name],
        );
        update(entry, Object.fromEntries(names.map((name) => [name, old[name]])));
      }
    };
  }

  /** Takes forgotten records out for good. */
  drop(ids: Iterable<string>): void {
    for (const id of ids) {
      const found = this.forgotten.get(id);
      if (!found) continue;
      this.forgotten.delete(id);
      this.records[found.record.entry.ordinal] = undefined;
    }
  }
}

export function indexRow(row: StoredRow): IndexRow {
  return {
    ordinal: row.ordinal,
    id: row.id,
    content: row.content,
    summary: row.summary,
    entities: row.entities,
    embedding: row.embedding,
  };
}

/** Entry fields that a change sets. A keep level only moves down. */
function changedFields(
  entry: CatalogEntry,
  { metadata, keep, ...plain }: ChangedFields,
): Partial<CatalogEntry> {
  const change: Partial<CatalogEntry> = {};
  for (const [name, value] of Object.entries(plain))
    if (value !== undefined) Object.assign(change, { [name]: value });
  if (keep !== undefined && keepsLess(keep, entry.keep)) change.keep = keep;
  if (metadata) {
    const merged = new Map<string, string>(Object.entries(entry.metadata));
    for (const [key, value] of metadata)
      if (value === null) merged.delete(key);
      else merged.set(key, value);
    change.metadata = Object.fromEntries(merged);
  }
  return change;
}

/** The level of what a compaction writes. */
export function writtenLevel(record: MemoryRecord): KeepLevel {
  return record.sinking ?? record.detail;
}

/** Whether nothing of a memory's own speaks for it at this level. */
export function isBare(entry: CatalogEntry, level: KeepLevel): boolean {
  return level === "gist" && !isEpisode(entry);
}

/**
 * The whole row as a compaction writes it: the row behind its place with the entry's fields. What
 * faded is left out only where the move is carried out; else the row keeps its detail and its level,
 * and the journal repeats the move.
 */
export function currentRow(record: MemoryRecord, row: StoredRow): StoredRow {
  const { entry } = record;
  const level = writtenLevel(record);
  const exact = level === "exact";
  const bare = isBare(entry, level);
  const embedding = entry.embeddingModel === null ? null : (record.embedding ?? row.embedding);
  return {
    ...row,
    content: exact ? row.content : null,
    envelope: exact ? row.envelope : null,
    summary: bare ? "" : (record.text?.summary ?? row.summary),
    entities: bare ? [] : (record.text?.entities ?? row.entities),
    embedding: bare ? null : embedding,
    embeddingModel: bare ? null : entry.embeddingModel,
    episodeId: entry.episodeId,
    mode: entry.mode,
    model: entry.model,
    timestamp: entry.timestamp,
    activation: entry.activation,
    metadata: entry.metadata,
    keep: level,
    quality: entry.quality,
    previousId: entry.previousId,
    nextId: entry.nextId,
    supersedes: entry.supersedes,
    supersededBy: entry.supersededBy,
    validFrom: entry.validFrom,
    validTo: entry.validTo,
    storedBytes: entry.storedBytes,
  };
}
