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

/** Ids that were there before this run, by identity with and without the time. */
interface KnownIds {
  dated: Map<string, string[]>;
  undated: Map<string, string[]>;
}

export class DuplicateFinder {
  readonly #catalog: Catalog;
  /** Ordinals from here on belong to this run. */
  readonly #ordinalLimit: number;
  /** Made when the first item could be known: most calls bring a single new text. */
  #known: KnownIds | null = null;
  readonly #matched = new Set<string>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    this.#ordinalLimit = catalog.ordinalLimit;
  }

  /** The id of the memory that this item is again, or null. Each stored memory is matched once. */
  match(identity: Identity): string | null {
    const key = identityKey(identity);
    const known = (this.#known ??= this.#list());
    const ids =
      identity.timestamp === null
        ? known.undated.get(key)
        : known.dated.get(`${key}${Math.trunc(identity.timestamp)}`);
    // One that was forgotten since this run began is there no more.
    const id = ids?.find(
      (candidate) => !this.#matched.has(candidate) && this.#catalog.byId(candidate) !== undefined,
    );
    if (id === undefined) return null;
    this.#matched.add(id);
    return id;
  }

  #list(): KnownIds {
    const known: KnownIds = { dated: new Map(), undated: new Map() };
    for (const entry of this.#catalog.entries()) {
      if (entry.ordinal >= this.#ordinalLimit) continue;
      const key = identityKey(entry);
      push(known.undated, key, entry.id);
      push(known.dated, `${key}${entry.timestamp}`, entry.id);
    }
    return known;
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
