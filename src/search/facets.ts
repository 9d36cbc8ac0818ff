/** Counts over the whole store for filters and statistics: from the catalog, no file is read. */

import { META } from "../model/memory.ts";
import type { FacetCount, Facets } from "../model/query.ts";
import type { Catalog } from "../storage/memory-store.ts";
import type { EntityTable } from "./entity-table.ts";

const MAX_ENTITIES = 200;

export function countFacets(catalog: Catalog, entities: EntityTable): Facets {
  const sources = new Map<string, number>();
  const kinds = new Map<string, number>();
  const speakers = new Map<string, number>();
  const months = new Map<string, number>();
  for (const { metadata, timestamp } of catalog.entries()) {
    count(sources, metadata[META.source]);
    count(kinds, metadata[META.kind]);
    count(speakers, metadata[META.speaker]);
    const date = new Date(timestamp);
    if (!Number.isNaN(date.getTime())) count(months, date.toISOString().slice(0, -17));
  }
  return {
    sources: byCount(sources),
    kinds: byCount(kinds),
    speakers: byCount(speakers),
    entities: entities.top(MAX_ENTITIES),
    months: byCount(months).sort((a, b) => (a.value < b.value ? -1 : 1)),
  };
}

function count(counts: Map<string, number>, value: string | undefined): void {
  if (value !== undefined && value !== "") counts.set(value, (counts.get(value) ?? 0) + 1);
}

function byCount(counts: Map<string, number>): FacetCount[] {
  return Array.from(counts, ([value, n]) => ({ value, count: n })).sort(
    (a, b) => b.count - a.count || (a.value < b.value ? -1 : 1),
  );
}
