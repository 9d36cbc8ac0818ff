/** A `MemoryFilter` as the set of ordinals that pass it. Reads the catalog and the entity table only. */

import { AppError } from "../errors.ts";
import { META } from "../model/memory.ts";
import type { MemoryFilter } from "../model/query.ts";
import type { Catalog, CatalogEntry } from "../storage/memory-store.ts";
import type { EntityTable } from "./entity-table.ts";
import { OrdinalSet } from "./ordinal-set.ts";

/** True when the filter lets everything pass. */
export function isOpenFilter(filter: MemoryFilter | undefined): boolean {
  return filter === undefined || Object.values(filter).every((value) => value === undefined);
}

/** The memories that pass; null when the filter is open. `invalid_input` for bounds that aren't numbers. */
export function compileFilter(
  filter: MemoryFilter | undefined,
  catalog: Catalog,
  entities: EntityTable,
): OrdinalSet | null {
  if (filter === undefined || isOpenFilter(filter)) return null;
  checkBound("after", filter.after);
  checkBound("before", filter.before);
  const tests = [...conditions(filter, entities)];
  const set = new OrdinalSet(catalog.ordinalLimit);
  for (const entry of catalog.entries())
    if (tests.every((test) => test(entry))) set.add(entry.ordinal);
  return set;
}

function checkBound(name: string, value: number | undefined): void {
  if (value !== undefined && Number.isNaN(value))
    throw new AppError("invalid_input", `The filter's "${name}" is not a time.`, {
      hint: "Give milliseconds since 1970-01-01 (UTC).",
    });
}

function* conditions(
  filter: MemoryFilter,
  entities: EntityTable,
): Generator<(entry: CatalogEntry) => boolean> {
  const { after, before, userId, keep, metadata } = filter;
  if (after !== undefined) yield (entry) => entry.timestamp >= after;
  if (before !== undefined) yield (entry) => entry.timestamp < before;
  if (userId !== undefined) yield (entry) => entry.userId === userId;
  if (keep !== undefined) yield (entry) => keep.includes(entry.keep);
  for (const [key, values] of [
    [META.source, filter.sources],
    [META.speaker, filter.speakers],
    [META.kind, filter.kinds],
  ] as const) {
    if (values === undefined) continue;
    const wanted = new Set<string | undefined>(values);
    yield (entry) => wanted.has(entry.metadata[key]);
  }
  if (metadata !== undefined)
    for (const [key, value] of Object.entries(metadata))
      yield (entry) => entry.metadata[key] === value;
  if (filter.entities !== undefined) {
    const sets = filter.entities.map((text) => entities.ordinalsOf(text));
    yield (entry) => sets.some((set) => set.has(entry.ordinal));
  }
}
