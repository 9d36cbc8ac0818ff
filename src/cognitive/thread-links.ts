/**
 * Who stands beside whom in a conversation, by ordinal: previous, next, answered, and the thread itself.
 * Read from the catalog when first asked for and kept in typed arrays; a change of the store drops what
 * it may have made wrong, and no more. For the spread of activation, which asks for the neighbours of
 * hundreds of memories per query.
 */

import { META } from "../model/memory.ts";
import type { CatalogEntry, MemoryStore, StoreChange } from "../storage/memory-store.ts";

const UNKNOWN = -1;
const NONE = -1;
/** Places of the numbers of a memory in `ThreadLinks.table`. */
export const PREVIOUS = 0;
export const NEXT = 1;
export const ANSWERED = 2;
/** See `threadIn`. */
export const THREAD = 3;
const FIELDS = 4;
/** Beside the number of the thread: the one before, or after, is of the same. */
export const SAME_BEFORE = 1;
export const SAME_AFTER = 2;
const FLAG_BITS = 2;

/** The thread that the fourth number of a memory tells, or -1. */
export function threadIn(packed: number): number {
  return (packed >> FLAG_BITS) - 1;
}

function unread(thread: number): number {
  return -3 - thread;
}

export class ThreadLinks {
  readonly #store: MemoryStore;
  /**
   * Four numbers an ordinal, side by side in memory: previous, next, answered, thread and flags. Below 0 the
   * fourth says that they are to be read: UNKNOWN, or what `unread` makes where others' flags rely on the thread.
   */
  #links = new Int32Array(0);
  #times = new Float64Array(0);
  #threadNumbers = new Map<string, number>();
  /** Read, but a link of theirs led to what wasn't there: it may come. */
  #dangling = new Set<number>();

