/**
 * Recognises what a repeated import brings again.
 *
 * Identity is who, where, when and what: user, source, external id, speaker, part, event time and
 * content hash. It is counted, not just looked up: two equal messages of one chat are two memories,
 * and importing that chat again adds neither of them a third time. So an import that was cut off
 * can simply be run again. The time of a file is no event time: copying a file changes it.
 */

import { META } from "../model/memory.ts";
import type { Catalog } from "../storage/memory-store.ts";

export interface Identity {
  userId: string;
  /** Event time, ms since epoch; null when the text itself has none. */
  timestamp: number | null;
  metadata: Record<string, string>;
  contentSha256: string;
}

export class DuplicateFinder {
  /** Ids that were there before this run, by identity with and without the time. */
  readonly #dated = new Map<string, string[]>();
  readonly #undated = new Map<string, string[]>();
  readonly #matched = new Set<string>();

  constructor(catalog: Catalog) {
    for (const entry of catalog.entries()) {
      const key = identityKey(entry);
      push(this.#undated, key, entry.id);
      push(this.#dated, `${key}${entry.timestamp}`, entry.id);
    }
  }

  /** The id of the memory that this item is again, or null. Each stored memory is matched once. */
  match(identity: Identity): string | null {
    const key = identityKey(identity);
    const ids =
      identity.timestamp === null
        ? this.#undated.get(key)
        : this.#dated.get(`${key}${identity.timestamp}`);
    const id = ids?.find((candidate) => !this.#matched.has(candidate));
    if (id === undefined) return null;
    this.#matched.add(id);
    return id;
  }
}

function push(map: Map<string, string[]>, key: string, id: string): void {
  const ids = map.get(key);
  if (ids) ids.push(id);
  else map.set(key, [id]);
}

function identityKey({ userId, metadata, contentSha256 }: Omit<Identity, "timestamp">): string {
  return JSON.stringify([
    userId,
    metadata[META.source] ?? "",
    metadata[META.externalId] ?? "",
    metadata[META.speaker] ?? "",
    metadata[META.part] ?? "",
    contentSha256,
  ]);
}
