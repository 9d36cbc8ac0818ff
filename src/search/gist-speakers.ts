/**
 * Which gists may be found: those by which alone a memory is kept. The gist of an episode whose
 * members can all be found by themselves is no hit of its own, it would only take their places.
 */

import { isEpisode } from "../model/memory.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { OrdinalSet } from "./ordinal-set.ts";

const NONE: ReadonlySet<number> = new Set();

export class GistSpeakers {
  readonly #store: MemoryStore;
  readonly #index: CatalogIndex;
  #known: { generation: number; members: Map<number, number[]> } | null = null;

  constructor(store: MemoryStore, index: CatalogIndex) {
    this.#store = store;
    this.#index = index;
  }

  /** By ordinal of the gist's row: the memories it speaks for. */
  #members(): Map<number, number[]> {
    const { generation, catalog } = this.#store;
    if (this.#known?.generation === generation) return this.#known.members;
    const members = new Map<number, number[]>();
    for (const ordinal of this.#index.sets("keep").get("gist") ?? []) {
      const episodeId = catalog.byOrdinal(ordinal)?.episodeId ?? null;
      const row = episodeId === null ? undefined : catalog.byId(episodeId);
      if (!row || !isEpisode(row)) continue;
      const known = members.get(row.ordinal);
      if (known) known.push(ordinal);
      else members.set(row.ordinal, [ordinal]);
    }
    this.#known = { generation, members };
    return members;
  }

  /** The gists that speak for a memory which the filter lets pass. */
  allowed(filter: OrdinalSet | null): ReadonlySet<number> {
    const members = this.#members();
    if (members.size === 0) return NONE;
    const speaking = new Set<number>();
    for (const [row, ordinals] of members)
      if (filter === null || ordinals.some((ordinal) => filter.has(ordinal))) speaking.add(row);
    return speaking;
  }

  /** The filter and the gists that may be found under it. */
  widen(filter: OrdinalSet, gists: ReadonlySet<number>): OrdinalSet {
    if (gists.size === 0) return filter;
    const wide = filter.clone();
    for (const row of gists) wide.add(row);
    return wide;
  }
}