  constructor(store: MemoryStore) {
    this.#store = store;
    store.subscribe((change) => this.#apply(change));
  }

  /** To be called before a series of questions: makes room for what was added. */
  refresh(): void {
    const limit = this.#store.catalog.ordinalLimit;
    const known = this.#links.length;
    if (known >= FIELDS * limit) return;
    const grown = new Int32Array(FIELDS * (Math.ceil(limit * 1.1) + 64)).fill(UNKNOWN, known);
    grown.set(this.#links);
    this.#links = grown;
    const times = new Float64Array(grown.length / FIELDS);
    times.set(this.#times);
    this.#times = times;
  }

  /** The ordinal before it in its thread, or -1. */
  previous(ordinal: number): number {
    return this.#known(ordinal) ? this.#links[FIELDS * ordinal + PREVIOUS]! : NONE;
  }

  next(ordinal: number): number {
    return this.#known(ordinal) ? this.#links[FIELDS * ordinal + NEXT]! : NONE;
  }

  /** What it answers, when that isn't just the one before it. */
  repliesTo(ordinal: number): number {
    return this.#known(ordinal) ? this.#links[FIELDS * ordinal + ANSWERED]! : NONE;
  }

  /** Where the four numbers of a memory of the store begin in `table`. */
  rowOf(ordinal: number): number {
    const row = FIELDS * ordinal;
    if (this.#links[row + THREAD]! < 0) this.#read(ordinal);
    return row;
  }

  /** Previous, next, answered and thread of every memory; another array after `refresh`. */
  get table(): Int32Array {
    return this.#links;
  }

  /** When it was, 0 for what isn't there. */
  timeOf(ordinal: number): number {
    return this.#known(ordinal) ? this.#times[ordinal]! : 0;
  }

  /** A number for its thread (conversation, mail thread, or the document that it is a part of), or -1. */
  threadOf(ordinal: number): number {
    return this.#known(ordinal) ? threadIn(this.#links[FIELDS * ordinal + THREAD]!) : NONE;
  }

  #apply(change: StoreChange): void {
    switch (change.type) {
      case "added":
        for (const entry of change.entries) this.#forget(entry);
        for (const ordinal of this.#dangling) this.#drop(ordinal);
        this.#dangling.clear();
        break;
      case "updated":
        // Whoever links to a memory of another thread by now knows the old one: all is read again.
        if (change.entries.some((entry) => this.#isOfAnotherThread(entry))) this.#forgetAll();
        for (const entry of change.entries) this.#forget(entry);
        break;
      case "removed":
        // Who led to one of them leads nowhere.
        this.#forgetAll();
    }
  }

  #forgetAll(): void {
    this.#links.fill(UNKNOWN);
    this.#threadNumbers.clear();
    this.#dangling.clear();
  }

  /** Than it was when it was read. */
  #isOfAnotherThread(entry: CatalogEntry): boolean {
    const packed = this.#links[FIELDS * entry.ordinal + THREAD] ?? UNKNOWN;
    if (packed === UNKNOWN) return false;
    const thread = this.#threadNumberOf(entry);
    return packed < 0 ? packed !== unread(thread) : threadIn(packed) !== thread;
  }

  /** What was read of a memory and of those beside it. */
  #forget(entry: CatalogEntry): void {
    this.#drop(entry.ordinal);
    for (const id of [entry.previousId, entry.nextId]) {
      const other = id === null ? undefined : this.#store.catalog.byId(id);
      if (other !== undefined) this.#drop(other.ordinal);
    }
  }

  #drop(ordinal: number): void {
    const packed = this.#links[FIELDS * ordinal + THREAD] ?? UNKNOWN;
    if (packed >= 0) this.#links[FIELDS * ordinal + THREAD] = unread(threadIn(packed));
  }

  #known(ordinal: number): boolean {
    if (ordinal < 0 || FIELDS * ordinal >= this.#links.length) return false;
    if (this.#links[FIELDS * ordinal + THREAD]! < 0) this.#read(ordinal);
    return true;
  }

  #read(ordinal: number): void {
    const { catalog } = this.#store;
    const entry = catalog.byOrdinal(ordinal);
    /** Mostly the one beside it in the store: looked at first, as a look-up by id costs more. */
    const at = (id: string | null, likely: number): number => {
      if (id === null) return NONE;
      if (catalog.byOrdinal(likely)?.id === id) return likely;
      const other = catalog.byId(id)?.ordinal ?? NONE;
      if (other === NONE) this.#dangling.add(ordinal);
      return other;
    };
    this.#times[ordinal] = entry?.timestamp ?? 0;
    this.#links[FIELDS * ordinal + PREVIOUS] = at(entry?.previousId ?? null, ordinal - 1);
    this.#links[FIELDS * ordinal + NEXT] = at(entry?.nextId ?? null, ordinal + 1);
    const replyTo = entry?.metadata[META.replyTo];
    const answered =
      replyTo === undefined ? NONE : (catalog.byExternalId(replyTo)?.ordinal ?? NONE);
    if (replyTo !== undefined && answered === NONE) this.#dangling.add(ordinal);
    const previous = this.#links[FIELDS * ordinal + PREVIOUS];
    this.#links[FIELDS * ordinal + ANSWERED] = answered === previous ? NONE : answered;
    const thread = this.#threadNumberOf(entry);
    const isSame = (other: number): boolean => {
      if (other < 0) return false;
      const otherThread = this.#threadNumberOf(catalog.byOrdinal(other));
      if (this.#links[FIELDS * other + THREAD] === UNKNOWN)
        this.#links[FIELDS * other + THREAD] = unread(otherThread);
      return otherThread === thread;
    };
    this.#links[FIELDS * ordinal + THREAD] =
      ((thread + 1) << FLAG_BITS) |
      (isSame(this.#links[FIELDS * ordinal + PREVIOUS]!) ? SAME_BEFORE : 0) |
      (isSame(this.#links[FIELDS * ordinal + NEXT]!) ? SAME_AFTER : 0);
  }

  #threadNumberOf(entry: CatalogEntry | undefined): number {
    if (entry === undefined) return NONE;
    const { metadata } = entry;
    const name =
      metadata[META.thread] ??
      (metadata[META.part] === undefined ? undefined : metadata[META.source]);
    if (name === undefined) return NONE;
    const key = `${entry.userId}\n${name}`;
    let number = this.#threadNumbers.get(key);
    if (number === undefined) this.#threadNumbers.set(key, (number = this.#threadNumbers.size));
    return number;
  }
}
