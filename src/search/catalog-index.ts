/**
 * The light fields of the memories in the form that filters ask for: who has which value of source,
 * speaker, kind, keep level and owner, and the memories in the order of time. Follows changes one by
 * one; nothing is walked per query. Gists' rows of episodes are not in it.
 */

import { META, isEpisode } from "../model/memory.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";
import { NumberedValues } from "./numbered-values.ts";
import { OrdinalList, type OrdinalGroup } from "./ordinal-list.ts";
import { OrdinalSet } from "./ordinal-set.ts";

export type IndexedField = "source" | "speaker" | "kind" | "keep" | "userId";

const VALUE_OF: Record<IndexedField, (entry: CatalogEntry) => string | undefined> = {
  source: (entry) => entry.metadata[META.source],
  speaker: (entry) => entry.metadata[META.speaker],
  kind: (entry) => entry.metadata[META.kind],
  keep: (entry) => entry.keep,
  userId: (entry) => entry.userId,
};
const FIELDS = Object.keys(VALUE_OF) as IndexedField[];
/** From so many members a bitmap is smaller and quicker to change than a list. */
const BITMAP_FROM = 1024;
/** Later additions are looked at one by one up to here, then sorted in. */
const MAX_TAIL = 2048;

interface Column {
  readonly field: IndexedField;
  readonly valueOf: (entry: CatalogEntry) => string | undefined;
  /** The set that was added to last: neighbours mostly share their values. */
  last: { value: string; set: OrdinalList | OrdinalSet } | null;
  /** By value; sets that became empty are dropped. Values of few memories, as most speakers are, have a list. */
  readonly sets: Map<string, OrdinalList | OrdinalSet>;
  /** By ordinal: the value that it is filed under. */
  readonly values: (string | undefined)[];
}

