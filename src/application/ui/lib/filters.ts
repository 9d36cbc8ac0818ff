/** Filters as they stand in an address, and as the engine takes them. Unknown values are dropped. */

import { CONTENT_KINDS, type ContentKind, type KeepLevel } from "../../../model/memory.ts";
import type { MemoryFilter } from "../../../model/query.ts";

export const KEEP_LEVELS: readonly KeepLevel[] = ["exact", "summary", "gist"];

/** The keys under which filters stand in an address. Dates are calendar days, both inclusive. */
export const FILTER_KEYS = [
  "after",
  "before",
  "source",
  "speaker",
  "kind",
  "entity",
  "keep",
] as const;
export type FilterKey = (typeof FILTER_KEYS)[number];

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Start of a calendar day in the reader's time zone, in ms; null when it is no date. */
function startOfDay(value: string | null, addDays: number): number | null {
  if (value === null || !DAY.test(value)) return null;
  const [year = 0, month = 1, day = 1] = value.split("-").map(Number);
  const date = new Date(2000, 0, 1);
  date.setFullYear(year, month - 1, day + addDays);
  const ms = date.getTime();
  return Number.isNaN(ms) ? null : ms;
}

export function filterFromParams(params: URLSearchParams): MemoryFilter | undefined {
  const filter: MemoryFilter = {};
  const after = startOfDay(params.get("after"), 0);
  const before = startOfDay(params.get("before"), 1);
  if (after !== null) filter.after = after;
  if (before !== null) filter.before = before;
  const sources = params.getAll("source");
  if (sources.length > 0) filter.sources = sources;
  const speakers = params.getAll("speaker");
  if (speakers.length > 0) filter.speakers = speakers;
  const entities = params.getAll("entity");
  if (entities.length > 0) filter.entities = entities;
  const kinds = params
    .getAll("kind")
    .filter((value): value is ContentKind => (CONTENT_KINDS as readonly string[]).includes(value));
  if (kinds.length > 0) filter.kinds = kinds;
  const keep = params
    .getAll("keep")
    .filter((value): value is KeepLevel => (KEEP_LEVELS as readonly string[]).includes(value));
  if (keep.length > 0) filter.keep = keep;
  return Object.keys(filter).length === 0 ? undefined : filter;
}

export interface ActiveFilter {
  key: FilterKey;
  value: string;
  /** "speaker: Ada". */
  label: string;
}

const LABELS: Record<FilterKey, string> = {
  after: "from",
  before: "until",
  source: "source",
  speaker: "speaker",
  kind: "kind",
  entity: "mentions",
  keep: "kept",
};

export function activeFilters(params: URLSearchParams): ActiveFilter[] {
  return FILTER_KEYS.flatMap((key) =>
    params
      .getAll(key)
      .filter((value) => value !== "")
      .map((value) => ({ key, value, label: `${LABELS[key]}: ${value}` })),
  );
}

/** A copy with one filter set (dates replace, the others add). */
export function withFilter(
  params: URLSearchParams,
  key: FilterKey,
  value: string,
): URLSearchParams {
  const next = new URLSearchParams(params);
  if (key === "after" || key === "before") {
    if (value === "") next.delete(key);
    else next.set(key, value);
  } else if (value !== "" && !next.getAll(key).includes(value)) next.append(key, value);
  return next;
}

/** A copy with one parameter replaced, or dropped when the value is empty. */
export function withParam(params: URLSearchParams, key: string, value: string): URLSearchParams {
  const next = new URLSearchParams(params);
  if (value === "") next.delete(key);
  else next.set(key, value);
  return next;
}

export function withoutFilter(
  params: URLSearchParams,
  key: FilterKey,
  value: string,
): URLSearchParams {
  const next = new URLSearchParams();
  for (const [name, entry] of params) if (name !== key || entry !== value) next.append(name, entry);
  return next;
}

export function withoutFilters(params: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const key of FILTER_KEYS) next.delete(key);
  return next;
}
