/**
 * A `MemoryFilter` as the set of memories that pass it, made of `catalog-index.ts` and the entity
 * table. Compiled filters are kept until the store changes. No file is read.
 */

import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import type { MemoryFilter } from "../model/query.ts";
import type { Catalog } from "../storage/memory-store.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { EntityTable } from "./entity-table.ts";
import type { OrdinalGroup } from "./ordinal-list.ts";
import { OrdinalSet } from "./ordinal-set.ts";

const KEPT_FILTERS = 64;

/** True when the filter lets everything pass. */
export function isOpenFilter(filter: MemoryFilter | undefined): boolean {
  return filter === undefined || Object.values(filter).every((value) => value === undefined);
}

export class Filters {
  readonly #catalog: Catalog;
  readonly #index: CatalogIndex;
  readonly #entities: EntityTable;
  readonly #kept = new LRUCache<string, OrdinalSet>({ max: KEPT_FILTERS });
  #hits = 0;
  #misses = 0;

  constructor(catalog: Catalog, index: CatalogIndex, entities: EntityTable) {
    this.#catalog = catalog;
    this.#index = index;
    this.#entities = entities;
  }

  /**
   * The memories that pass; null when the filter is open. The set is shared: not to be changed.
   * `invalid_input` for bounds that aren't numbers.
   */
  compile(filter: MemoryFilter | undefined): OrdinalSet | null {
    if (filter === undefined || isOpenFilter(filter)) return null;
    checkBound("after", filter.after);
    checkBound("before", filter.before);
    const key = JSON.stringify(filter);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#hits++;
      return known;
    }
    this.#misses++;
    const set = this.#make(filter);
    this.#kept.set(key, set);
    return set;
  }

  stats(): { entries: number; hits: number; misses: number } {
    return { entries: this.#kept.size, hits: this.#hits, misses: this.#misses };
  }

  /** To be called at every change of the catalog or the entity table. */
  clear(): void {
    this.#kept.clear();
  }

  #make(filter: MemoryFilter): OrdinalSet {
    const index = this.#index;
    let set = index.live;
    const narrow = (other: OrdinalSet): void => {
      set = set.intersect(other);
    };
    const { after, before, userId, metadata } = filter;
    if (after !== undefined || before !== undefined)
      narrow(index.inRange(after ?? -Infinity, before ?? Infinity));
    for (const [field, values] of [
      ["source", filter.sources],
      ["speaker", filter.speakers],
      ["kind", filter.kinds],
      ["keep", filter.keep],
      ["userId", userId === undefined ? undefined : [userId]],
    ] as const) {
      if (values === undefined) continue;
      const sets = index.sets(field);
      narrow(union(values.map((value) => sets.get(value))));
    }
    if (filter.entities !== undefined) {
      const named = new OrdinalSet(this.#catalog.ordinalLimit);
      for (const text of filter.entities) named.addAll(this.#entities.ordinalsOf(text));
      narrow(named);
    }
    const wanted = Object.entries(metadata ?? {});
    if (wanted.length > 0) {
      const passing = new OrdinalSet(this.#catalog.ordinalLimit);
      for (const ordinal of set) {
        const found = this.#catalog.byOrdinal(ordinal)?.metadata;
        if (found && wanted.every(([key, value]) => found[key] === value)) passing.add(ordinal);
      }
      narrow(passing);
    }
    // A set of its own: the index goes on changing.
    return set === index.live ? set.clone() : set;
  }
}

function union(sets: readonly (OrdinalGroup | undefined)[]): OrdinalSet {
  const all = new OrdinalSet(0);
  for (const set of sets) if (set !== undefined) all.addAll(set);
  return all;
}

function checkBound(name: string, value: number | undefined): void {
  if (value !== undefined && Number.isNaN(value))
    throw new AppError("invalid_input", `The filter's "${name}" is not a time.`, {
      hint: "Give milliseconds since 1970-01-01 (UTC).",
    });
}
