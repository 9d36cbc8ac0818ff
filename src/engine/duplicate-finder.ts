/**
 * Recognises what a repeated import brings again.
 *
 * Identity is who, where, when and what: user, source, external id, speaker, part, event time and
 * content hash. It is counted, not just looked up: two equal messages of one chat are two memories,
 * and importing that chat again adds neither of them a third time. So an import that was cut off
 * can simply be run again. The time of a file is no event time: copying a file changes it.
 *
 * Two runs at once may bring the same texts: what another run stores meanwhile is known, too, as
 * soon as it is stored; what this run stores itself never is.
 */

import { isEpisode, META } from "../model/memory.ts";
import type { Catalog } from "../storage/memory-store.ts";

export interface Identity {
  userId: string;
  /** Event time, ms since epoch; null when the text itself has none. */
  timestamp: number | null;
  metadata: Record<string, string>;
  contentSha256: string;
}

/** Ids of other runs' memories, by identity with and without the time. */
interface KnownIds {
  dated: Map<string, string[]>;
  undated: Map<string, string[]>;
}

export class DuplicateFinder {
  readonly #catalog: Catalog;
  /** Filled when the first item could be known: most calls bring a single new text. */
  readonly #known: KnownIds = { dated: new Map(), undated: new Map() };
  /** Ordinals below this are in `#known`, or this run's own. */
  #listedBelow = 0;
  readonly #own = new Set<string>();
  readonly #matched = new Set<string>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** To be told before they are stored: ids of memories that this run adds. */
  addOwn(ids: Iterable<string>): void {
    for (const id of ids) this.#own.add(id);
  }

  /**
   * The id of the memory that this item is again, or null. Each stored memory is matched once.
   * Right only until another run stores more: to be asked again where nothing can come between.
   */
  match(identity: Identity): string | null {
    const key = identityKey(identity);
    this.#listNewer();
    const ids =
      identity.timestamp === null
        ? this.#known.undated.get(key)
        : this.#known.dated.get(`${key}${Math.trunc(identity.timestamp)}`);
    // One that was forgotten since this run began is there no more.
    const id = ids?.find(
      (candidate) => !this.#matched.has(candidate) && this.#catalog.byId(candidate) !== undefined,
    );
    if (id === undefined) return null;
    this.#matched.add(id);
    return id;
  }

  #listNewer(): void {
    const { ordinalLimit } = this.#catalog;
    for (let ordinal = this.#listedBelow; ordinal < ordinalLimit; ordinal++) {
      const entry = this.#catalog.byOrdinal(ordinal);
      if (!entry || isEpisode(entry) || this.#own.has(entry.id)) continue;
      const key = identityKey(entry);
      push(this.#known.undated, key, entry.id);
      push(this.#known.dated, `${key}${entry.timestamp}`, entry.id);
    }
    this.#listedBelow = ordinalLimit;
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
