/** Lists memories without a query: filter and order over the catalog, text for the page only. */

import { AppError } from "../errors.ts";
import type { BrowsePage, BrowseQuery } from "../model/query.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { Filters } from "./filters.ts";
import { toMemoryView } from "./memory-view.ts";
import type { OrdinalSet } from "./ordinal-set.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

type Order = NonNullable<BrowseQuery["order"]>;

const COMPARE: Record<Exclude<Order, "newest">, (a: CatalogEntry, b: CatalogEntry) => number> = {
  oldest: (a, b) => a.timestamp - b.timestamp || a.ordinal - b.ordinal,
  largest: (a, b) => b.originalBytes - a.originalBytes || b.ordinal - a.ordinal,
  recorded: (a, b) => b.recordedAt - a.recordedAt || b.ordinal - a.ordinal,
};

export class Browser {
  readonly #store: MemoryStore;
  readonly #index: CatalogIndex;
  readonly #filters: Filters;
  /** The last list asked for: paging through it doesn't filter and sort again. */
  #last: { key: string; generation: number; ordinals: number[] } | null = null;

  constructor(store: MemoryStore, index: CatalogIndex, filters: Filters) {
    this.#store = store;
    this.#index = index;
    this.#filters = filters;
  }

  /** `invalid_input` for a limit or offset that isn't a whole number in range. */
  async browse(query: BrowseQuery = {}): Promise<BrowsePage> {
    const offset = wholeNumber("offset", query.offset ?? 0, 0, Number.MAX_SAFE_INTEGER);
    const limit = wholeNumber("limit", query.limit ?? DEFAULT_LIMIT, 1, MAX_LIMIT);
    const ordinals = this.#list(query);
    const entries = ordinals
      .slice(offset, offset + limit)
      .map((ordinal) => this.#store.catalog.byOrdinal(ordinal))
      .filter((entry) => entry !== undefined);
    const texts = await this.#store.getSummaries(entries.map((entry) => entry.ordinal));
    return {
      items: entries.map((entry, i) => toMemoryView(entry, texts[i]!)),
      totalCount: ordinals.length,
    };
  }

  forget(): void {
    this.#last = null;
  }

  #list({ filter, order = "newest" }: BrowseQuery): number[] {
    if (order !== "newest" && !(order in COMPARE))
      throw new AppError("invalid_input", `There is no order "${String(order)}".`, {
        hint: `Use one of: ${["newest", ...Object.keys(COMPARE)].join(", ")}.`,
      });
    const { generation } = this.#store;
    const key = JSON.stringify([filter ?? null, order]);
    if (this.#last?.key === key && this.#last.generation === generation) return this.#last.ordinals;
    const allowed = this.#filters.compile(filter);
    const ordinals =
      order === "newest" ? this.#index.newest(Infinity, allowed) : this.#sorted(order, allowed);
    this.#last = { key, generation, ordinals };
    return ordinals;
  }

  #sorted(order: Exclude<Order, "newest">, allowed: OrdinalSet | null): number[] {
    const entries: CatalogEntry[] = [];
    for (const entry of this.#store.catalog.entries())
      if (allowed === null || allowed.has(entry.ordinal)) entries.push(entry);
    return entries.sort(COMPARE[order]).map((entry) => entry.ordinal);
  }
}

/** A whole number in [min, max]. */
export function wholeNumber(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new AppError("invalid_input", `"${name}" must be a whole number, got ${String(value)}.`, {
      hint: `Give ${min} to ${max}.`,
    });
  return value;
}