export class CatalogIndex {
  /** Every memory. */
  readonly live = new OrdinalSet(0);
  /** Who says it and under which title, as ranking reads them. */
  readonly speakers = new NumberedValues();
  readonly titles = new NumberedValues();
  readonly #columns: readonly Column[] = FIELDS.map((field) => ({
    field,
    valueOf: VALUE_OF[field],
    last: null,
    sets: new Map(),
    values: [],
  }));
  #times = new Float64Array(0);
  /** Ordinals by time, then ordinal, up to `#sortedCount`; some may be gone or be of another time by now. */
  #sorted = new Int32Array(0);
  #sortedTimes = new Float64Array(0);
  /** Added or moved in time since the last sort. */
  #tail: number[] = [];
  /** Beyond every ordinal in `#sorted`. */
  #sortedLimit = 0;
  /** In `#sorted`, but in the tail too: of another time, or back after it was gone. */
  #moved = new Set<number>();
  #speakersVersion = 0;

  constructor(entries: Iterable<CatalogEntry> = []) {
    for (const entry of entries) this.put(entry);
  }

  /** Changes when a speaker appears or goes. */
  get speakersVersion(): number {
    return this.#speakersVersion;
  }

  /** Adds or replaces. */
  put(entry: CatalogEntry): void {
    const { ordinal } = entry;
    if (isEpisode(entry)) return this.remove(ordinal);
    const isNew = !this.live.has(ordinal);
    for (const column of this.#columns) {
      const value = column.valueOf(entry);
      const before = column.values[ordinal];
      if (value === before) continue;
      if (before !== undefined) this.#unfile(column, ordinal, before);
      column.values[ordinal] = value;
      if (value !== undefined) this.#setOf(column, value).add(ordinal);
    }
    this.speakers.set(ordinal, entry.metadata[META.speaker]);
    this.titles.set(ordinal, entry.metadata[META.title]);
    this.live.add(ordinal);
    if (ordinal >= this.#times.length) {
      const times = new Float64Array(Math.max(ordinal + 1, Math.ceil(this.#times.length * 1.5)));
      times.set(this.#times);
      this.#times = times;
    }
    const takesPlace = isNew || this.#times[ordinal] !== entry.timestamp;
    this.#times[ordinal] = entry.timestamp;
    if (!takesPlace) return;
    if (ordinal < this.#sortedLimit) this.#moved.add(ordinal);
    this.#tail.push(ordinal);
  }

  remove(ordinal: number): void {
    if (!this.live.has(ordinal)) return;
    this.live.delete(ordinal);
    this.speakers.set(ordinal, undefined);
    this.titles.set(ordinal, undefined);
    for (const column of this.#columns) {
      const value = column.values[ordinal];
      if (value !== undefined) this.#unfile(column, ordinal, value);
      column.values[ordinal] = undefined;
    }
  }

  /** Who has which value of a field. */
  sets(field: IndexedField): ReadonlyMap<string, OrdinalGroup> {
    return this.#columns.find((column) => column.field === field)!.sets;
  }

  /** Memories with after ≤ time < before. */
  inRange(after: number, before: number): OrdinalSet {
    this.#settle();
    const found = new OrdinalSet(this.#times.length);
    const to = lowerBound(this.#sortedTimes, before);
    for (let i = lowerBound(this.#sortedTimes, after); i < to; i++)
      if (this.#isCurrent(this.#sorted[i]!)) found.add(this.#sorted[i]!);
    for (const ordinal of this.#tail) {
      const time = this.#times[ordinal]!;
      if (this.live.has(ordinal) && time >= after && time < before) found.add(ordinal);
    }
    return found;
  }

  /** Memories of a time, newest first, ties by the later ordinal. */
  newest(limit: number, allow: OrdinalSet | null): number[] {
    this.#settle();
    const tail = [...new Set(this.#tail)]
      .filter((ordinal) => this.live.has(ordinal) && (allow === null || allow.has(ordinal)))
      .sort((a, b) => this.#compare(b, a));
    const found: number[] = [];
    let at = 0;
    for (let i = this.#sorted.length - 1; found.length < limit; i--) {
      while (i >= 0 && !this.#passes(this.#sorted[i]!, allow)) i--;
      const next = tail[at];
      if (i < 0 && next === undefined) break;
      if (i < 0 || (next !== undefined && this.#compare(next, this.#sorted[i]!) > 0)) {
        found.push(next!);
        at++;
        i++; // not taken yet
      } else found.push(this.#sorted[i]!);
    }
    return found;
  }

  timeOf(ordinal: number): number {
    return this.#times[ordinal] ?? 0;
  }

  clear(): void {
    for (const column of this.#columns) {
      column.sets.clear();
      column.values.length = 0;
      column.last = null;
    }
    this.speakers.clear();
    this.titles.clear();
    this.#tail = [];
    this.#moved.clear();
    this.#sorted = new Int32Array(0);
    this.#sortedTimes = new Float64Array(0);
  }

  #setOf(column: Column, value: string): OrdinalList | OrdinalSet {
    const { last } = column;
    if (last?.value === value && (last.set instanceof OrdinalSet || last.set.size < BITMAP_FROM))
      return last.set;
    let set = column.sets.get(value);
    if (set === undefined) {
      column.sets.set(value, (set = new OrdinalList()));
      if (column.field === "speaker") this.#speakersVersion++;
    } else if (set instanceof OrdinalList && set.size >= BITMAP_FROM)
      column.sets.set(value, (set = OrdinalSet.of(0, set)));
    column.last = { value, set };
    return set;
  }

  #unfile(column: Column, ordinal: number, value: string): void {
    const set = column.sets.get(value);
    set?.delete(ordinal);
    if (set === undefined || set.size > 0) return;
    column.sets.delete(value);
    if (column.last?.value === value) column.last = null;
    if (column.field === "speaker") this.#speakersVersion++;
  }

  #isCurrent(ordinal: number): boolean {
    return this.live.has(ordinal) && (this.#moved.size === 0 || !this.#moved.has(ordinal));
  }

  #passes(ordinal: number, allow: OrdinalSet | null): boolean {
    return this.#isCurrent(ordinal) && (allow === null || allow.has(ordinal));
  }

  #compare(a: number, b: number): number {
    return this.#times[a]! - this.#times[b]! || a - b;
  }

  #settle(): void {
    if (this.#tail.length > MAX_TAIL) this.#sort();
  }

  /** Timsort: what is in order already, as most is, costs one pass. */
  #sort(): void {
    const tail = [...new Set(this.#tail)].filter((ordinal) => this.live.has(ordinal));
    const kept = Array.from(this.#sorted).filter((ordinal) => this.#isCurrent(ordinal));
    const order = [...kept, ...tail].sort((a, b) => this.#compare(a, b));
    this.#sorted = Int32Array.from(order);
    this.#sortedTimes = Float64Array.from(order, (ordinal) => this.#times[ordinal]!);
    this.#sortedLimit = this.#times.length;
    this.#tail = [];
    this.#moved.clear();
  }
}

/** The first place whose value is not below. */
function lowerBound(values: Float64Array, value: number): number {
  let from = 0;
  let to = values.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (values[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
