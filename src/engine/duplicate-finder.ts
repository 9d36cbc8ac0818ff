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
import type { Catalog, CatalogEntry, MemoryStore } from "../storage/memory-store.ts";

export interface Identity {
  userId: string;
  /** Event time, ms since epoch; null when the text itself has none. */
  timestamp: number | null;
  metadata: Record<string, string>;
  contentSha256: string;
}

/**
 * Memories by the hash of their text. One list serves all runs over a catalog: most calls bring a
 * single new text, and to list a large store takes longer than to store that.
 */
class TextList {
  static readonly #lists = new WeakMap<MemoryStore, TextList>();
  readonly #catalog: Catalog;
  /** Ordinals by the beginning of the hash, some maybe of what is gone or of another text. */
  readonly #byHash = new Map<number, number | number[]>();
  #listedBelow = 0;

  private constructor(store: MemoryStore) {
    this.#catalog = store.catalog;
    // What was forgotten when it was passed over, and is there again.
    store.subscribe((change) => {
      if (change.type !== "added") return;
      for (const entry of change.entries) if (entry.ordinal < this.#listedBelow) this.#list(entry);
    });
  }

  static of(store: MemoryStore): TextList {
    let list = TextList.#lists.get(store);
    if (!list) TextList.#lists.set(store, (list = new TextList(store)));
    return list;
  }

  /** Who may have this text, in the order in which they were stored. */
  ordinals(contentSha256: string): readonly number[] {
    const { ordinalLimit } = this.#catalog;
    for (let ordinal = this.#listedBelow; ordinal < ordinalLimit; ordinal++) {
      const entry = this.#catalog.byOrdinal(ordinal);
      if (entry) this.#list(entry);
    }
    this.#listedBelow = ordinalLimit;
    const found = this.#byHash.get(beginningOf(contentSha256));
    return found === undefined ? NONE : typeof found === "number" ? [found] : found;
  }

  #list(entry: CatalogEntry): void {
    if (isEpisode(entry)) return;
    const key = beginningOf(entry.contentSha256);
    const { ordinal } = entry;
    const known = this.#byHash.get(key);
    if (known === undefined) this.#byHash.set(key, ordinal);
    else if (typeof known !== "number") {
      if (!known.includes(ordinal)) known.push(ordinal);
    } else if (known !== ordinal) this.#byHash.set(key, [known, ordinal]);
  }
}

const NONE: readonly number[] = [];

/** Small enough for a small integer, which is looked up faster than a text. */
function beginningOf(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 7), 16);
}

const FIELDS = [META.source, META.externalId, META.speaker, META.part] as const;

export class DuplicateFinder {
  readonly #catalog: Catalog;
  readonly #texts: TextList;
  /** What this run stored, or is about to. */
  readonly #own = new Set<string>();
  readonly #matched = new Set<string>();

  constructor(store: MemoryStore) {
    this.#catalog = store.catalog;
    this.#texts = TextList.of(store);
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
    const time = identity.timestamp === null ? null : Math.trunc(identity.timestamp);
    for (const ordinal of this.#texts.ordinals(identity.contentSha256)) {
      const entry = this.#catalog.byOrdinal(ordinal);
      if (
        entry?.contentSha256 !== identity.contentSha256 ||
        entry.userId !== identity.userId ||
        (time !== null && entry.timestamp !== time) ||
        this.#own.has(entry.id) ||
        this.#matched.has(entry.id) ||
        FIELDS.some((key) => (entry.metadata[key] ?? "") !== (identity.metadata[key] ?? ""))
      )
        continue;
      this.#matched.add(entry.id);
      return entry.id;
    }
    return null;
  }
}
