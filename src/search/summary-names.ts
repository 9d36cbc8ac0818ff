/**
 * Who and what the summaries name that stand for their texts. Storage keeps beside such a summary only
 * what it doesn't say itself, so filters, facets, links and the index would miss the rest: here it is
 * found again in the summary, in the background and in slices, and kept as derived data, so that
 * opening a store doesn't repeat it.
 *
 * Used by `search-service.ts`, which indexes a memory again once its names are known. How names are
 * found is injected: search doesn't know the layer that reads texts.
 */

import { z } from "zod";
import { ENTITY_TYPES, isEpisode, type Entity, type EntityType } from "../model/memory.ts";
import { nextTurn } from "../next-turn.ts";
import type { CatalogEntry, IndexRow, MemoryStore } from "../storage/memory-store.ts";
import { entityKey } from "./entity-table.ts";

/** Names, dates and amounts of a text. Deterministic. A promise where the means are loaded when first needed. */
export type NameFinder = (text: string) => readonly Entity[] | Promise<readonly Entity[]>;

const DERIVED = "summary-names";
/** Summaries that are read at once. */
const BATCH = 32;
/** Finding pauses after so long, for whoever waits for the thread. */
const SLICE_MS = 6;
/** So much finding isn't thrown away when the store is left without being closed. */
const SAVE_AFTER = 512;

/** Memory id → hash of its summary and the names in it, a line each. */
const savedNames = z.object({ version: z.literal(1), names: z.record(z.string(), z.string()) });
const entityTypes: ReadonlySet<string> = new Set(ENTITY_TYPES);

export class SummaryNames {
  readonly #store: MemoryStore;
  readonly #find: NameFinder;
  readonly #onFound: (ordinals: readonly number[]) => void;
  /** As in the file: one string a memory takes a quarter of what objects would. */
  readonly #known = new Map<string, string>();
  readonly #pending = new Set<number>();
  readonly #unnamed = new Set<number>();
  #isLoaded = false;
  #isStarted = false;
  #work: Promise<void> | null = null;
  #unsaved = 0;
  #closed = false;

  /** @param onFound told which memories now have the names that their summaries say */
  constructor(
    store: MemoryStore,
    find: NameFinder,
    onFound: (ordinals: readonly number[]) => void,
  ) {
    this.#store = store;
    this.#find = find;
    this.#onFound = onFound;
  }

  /** Rows that were last asked for before the names in their summaries were known. */
  get unnamed(): ReadonlySet<number> {
    return this.#unnamed;
  }

