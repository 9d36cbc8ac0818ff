/** A `MemoryStore` in plain arrays, for tests of what reads from storage. */

import { AppError } from "../../../src/errors.ts";
import { createMemoryId } from "../../../src/model/id.ts";
import { isEpisode, type Entity, type Memory } from "../../../src/model/memory.ts";
import { quantizeVector, type QuantizedVector } from "../../../src/model/vector.ts";
import type {
  Catalog,
  CatalogEntry,
  DerivedFile,
  IndexRow,
  MemoryStore,
  NewMemory,
  StoreChange,
  VectorColumn,
} from "../../../src/storage/memory-store.ts";

export interface SimpleMemory {
  id?: string;
  text: string;
  summary?: string;
  entities?: Entity[];
  timestamp?: number;
  metadata?: Record<string, string>;
  userId?: string;
  vector?: Float32Array;
  keep?: Memory["keep"];
  previousId?: string | null;
  nextId?: string | null;
}

export function newMemory(memory: SimpleMemory): NewMemory {
  const quality = { similarity: 1, coverage: 1, entityRecall: 1, numberRecall: 1, faithfulness: 1 };
  return {
    id: memory.id ?? createMemoryId(),
    content: memory.keep === undefined || memory.keep === "exact" ? memory.text : null,
    summary: memory.summary ?? memory.text,
    entities: memory.entities ?? [],
    embedding: memory.vector ? quantizeVector(memory.vector) : null,
    embeddingModel: memory.vector ? "test" : null,
    timestamp: memory.timestamp ?? 0,
    recordedAt: memory.timestamp ?? 0,
    activation: 0,
    metadata: memory.metadata ?? {},
    userId: memory.userId ?? "me",
    keep: memory.keep ?? "exact",
    mode: "fast",
    model: "verbatim",
    quality,
    episodeId: null,
    previousId: memory.previousId ?? null,
    nextId: memory.nextId ?? null,
    supersedes: null,
    supersededBy: null,
    validFrom: null,
    validTo: null,
    contentSha256: "0".repeat(64),
    originalBytes: memory.text.length,
    envelope: null,
  };
}

interface Row {
  entry: CatalogEntry;
  memory: NewMemory;
}

export class InMemoryStore implements MemoryStore {
  generation = 1;
  readonly recovered: readonly string[] = [];
  readonly catalog: Catalog;
  readonly derived = new Map<string, Uint8Array>();
  #rows = new Map<number, Row>();
  #byId = new Map<string, number>();
  /** Generations of derived files. */
  readonly #written = new Map<string, number>();
  #next = 0;
  #listeners = new Set<(change: StoreChange) => void>();

  constructor() {
    const rows = (): Map<number, Row> => this.#rows;
    const byId = (): Map<string, number> => this.#byId;
    const next = (): number => this.#next;
    this.catalog = {
      get size() {
        return rows().size;
      },
      get ordinalLimit() {
        return next();
      },
      byOrdinal: (ordinal) => rows().get(ordinal)?.entry,
      byId: (id) => rows().get(byId().get(id) ?? -1)?.entry,
      byExternalId: (externalId) =>
        [...rows().values()].find((row) => row.entry.metadata["external_id"] === externalId)?.entry,
      *entries() {
        for (const row of rows().values()) if (!isEpisode(row.entry)) yield row.entry;
      },
      *episodes() {
        for (const row of rows().values()) if (isEpisode(row.entry)) yield row.entry;
      },
      membersOf: (episodeId) =>
        [...rows().values()]
          .map((row) => row.entry)
          .filter((entry) => entry.episodeId === episodeId && !isEpisode(entry)),
    };
  }

  async add(...memories: SimpleMemory[]): Promise<CatalogEntry[]> {
    return this.append(memories.map(newMemory));
  }

