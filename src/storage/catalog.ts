/** The light fields of every live memory, held in memory, with the look-ups that ingest needs. */

import { META, isEpisode } from "../model/memory.ts";
import type { Catalog, CatalogEntry } from "./memory-store.ts";
import type { StoredRow } from "./stored-row.ts";

/** Several memories may share a key; the first that is live answers. */
class MultiMap {
  readonly #ids = new Map<string, CatalogEntry | CatalogEntry[]>();

  get(key: string): CatalogEntry | undefined {
    const found = this.#ids.get(key);
    return Array.isArray(found) ? found[0] : found;
  }

  add(key: string, entry: CatalogEntry): void {
    const found = this.#ids.get(key);
    if (!found) this.#ids.set(key, entry);
    else if (Array.isArray(found)) found.push(entry);
    else this.#ids.set(key, [found, entry]);
  }

  remove(key: string, entry: CatalogEntry): void {
    const found = this.#ids.get(key);
    if (found === entry) this.#ids.delete(key);
    else if (Array.isArray(found)) {
      const rest = found.filter((other) => other !== entry);
      if (rest.length === 0) this.#ids.delete(key);
      else this.#ids.set(key, rest.length === 1 ? rest[0]! : rest);
    }
  }
}

/** More would take memory that may never be used. */
const MOST_ROOM = 16_000_000;

/**
 * An array to be filled in any order. Without room ahead an array that is not filled from its start on
 * becomes a table of keys, which is many times slower.
 */
export function roomFor<T>(expected: number): (T | undefined)[] {
  return new Array<T | undefined>(Math.min(expected, MOST_ROOM));
}

export class MemoryCatalog implements Catalog {
  readonly #byOrdinal: (CatalogEntry | undefined)[];
  readonly #byId = new Map<string, CatalogEntry>();
  readonly #externalIds = new MultiMap();
  readonly #episodes = new Set<CatalogEntry>();
  readonly #members = new Map<string, Set<CatalogEntry>>();
  #limit = 0;

  /** @param expected about so many ordinals will be added, in any order */
  constructor(expected = 0) {
    this.#byOrdinal = roomFor(expected);
  }

  get size(): number {
    return this.#byId.size - this.#episodes.size;
  }

  get ordinalLimit(): number {
    return this.#limit;
  }

  byOrdinal(ordinal: number): CatalogEntry | undefined {
    return this.#byOrdinal[ordinal];
  }

  byId(id: string): CatalogEntry | undefined {
    return this.#byId.get(id);
  }

  byExternalId(externalId: string): CatalogEntry | undefined {
    return this.#externalIds.get(externalId);
  }

  *entries(): IterableIterator<CatalogEntry> {
    for (const entry of this.#byOrdinal) if (entry && !isEpisode(entry)) yield entry;
  }

  /** Memories and gists alike: what indexes and exports are made of. */
  *all(): IterableIterator<CatalogEntry> {
    for (const entry of this.#byOrdinal) if (entry) yield entry;
  }

  *episodes(): IterableIterator<CatalogEntry> {
    yield* this.#episodes;
  }

  membersOf(episodeId: string): CatalogEntry[] {
    return [...(this.#members.get(episodeId) ?? [])].sort(
      (a, b) => a.timestamp - b.timestamp || a.ordinal - b.ordinal,
    );
  }

  /** Makes sure that later ordinals lie above. */
  reserve(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  add(entry: CatalogEntry): void {
    this.#byOrdinal[entry.ordinal] = entry;
    this.#byId.set(entry.id, entry);
    this.reserve(entry.ordinal + 1);
    this.#index(entry);
  }

  remove(entry: CatalogEntry): void {
    this.#byOrdinal[entry.ordinal] = undefined;
    this.#byId.delete(entry.id);
    this.#unindex(entry);
  }

  /** Changes fields of an entry and keeps the look-ups right. */
  update(entry: CatalogEntry, change: Partial<Omit<CatalogEntry, "ordinal" | "id">>): void {
    this.#unindex(entry);
    Object.assign(entry, change);
    this.#index(entry);
  }

  #index(entry: CatalogEntry): void {
    const externalId = entry.metadata[META.externalId];
    if (externalId !== undefined) this.#externalIds.add(externalId, entry);
    if (isEpisode(entry)) this.#episodes.add(entry);
    else if (entry.episodeId !== null) {
      const members = this.#members.get(entry.episodeId);
      if (members) members.add(entry);
      else this.#members.set(entry.episodeId, new Set([entry]));
    }
  }

  #unindex(entry: CatalogEntry): void {
    const externalId = entry.metadata[META.externalId];
    if (externalId !== undefined) this.#externalIds.remove(externalId, entry);
    this.#episodes.delete(entry);
    if (entry.episodeId === null) return;
    const members = this.#members.get(entry.episodeId);
    members?.delete(entry);
    if (members?.size === 0) this.#members.delete(entry.episodeId);
  }
}

export function entryFromRow(row: StoredRow): CatalogEntry {
  return {
    ordinal: row.ordinal,
    id: row.id,
    timestamp: row.timestamp,
    recordedAt: row.recordedAt,
    activation: row.activation,
    userId: row.userId,
    keep: row.keep,
    metadata: row.metadata,
    previousId: row.previousId,
    nextId: row.nextId,
    episodeId: row.episodeId,
    supersedes: row.supersedes,
    supersededBy: row.supersededBy,
    validFrom: row.validFrom,
    validTo: row.validTo,
    contentSha256: row.contentSha256,
    originalBytes: row.originalBytes,
    storedBytes: row.storedBytes,
    quality: row.quality,
    mode: row.mode,
    model: row.model,
    embedded: row.embeddingModel !== null,
    embeddingModel: row.embeddingModel,
  };
}