  /**
   * The entities of a row with those that its summary names, as far as they are known; what isn't is
   * looked for once `start` was called, and told by `onFound`.
   */
  of(row: IndexRow, entry: CatalogEntry): Entity[] {
    if (!isSummarized(entry)) {
      this.#pending.delete(row.ordinal);
      this.#unnamed.delete(row.ordinal);
      return row.entities;
    }
    const known = this.#known.get(row.id);
    if (known !== undefined && (row.summary === "" || known.startsWith(fingerprint(row.summary)))) {
      this.#unnamed.delete(row.ordinal);
      return joined(row.entities, decodeNames(known));
    }
    this.#pending.add(row.ordinal);
    this.#unnamed.add(row.ordinal);
    if (this.#isStarted) this.#begin();
    return row.entities;
  }

  /** Looks for what is not known yet, and from now on soon for what is added. */
  start(): void {
    this.#isStarted = true;
    this.#begin();
  }

  /** Resolves when nothing is left to look for. */
  async settled(): Promise<void> {
    while (this.#work) await this.#work;
  }

  /** Keeps what was found, without the memories that are gone. A failure loses only time. */
  async save(): Promise<void> {
    if (this.#unsaved === 0) return;
    await this.#load();
    const { catalog } = this.#store;
    for (const id of this.#known.keys()) {
      const entry = catalog.byId(id);
      if (!entry || !isSummarized(entry)) this.#known.delete(id);
    }
    const count = this.#unsaved;
    const saved = { version: 1, names: Object.fromEntries(this.#known) };
    await this.#store.writeDerived(DERIVED, new TextEncoder().encode(JSON.stringify(saved)));
    this.#unsaved -= count;
  }

  /** The store dropped its derived files, as it does when something is erased. */
  filesDropped(): void {
    if (this.#isLoaded) this.#unsaved = Math.max(1, this.#unsaved);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#pending.clear();
    await this.settled();
    this.#known.clear();
  }

  #begin(): void {
    if (this.#closed || this.#work !== null || this.#pending.size === 0) return;
    this.#work = this.#findAll()
      .catch((error: unknown) => {
        // Left out until the store is opened again: search works without them.
        this.#pending.clear();
        if (!this.#closed) console.error("The names in summaries could not be found:", error);
      })
      .then(() => {
        this.#work = null;
        this.#begin();
      });
  }

  async #findAll(): Promise<void> {
    await nextTurn();
    await this.#load();
    let started = performance.now();
    while (this.#pending.size > 0 && !this.#closed) {
      const batch = [...this.#take()];
      // A summary that can't be read is told where it is read for its own sake.
      const texts = await this.#store.getSummaries(batch).catch(() => []);
      const found: number[] = [];
      for (const [i, { summary }] of texts.entries()) {
        const id = this.#store.catalog.byOrdinal(batch[i]!)?.id;
        if (id === undefined) continue;
        const mark = fingerprint(summary);
        if (!this.#known.get(id)?.startsWith(mark)) {
          const names = await this.#find(summary);
          if (this.#closed) return;
          // Erased meanwhile: nothing may remain of it.
          if (this.#store.catalog.byId(id) === undefined) continue;
          this.#known.set(id, mark + encodeNames(names));
          this.#unsaved++;
        }
        found.push(batch[i]!);
        if (performance.now() - started < SLICE_MS) continue;
        await nextTurn();
        if (this.#closed) return;
        started = performance.now();
      }
      if (found.length > 0) this.#onFound(found);
    }
    if (this.#unsaved >= SAVE_AFTER && !this.#closed) await this.save().catch(() => undefined);
  }

  *#take(): Generator<number> {
    const { catalog } = this.#store;
    let left = BATCH;
    for (const ordinal of this.#pending) {
      this.#pending.delete(ordinal);
      const entry = catalog.byOrdinal(ordinal);
      if (!entry || !isSummarized(entry)) continue;
      yield ordinal;
      if (--left === 0) return;
    }
  }

  /** What an earlier opening found; a file that can't be read is as good as none. */
  async #load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const bytes = await this.#store.readDerived(DERIVED, { allowStale: true });
    if (bytes === null) return;
    try {
      const { names } = savedNames.parse(JSON.parse(new TextDecoder().decode(bytes)));
      for (const [id, line] of Object.entries(names))
        if (!this.#known.has(id) && this.#store.catalog.byId(id)) this.#known.set(id, line);
    } catch {
      return;
    }
  }
}

/** Whether the summary is all that there is of a text. */
function isSummarized(entry: CatalogEntry): boolean {
  return entry.keep === "summary" && !isEpisode(entry);
}

/** FNV-1a, 32 bits, in eight digits. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

function encodeNames(names: readonly Entity[]): string {
  return names
    .map(
      ({ text, type, confidence }) =>
        `\n${text.replace(/\s+/gu, " ").trim()}\t${type}\t${confidence}`,
    )
    .join("");
}

function decodeNames(line: string): Entity[] {
  return line
    .split("\n")
    .slice(1)
    .flatMap((name) => {
      const [text, type, confidence] = name.split("\t");
      return text && type && entityTypes.has(type)
        ? [{ text, type: type as EntityType, confidence: Number(confidence) || 0 }]
        : [];
    });
}

function joined(stored: readonly Entity[], named: readonly Entity[]): Entity[] {
  const keys = new Set(stored.map(({ text }) => entityKey(text)));
  return [...stored, ...named.filter(({ text }) => !keys.has(entityKey(text)))];
}
