/**
 * Brings the store's vectors into the index after opening, a run of rows per turn: words are answered
 * meanwhile, and only who asks by meaning waits. Then keeps the index at what the store has. Vectors of
 * different models are never compared: one model's are in the index, those of others stay out.
 */

import { isClosed } from "../errors.ts";
import { isEpisode } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { nextTurn } from "../next-turn.ts";
import type { CatalogEntry, MemoryStore, VectorColumn } from "../storage/memory-store.ts";
import type { VectorSearch } from "./vector-index.ts";

/** What is done at once; others get their turn in between. */
const TURN_MS = 8;
/** To ask whether there is a model takes less; to load it more. */
const PATIENCE_MS = 50;

export class StoredVectors {
  readonly #store: MemoryStore;
  readonly #vectors: VectorSearch;
  /** The model whose vectors are in the index; null while there are none. */
  #model: string | null = null;
  /** Ordinals whose vector was set or removed while it loads: what a load reads of them may be older. */
  readonly #changedMeanwhile = new Set<number>();
  /** Vectors of other models are there, that the index doesn't have. */
  #hasOthers = false;
  /** Loads that run or wait for one that does. */
  #loads = 0;
  #loading: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | null = null;
  /** Questions under way, and those of them that wait. */
  #asking = 0;
  #waiting = 0;
  #closed = false;

  constructor(store: MemoryStore, vectors: VectorSearch) {
    this.#store = store;
    this.#vectors = vectors;
  }

  /** Whether everything that the store has is in the index. */
  get isLoaded(): boolean {
    return this.#loads === 0 && this.#failure === null;
  }

  /** Whether a question can have an answer by meaning: of the model in use, or of one that its vector may come from. */
  get isEmpty(): boolean {
    return this.isLoaded && this.#vectors.size === 0 && !this.#hasOthers;
  }

  /** Resolves when everything is in the index; rejects when the store couldn't be read. */
  async loaded(): Promise<void> {
    this.#waiting++;
    await this.#loading;
    this.#waiting--;
    if (this.#failure) throw this.#failure.error;
  }

  /** Loading goes on while a question waits for something else, once that takes a while. */
  async beside<T>(waiting: () => Promise<T>): Promise<T> {
    let isCounted = false;
    const timer = setTimeout(() => {
      isCounted = true;
      this.#waiting++;
    }, PATIENCE_MS);
    try {
      return await waiting();
    } finally {
      clearTimeout(timer);
      if (isCounted) this.#waiting--;
    }
  }

  /** Loading gives way to a question, but for what it waits for. */
  async giveWay<T>(answer: () => Promise<T>): Promise<T> {
    this.#asking++;
    try {
      return await answer();
    } finally {
      this.#asking--;
    }
  }

  /** Begins to load. A failure is told by `loaded`. */
  load(): void {
    this.#loads++;
    this.#loading = this.#loading
      .then(() => this.#load())
      .catch((error: unknown) => {
        this.#failure = { error };
        if (this.#closed || isClosed(error)) return;
        console.error("The vectors could not be loaded; search goes by words alone:", error);
      })
      .finally(() => this.#loads--);
  }

  /** The model that makes the queries' vectors from now on; vectors of others leave the index. */
  async useModel(model: string): Promise<boolean> {
    if (model === this.#model) return false;
    const isFirst = this.#model === null;
    this.#model = model;
    if (isFirst) return false;
    this.#hasOthers = true;
    const { catalog } = this.#store;
    for (let ordinal = 0; ordinal < catalog.ordinalLimit; ordinal++)
      if (this.#vectors.has(ordinal) && catalog.byOrdinal(ordinal)?.embeddingModel !== model)
        this.#vectors.remove(ordinal);
    this.load();
    await this.loaded();
    return true;
  }

  set(ordinal: number, vector: QuantizedVector): void {
    this.#noteChanged(ordinal);
    const model = this.#store.catalog.byOrdinal(ordinal)?.embeddingModel ?? null;
    this.#model ??= model;
    if (model === this.#model) this.#vectors.set(ordinal, vector);
    else {
      this.#hasOthers = true;
      this.#vectors.remove(ordinal);
    }
  }

  remove(ordinal: number): void {
    this.#noteChanged(ordinal);
    this.#vectors.remove(ordinal);
  }

  /** Takes the vector of a memory out that may not tell of its text any more. */
  removeStale(entry: CatalogEntry): void {
    if (!tellsOfText(entry)) this.remove(entry.ordinal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#loading;
  }

  #noteChanged(ordinal: number): void {
    if (this.#loads > 0) this.#changedMeanwhile.add(ordinal);
  }

  async #load(): Promise<void> {
    this.#failure = null;
    // Whoever waited for the store to open goes first.
    await nextTurn();
    if (this.#closed) return;
    // The scan reads the store as it is from now on, what changed before included.
    this.#changedMeanwhile.clear();
    this.#hasOthers = false;
    let from = performance.now();
    for await (const column of this.#store.scanVectors()) {
      if (this.#closed) return;
      this.#model ??= column.model;
      if (column.model !== this.#model) {
        this.#hasOthers = true;
        continue;
      }
      this.#vectors.setMany(this.#current(column));
      if (performance.now() - from < TURN_MS) continue;
      do await nextTurn();
      while (this.#asking > 0 && this.#waiting === 0 && !this.#closed);
      from = performance.now();
    }
  }

  /** The column without what is gone or changed meanwhile; the column itself when all of it stands. */
  #current(column: VectorColumn): VectorColumn {
    const stale = (ordinal: number): boolean => {
      if (this.#changedMeanwhile.has(ordinal)) return true;
      const entry = this.#store.catalog.byOrdinal(ordinal);
      return entry?.embeddingModel !== column.model || !tellsOfText(entry);
    };
    if (!column.ordinals.some(stale)) return column;
    const { dimensions, codes, fine } = column;
    const fineBytes = Math.ceil(dimensions / 8);
    const kept = Array.from(column.ordinals.keys()).filter((i) => !stale(column.ordinals[i]!));
    const part = <T extends Int8Array | Uint8Array>(from: T, to: T, size: number): T => {
      kept.forEach((i, at) => to.set(from.subarray(i * size, (i + 1) * size), at * size));
      return to;
    };
    return {
      ...column,
      ordinals: Int32Array.from(kept, (i) => column.ordinals[i]!),
      scales: Float32Array.from(kept, (i) => column.scales[i]!),
      codes: part(codes, new Int8Array(kept.length * dimensions), dimensions),
      fine: fine && part(fine, new Uint8Array(kept.length * fineBytes), fineBytes),
    };
  }
}

/** A vector tells of a text as well as words do: it goes with the text. */
function tellsOfText(entry: CatalogEntry): boolean {
  return entry.embedded && !(entry.keep === "gist" && !isEpisode(entry));
}
