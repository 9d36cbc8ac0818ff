/**
 * Matches between a query and a memory's fields: who said it, when, its title, whom it names. Soft:
 * they lift what the text stages found, they exclude nothing.
 */

import { LRUCache } from "lru-cache";
import { META } from "../model/memory.ts";
import type { Catalog, CatalogEntry } from "../storage/memory-store.ts";
import type { EntityTable } from "./entity-table.ts";
import type { QueryPlan } from "./query-plan.ts";
import { nameStems } from "./speaker-names.ts";
import { isFunctionWord, queryWords, stemOf } from "./text-analysis.ts";
import { findTimes } from "./time-expression.ts";

/** Shares of the fields signal; each is matched or not, the sum is at most 1. */
const SHARES = { speaker: 0.5, time: 0.5, title: 0.25, entity: 0.25 } as const;
const MAX_NAME_WORDS = 4;

/** 0–1 for a memory. */
export type FieldScore = (entry: CatalogEntry) => number;

export function fieldSignals(
  query: string,
  plan: QueryPlan,
  context: { catalog: Catalog; entities: EntityTable; stems: FieldStems; nowMs: number },
): FieldScore {
  const times = findTimes(query, context.nowMs);
  const words = queryWords(query);
  const stems = new Set(plan.words.map((word) => word.stem));
  const named = namedOrdinals(
    words.map((word) => word.token),
    context,
  );
  const speakers = new Map<string, boolean>();
  const titles = new Map<string, boolean>();
  const remember = (memo: Map<string, boolean>, key: string, test: () => boolean): boolean => {
    let value = memo.get(key);
    if (value === undefined) memo.set(key, (value = test()));
    return value;
  };
  return (entry) => {
    const speaker = entry.metadata[META.speaker];
    const title = entry.metadata[META.title];
    let score = 0;
    if (
      speaker !== undefined &&
      remember(speakers, speaker, () =>
        context.stems.ofName(speaker).some((stem) => stems.has(stem)),
      )
    )
      score += SHARES.speaker;
    if (times.some((time) => time(entry.timestamp))) score += SHARES.time;
    if (
      title !== undefined &&
      remember(titles, title, () => covers(context.stems.ofTitle(title), stems))
    )
      score += SHARES.title;
    if (named.has(entry.ordinal)) score += SHARES.entity;
    return Math.min(1, score);
  };
}

/** Whether the query has most of the words that make up a title. */
function covers(title: readonly string[], stems: ReadonlySet<string>): boolean {
  const found = title.filter((stem) => stems.has(stem)).length;
  return found > 0 && found * 2 > title.length;
}

/** The stems of names and titles, kept: a query looks at those of hundreds of candidates. */
export class FieldStems {
  readonly #names = new LRUCache<string, string[]>({ max: 5000 });
  readonly #titles = new LRUCache<string, string[]>({ max: 5000 });

  ofName(speaker: string): string[] {
    let stems = this.#names.get(speaker);
    if (stems === undefined) this.#names.set(speaker, (stems = nameStems(speaker)));
    return stems;
  }

  ofTitle(title: string): string[] {
    let stems = this.#titles.get(title);
    if (stems === undefined) {
      const words = queryWords(title).filter(({ token }) => !isFunctionWord(token));
      this.#titles.set(title, (stems = words.map(({ stem }) => stem)));
    }
    return stems;
  }

  clear(): void {
    this.#names.clear();
    this.#titles.clear();
  }
}

/** Memories that name a rare entity which the query spells out. */
function namedOrdinals(
  words: readonly string[],
  { catalog, entities }: { catalog: Catalog; entities: EntityTable },
): ReadonlySet<number> {
  const found = new Set<number>();
  const common = Math.max(20, catalog.size * 0.05);
  for (let start = 0; start < words.length; start++)
    for (let length = 1; length <= MAX_NAME_WORDS && start + length <= words.length; length++) {
      if (length === 1 && isFunctionWord(stemOf(words[start]!))) continue;
      const ordinals = entities.ordinalsOf(words.slice(start, start + length).join(" "));
      if (ordinals.size <= common) for (const ordinal of ordinals) found.add(ordinal);
    }
  return found;
}
