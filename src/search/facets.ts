/** Counts over the whole store for filters and statistics: from memory, no file is read. */

import type { FacetCount, Facets } from "../model/query.ts";
import { shownAt, whenShown } from "../model/wall-clock.ts";
import type { CatalogIndex, IndexedField } from "./catalog-index.ts";
import type { EntityTable } from "./entity-table.ts";

const MAX_ENTITIES = 200;

export function countFacets(index: CatalogIndex, entities: EntityTable): Facets {
  const months = new Map<string, number>();
  let last = { from: 0, to: 0, name: "" };
  for (const ordinal of index.live) {
    const time = index.timeOf(ordinal);
    if (time < last.from || time >= last.to) last = monthAt(time) ?? last;
    if (time >= last.from && time < last.to)
      months.set(last.name, (months.get(last.name) ?? 0) + 1);
  }
  const counts = (field: IndexedField): FacetCount[] =>
    byCount(Array.from(index.sets(field), ([value, { size }]) => [value, size]));
  return {
    sources: counts("source"),
    kinds: counts("kind"),
    speakers: counts("speaker"),
    entities: entities.top(MAX_ENTITIES),
    months: byCount(months).sort((a, b) => (a.value < b.value ? -1 : 1)),
  };
}

/** The month around a time as calendars show it; null for a time that no date has. */
function monthAt(time: number): { from: number; to: number; name: string } | null {
  const date = new Date(shownAt(time));
  if (Number.isNaN(date.getTime())) return null;
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const [from, to] = [new Date(0), new Date(0)];
  // Not `Date.UTC`, which takes the years 0–99 for those of the last century.
  from.setUTCFullYear(year, month, 1);
  to.setUTCFullYear(year, month + 1, 1);
  return {
    from: whenShown(from.getTime()),
    to: whenShown(to.getTime()),
    name: date.toISOString().slice(0, -17),
  };
}

function byCount(counts: Iterable<[string, number]>): FacetCount[] {
  return Array.from(counts, ([value, count]) => ({ value, count }))
    .filter(({ value }) => value !== "")
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
}
