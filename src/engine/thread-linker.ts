/**
 * Gives new memories their neighbours: the message they answer, or the one before in their thread.
 *
 * Only what is stored, or goes into the store in the same frame, is a neighbour: a group is linked
 * between `begin` and `keep`, and a group that was refused leaves nothing behind.
 */

import { isEpisode, META } from "../model/memory.ts";
import type { Catalog } from "../storage/memory-store.ts";

interface Last {
  id: string;
  timestamp: number;
}

/** Memories on their way into the store: their ids, the last of each thread, ids by external id. */
interface Group {
  ids: string[];
  last: Map<string, Last>;
  external: Map<string, string>;
}

const newGroup = (): Group => ({ ids: [], last: new Map(), external: new Map() });

export class ThreadLinker {
  readonly #catalog: Catalog;
  /** Latest memory per user and thread; filled when the first threaded memory comes. */
  readonly #last = new Map<string, Last>();
  /** Ordinals below this are in `#last`. */
  #listedBelow = 0;
  /** This run's own: the order in which they came counts, not their times. */
  readonly #own = new Set<string>();
  #group = newGroup();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** A new group; one that was not kept is forgotten. */
  begin(): void {
    this.#group = newGroup();
  }

  /** The group is stored. */
  keep(): void {
    for (const id of this.#group.ids) this.#own.add(id);
    for (const [key, last] of this.#group.last) this.#last.set(key, last);
    this.begin();
  }

  /** The id that the new memory follows, or null; within its group it is the last of its thread. */
  link(
    memory: { id: string; timestamp: number; userId: string },
    metadata: Record<string, string>,
  ): string | null {
    const { ids, last, external } = this.#group;
    ids.push(memory.id);
    const key = threadKey(memory.userId, metadata);
    const replyTo = metadata[META.replyTo];
    const externalId = metadata[META.externalId];
    const answered =
      replyTo === undefined
        ? undefined
        : (external.get(`${memory.userId}\n${replyTo}`) ?? this.#stored(replyTo, memory.userId));
    const before = key === null ? undefined : (last.get(key)?.id ?? this.#latest(key));
    if (key !== null) last.set(key, memory);
    if (externalId !== undefined) external.set(`${memory.userId}\n${externalId}`, memory.id);
    return answered ?? before ?? null;
  }

  /** The user's stored memory of that external id. */
  #stored(externalId: string, userId: string): string | undefined {
    const entry = this.#catalog.byExternalId(externalId);
    return entry?.userId === userId ? entry.id : undefined;
  }

  #latest(key: string): string | undefined {
    this.#listNewer();
    const id = this.#last.get(key)?.id;
    if (id === undefined || this.#catalog.byId(id)) return id;
    // Forgotten since: whoever is left of the thread.
    this.#last.clear();
    this.#listedBelow = 0;
    this.#own.clear();
    this.#listNewer();
    return this.#last.get(key)?.id;
  }

  #listNewer(): void {
    const { ordinalLimit } = this.#catalog;
    for (let ordinal = this.#listedBelow; ordinal < ordinalLimit; ordinal++) {
      const entry = this.#catalog.byOrdinal(ordinal);
      if (!entry || isEpisode(entry) || this.#own.has(entry.id)) continue;
      const key = threadKey(entry.userId, entry.metadata);
      if (key === null) continue;
      const known = this.#last.get(key);
      if (!known || entry.timestamp >= known.timestamp)
        this.#last.set(key, { id: entry.id, timestamp: entry.timestamp });
    }
    this.#listedBelow = ordinalLimit;
  }
}

/** Messages share a thread; the sections of one document share their source. */
function threadKey(userId: string, metadata: Record<string, string>): string | null {
  const thread =
    metadata[META.thread] ??
    (metadata[META.part] === undefined ? undefined : metadata[META.source]);
  return thread === undefined ? null : `${userId}\n${thread}`;
}