  async append(memories: readonly NewMemory[]): Promise<CatalogEntry[]> {
    const entries = memories.map((memory): CatalogEntry => {
      const { embedding } = memory;
      const ordinal = this.#next++;
      const entry: CatalogEntry & Partial<NewMemory> = {
        ...memory,
        ordinal,
        storedBytes: 0,
        embedded: embedding !== null,
      };
      for (const heavy of ["content", "summary", "entities", "embedding", "envelope"] as const)
        Reflect.deleteProperty(entry, heavy);
      this.#rows.set(ordinal, { entry, memory });
      this.#byId.set(memory.id, ordinal);
      return entry;
    });
    this.generation++;
    this.#emit({
      type: "added",
      entries,
      rows: entries.map((entry) => this.#indexRow(entry.ordinal)),
    });
    return entries;
  }

  async patch(id: string, patch: Parameters<MemoryStore["patch"]>[1]): Promise<CatalogEntry> {
    const row = this.#row(this.#byId.get(id) ?? -1);
    const { metadata, ...rest } = patch;
    Object.assign(row.entry, rest);
    for (const [key, value] of Object.entries(metadata ?? {}))
      if (value === null) Reflect.deleteProperty(row.entry.metadata, key);
      else row.entry.metadata[key] = value;
    if (patch.keep !== undefined && patch.keep !== "exact") row.memory.content = null;
    this.generation++;
    this.#emit({ type: "updated", entries: [row.entry] });
    return row.entry;
  }

  async setEmbeddings(
    updates: readonly { id: string; embedding: QuantizedVector }[],
  ): Promise<void> {
    const ordinals = updates.map(({ id }) => this.#byId.get(id)!);
    updates.forEach(({ embedding }, i) => {
      const row = this.#row(ordinals[i]!);
      row.memory.embedding = embedding;
      Object.assign(row.entry, { embedded: true, embeddingModel: "test" });
    });
    this.generation++;
    this.#emit({ type: "embedded", ordinals, vectors: updates.map((update) => update.embedding) });
  }

  async forget(ids: readonly string[], options: { erase?: boolean } = {}): Promise<string[]> {
    const live = ids.filter((id) => this.catalog.byId(id) !== undefined);
    const ordinals = live.map((id) => this.#byId.get(id)!);
    for (const ordinal of ordinals) this.#rows.delete(ordinal);
    this.generation++;
    this.#emit({ type: "removed", ordinals, ids: live });
    if (options.erase) this.#emit({ type: "compacted" });
    return live;
  }

  async getSummaries(
    ordinals: readonly number[],
  ): Promise<{ summary: string; entities: Entity[] }[]> {
    return ordinals.map((ordinal) => {
      const { summary, entities } = this.#row(ordinal).memory;
      return { summary, entities };
    });
  }

  getContentsAtHand(ordinals: readonly number[]): Promise<(string | null)[]> {
    return this.getContents(ordinals);
  }

  async getContents(ordinals: readonly number[]): Promise<(string | null)[]> {
    return ordinals.map((ordinal) => this.#row(ordinal).memory.content);
  }

  async *scan(options: { ordinals?: Iterable<number> } = {}): AsyncGenerator<IndexRow[]> {
    const ordinals = [...(options.ordinals ?? this.#rows.keys())];
    for (let i = 0; i < ordinals.length; i += 1000)
      yield ordinals
        .slice(i, i + 1000)
        .filter((ordinal) => this.#rows.has(ordinal))
        .map((ordinal) => this.#indexRow(ordinal));
  }

  async *scanVectors(): AsyncGenerator<VectorColumn> {
    for (const { entry, memory } of this.#rows.values())
      if (memory.embedding && entry.embedded)
        yield {
          ordinals: Int32Array.of(entry.ordinal),
          codes: memory.embedding.codes,
          scales: Float32Array.of(memory.embedding.scale),
          fine: memory.embedding.fine ?? null,
          dimensions: memory.embedding.codes.length,
          model: entry.embeddingModel!,
        };
  }

  /** Everything: it keeps no record of changes. */
  editedSince(): number[] {
    return [...this.#rows.keys()];
  }

  async openDerived(name: string): Promise<DerivedFile | null> {
    const bytes = this.derived.get(name);
    if (!bytes) return null;
    return {
      generation: this.#written.get(name)!,
      sizeBytes: bytes.length,
      read: async (offset = 0, length = bytes.length) => bytes.slice(offset, offset + length),
    };
  }

  async readDerived(
    name: string,
    options: { allowStale?: boolean } = {},
  ): Promise<Uint8Array | null> {
    const isCurrent = this.#written.get(name) === this.generation;
    return options.allowStale || isCurrent ? (this.derived.get(name) ?? null) : null;
  }

  async writeDerived(
    name: string,
    source: Uint8Array | AsyncIterable<Uint8Array>,
  ): Promise<boolean> {
    this.#written.set(name, this.generation);
    const parts: Uint8Array[] = [];
    if (source instanceof Uint8Array) parts.push(source);
    else for await (const part of source) parts.push(part);
    this.derived.set(name, new Uint8Array(Buffer.concat(parts)));
    return true;
  }

  cacheStats(): { entries: number; hits: number; misses: number } {
    return { entries: 0, hits: 0, misses: 0 };
  }

  async removeDerived(name: string): Promise<void> {
    this.derived.delete(name);
  }

  async listDerived(prefix = ""): Promise<string[]> {
    return [...this.derived.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  subscribe(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async compact(): Promise<void> {
    this.#emit({ type: "compacted" });
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  forgottenCount(): number {
    return 0;
  }
  restore = unused;
  forgotten = unused;
  commit = unused;
  lift = unused;
  fading = (): never => {
    throw new Error("not used by search");
  };
  get = unused;
  read = unused;
  sqlSources = unused;
  sizes = unused;
  scanMemories = (): never => {
    throw new Error("not used by search");
  };

  #row(ordinal: number): Row {
    const row = this.#rows.get(ordinal);
    if (!row) throw new AppError("not_found", `No memory ${ordinal}.`);
    return row;
  }

  #indexRow(ordinal: number): IndexRow {
    const { memory } = this.#row(ordinal);
    const { id, content, summary, entities, embedding } = memory;
    return { ordinal, id, content, summary, entities, embedding };
  }

  #emit(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

async function unused(): Promise<never> {
  throw new Error("not used by search");
}
