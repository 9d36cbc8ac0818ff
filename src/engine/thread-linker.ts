/** Gives new memories their neighbours: the message they answer, or the one before in their thread. */

import { META } from "../model/memory.ts";
import type { Catalog } from "../storage/memory-store.ts";

export class ThreadLinker {
  readonly #catalog: Catalog;
  /** Latest memory per user and thread; made when the first threaded memory comes. */
  #last: Map<string, { id: string; timestamp: number }> | null = null;
  /** External ids of memories that are on their way into the store. */
  readonly #pending = new Map<string, string>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** The id that the new memory follows, or null; the memory becomes the last of its thread. */
  link(
    memory: { id: string; timestamp: number; userId: string },
    metadata: Record<string, string>,
  ): string | null {
    const key = threadKey(memory.userId, metadata);
    const replyTo = metadata[META.replyTo];
    const externalId = metadata[META.externalId];
    const answered =
      replyTo === undefined
        ? undefined
        : (this.#pending.get(`${memory.userId}\n${replyTo}`) ??
          this.#stored(replyTo, memory.userId));
    const before = key === null ? undefined : this.#latest().get(key)?.id;
    if (key !== null) this.#latest().set(key, memory);
    if (externalId !== undefined) this.#pending.set(`${memory.userId}\n${externalId}`, memory.id);
    return answered ?? before ?? null;
  }

  /** The user's stored memory of that external id. */
  #stored(externalId: string, userId: string): string | undefined {
    const entry = this.#catalog.byExternalId(externalId);
    return entry?.userId === userId ? entry.id : undefined;
  }

  #latest(): Map<string, { id: string; timestamp: number }> {
    if (this.#last) return this.#last;
    const last = new Map<string, { id: string; timestamp: number }>();
    for (const entry of this.#catalog.entries()) {
      const key = threadKey(entry.userId, entry.metadata);
      if (key === null) continue;
      const known = last.get(key);
      if (!known || entry.timestamp >= known.timestamp) last.set(key, entry);
    }
    return (this.#last = last);
  }
}

/** Messages share a thread; the sections of one document share their source. */
function threadKey(userId: string, metadata: Record<string, string>): string | null {
  const thread =
    metadata[META.thread] ??
    (metadata[META.part] === undefined ? undefined : metadata[META.source]);
  return thread === undefined ? null : `${userId}\n${thread}`;
}
