/**
 * Recognises what a repeated import brings again.
 *
 * Identity is who, where, when and what: user, source, external id, speaker, part, event time and
 * content hash. It is counted, not just looked up: two equal messages of one chat are two memories,
 * and importing that chat again adds neither of them a third time. So an import that was cut off
 * can simply be run again.
 */

import { META } from "../model/memory.ts";
import type { Catalog } from "../storage/memory-store.ts";

export interface Identity {
  userId: string;
  /** Null when none was given; the store then keeps the time of recording. */
  timestamp: number | null;
  metadata: Record<string, string>;
  contentSha256: string;
}

export class DuplicateFinder {
  /** Ids that were there before this run and haven't been matched yet. */
  readonly #unmatched = new Map<string, string[]>();

  readonly #matchUndated: boolean;

  constructor(catalog: Catalog, options: { matchUndated: boolean }) {
    this.#matchUndated = options.matchUndated;
    for (const entry of catalog.entries()) {
      const timestamp = entry.timestamp === entry.recordedAt ? null : entry.timestamp;
      const key = identityKey({ ...entry, timestamp });
      const ids = this.#unmatched.get(key);
      if (ids) ids.push(entry.id);
      else this.#unmatched.set(key, [entry.id]);
    }
  }

  /** The id of the memory that this item is again, or null. Each stored memory is matched once. */
  match(identity: Identity): string | null {
    if (identity.timestamp === null && !this.#matchUndated) return null;
    return this.#unmatched.get(identityKey(identity))?.shift() ?? null;
  }
}

function identityKey(identity: Identity): string {
  const { metadata } = identity;
  return JSON.stringify([
    identity.userId,
    metadata[META.source] ?? "",
    metadata[META.externalId] ?? "",
    metadata[META.speaker] ?? "",
    metadata[META.part] ?? "",
    identity.timestamp,
    identity.contentSha256,
  ]);
}
