/**
 * Who stands beside whom in a conversation, by ordinal: previous, next, answered, and the thread itself.
 * Read from the catalog when first asked for, kept in typed arrays until the store changes. For the
 * spread of activation, which asks for the neighbours of hundreds of memories per query.
 */

import { META } from "../model/memory.ts";
import type { MemoryStore } from "../storage/memory-store.ts";

const UNKNOWN = -2;
const NONE = -1;

export class ThreadLinks {
  readonly #store: MemoryStore;
  #generation = -1;
  #previous = new Int32Array(0);
  #next = new Int32Array(0);
  #repliesTo = new Int32Array(0);
  #threads = new Int32Array(0);
  #threadNumbers = new Map<string, number>();

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  /** To be called before a series of questions: drops what the store no longer says. */
  refresh(): void {
    const { generation, catalog } = this.#store;
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#threadNumbers.clear();
    const limit = catalog.ordinalLimit;
    if (this.#threads.length < limit) {
      const length = Math.ceil(limit * 1.1) + 64;
      this.#previous = new Int32Array(length);
      this.#next = new Int32Array(length);
      this.#repliesTo = new Int32Array(length);
      this.#threads = new Int32Array(length);
    }
    this.#threads.fill(UNKNOWN);
  }

  /** The ordinal before it in its thread, or -1. */
  previous(ordinal: number): number {
    return this.#known(ordinal) ? this.#previous[ordinal]! : NONE;
  }

  next(ordinal: number): number {
    return this.#known(ordinal) ? this.#next[ordinal]! : NONE;
  }

  /** What it answers, when that isn't just the one before it. */
  repliesTo(ordinal: number): number {
    return this.#known(ordinal) ? this.#repliesTo[ordinal]! : NONE;
  }

  /** A number for its thread (conversation, mail thread, or the document that it is a part of), or -1. */
  threadOf(ordinal: number): number {
    return this.#known(ordinal) ? this.#threads[ordinal]! : NONE;
  }

  #known(ordinal: number): boolean {
    if (ordinal < 0 || ordinal >= this.#threads.length) return false;
    if (this.#threads[ordinal] === UNKNOWN) this.#read(ordinal);
    return true;
  }

  #read(ordinal: number): void {
    const { catalog } = this.#store;
    const entry = catalog.byOrdinal(ordinal);
    const at = (id: string | null): number =>
      id === null ? NONE : (catalog.byId(id)?.ordinal ?? NONE);
    this.#previous[ordinal] = at(entry?.previousId ?? null);
    this.#next[ordinal] = at(entry?.nextId ?? null);
    const replyTo = entry?.metadata[META.replyTo];
    const answered =
      replyTo === undefined ? NONE : (catalog.byExternalId(replyTo)?.ordinal ?? NONE);
    this.#repliesTo[ordinal] = answered === this.#previous[ordinal] ? NONE : answered;
    const key =
      entry?.metadata[META.thread] ??
      (entry?.metadata[META.part] === undefined ? undefined : entry.metadata[META.source]);
    this.#threads[ordinal] =
      entry === undefined || key === undefined ? NONE : this.#numberOf(`${entry.userId}\n${key}`);
  }

  #numberOf(key: string): number {
    let number = this.#threadNumbers.get(key);
    if (number === undefined) this.#threadNumbers.set(key, (number = this.#threadNumbers.size));
    return number;
  }
}
