/**
 * Which gists may be found: those by which alone a memory is kept. The gist of an episode whose
 * members can all be found by themselves is no hit of its own, it would only take their places.
 */

import { isEpisode } from "../model/memory.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import type { OrdinalSet } from "./ordinal-set.ts";

export class GistSpeakers {
  readonly #store: MemoryStore;
  #known: { generation: number; members: Map<number, number[]> } | null = null;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  /** By ordinal of the gist's row: the memories it speaks for. */
  #members(): Map<number, number[]> {
    const { generation, catalog } = this.#store;
    if (this.#known?.generation === generation) return this.#known.members;
    const members = new Map<number, number[]>();
    for (const entry of catalog.entries()) {
      if (entry.keep !== "gist" || entry.episodeId === null) continue;
      const row = catalog.byId(entry.episodeId);
      if (!row || !isEpisode(row)) continue;
      const known = members.get(row.ordinal);
      if (known) known.push(entry.ordinal);
      else members.set(row.ordinal, [entry.ordinal]);
    }
    this.#known = { generation, members };
    return members;
  }

  /** The gists that speak for a memory which the filter lets pass; they are added to it. */
  allowed(filter: OrdinalSet | null): ReadonlySet<number> {
    const speaking = new Set<number>();
    for (const [row, members] of this.#members())
      if (filter === null || members.some((ordinal) => filter.has(ordinal))) speaking.add(row);
    if (filter !== null) for (const row of speaking) filter.add(row);
    return speaking;
  }
}
