/**
 * Matches between a query and a memory's fields: who said it, when, its title, whom it names, and that
 * it tells where the query asks. Soft: they lift what the text stages found, they exclude nothing.
 */

import { META } from "../model/memory.ts";
import type { Catalog, CatalogEntry } from "../storage/memory-store.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { EntityTable } from "./entity-table.ts";
import type { QueryPlan } from "./query-plan.ts";
import type { OrdinalGroup } from "./ordinal-list.ts";
import type { SpeakerNames } from "./speaker-names.ts";
import { isFunctionWord, queryWords, stemOf } from "./text-analysis.ts";
import type { OrdinalSet } from "./ordinal-set.ts";
import type { TimeMatch } from "./query-times.ts";
import { isQuestion } from "./question-form.ts";

/** How much each match makes of the fields signal. */
export interface FieldShares {
  speaker: number;
  time: number;
  /** The query asks, and the memory doesn't end by asking itself. */
  statement: number;
  title: number;
  entity: number;
}

/** Together 1. */
export const FIELD_SHARES: FieldShares = {
  time: 0.45,
  speaker: 0.23,
  statement: 0.14,
  title: 0.09,
  entity: 0.09,
};
const MAX_NAME_WORDS = 4;
/** Of a pasted page the first words are looked up as names. */
const MAX_NAME_STARTS = 64;
const MAX_TITLES = 20_000;
const MAX_STEMS = 100_000;

export interface FieldSignals {
  /** What no memory's score is above, 0–1. */
  max: number;
  /** What title and names add at most to the rest. */
  maxOfNames: number;
  /** The score without title and names, which cost more to look at. */
  withoutNames(ordinal: number): number;
  /** The score of a memory or a gist, 0–1, given that part of it. */
  of(ordinal: number, withoutNames: number): number;
}

export interface FieldContext {
  catalog: Catalog;
  index: CatalogIndex;
  entities: EntityTable;
  speakers: SpeakerNames;
  titles: TitleStems;
  /** Memories that end in a question. */
  asks: OrdinalSet;
}

export function fieldSignals(
  query: string,
  plan: QueryPlan,
  times: readonly TimeMatch[],
  context: FieldContext,
  changedShares: Partial<FieldShares> = {},
): FieldSignals {
  const shares = { ...FIELD_SHARES, ...changedShares };
  const isAsking = isQuestion(query);
  const words = queryWords(query);
  const stems = new Set(plan.words.map((word) => word.stem));
  const speakers = context.speakers.namedBy(stems);
  const named = namedGroups(
    words.map((word) => word.token),
    context,
  );
  const maxOfNames = shares.title + (named.length > 0 ? shares.entity : 0);
  const max =
    (isAsking ? shares.statement : 0) +
    (speakers.size > 0 ? shares.speaker : 0) +
    (times.length > 0 ? shares.time : 0) +
    maxOfNames;
  const { catalog, index, asks, titles } = context;
  const numbers = new Set<number>();
  for (const speaker of speakers) numbers.add(index.speakers.numberOf(speaker));
  numbers.delete(0);
  const covers = titles.coverage(stems);
  /** By the number of a title: candidates share them. */
  const covered = new Map<number, boolean>();
  const hasTitle = (number: number): boolean => {
    let known = covered.get(number);
    if (known === undefined) {
      const title = titles.ofNumbered(number, index.titles.valueOf(number)!);
      covered.set(number, (known = covers(title)));
    }
    return known;
  };
  // Gists are in the catalog alone.
  const gistOf = (ordinal: number): CatalogEntry | undefined =>
    index.live.has(ordinal) ? undefined : catalog.byOrdinal(ordinal);
  const withoutNames = (ordinal: number): number => {
    let score = isAsking && !asks.has(ordinal) ? shares.statement : 0;
    if (speakers.size === 0 && times.length === 0) return score;
    const gist = gistOf(ordinal);
    const isSpeaker =
      gist === undefined
        ? numbers.size > 0 && numbers.has(index.speakers.of(ordinal))
        : speakers.has(gist.metadata[META.speaker] ?? "");
    if (isSpeaker) score += shares.speaker;
    if (times.length > 0) {
      const timestamp = gist?.timestamp ?? index.timeOf(ordinal);
      let inTime = 0;
      for (const time of times) inTime = Math.max(inTime, time.score(timestamp));
      score += inTime * shares.time;
    }
    return score;
  };
  const of = (ordinal: number, score: number): number => {
    const gist = gistOf(ordinal);
    if (gist === undefined) {
      const title = index.titles.of(ordinal);
      if (title !== 0 && hasTitle(title)) score += shares.title;
    } else {
      const title = gist.metadata[META.title];
      if (title !== undefined && covers(titles.of(title))) score += shares.title;
    }
    for (const group of named)
      if (group.has(ordinal)) {
        score += shares.entity;
        break;
      }
    return Math.min(1, score);
  };
  return { max: Math.min(1, max), maxOfNames, withoutNames, of };
}

/** The stems of titles as numbers, kept: a query looks at those of many candidates. */
export class TitleStems {
  #numbers = new Map<string, number>();
  #stems = new Map<string, Int32Array>();
  /** By the number that a title has in `CatalogIndex.titles`, with the title that had it then. */
  #numbered: { title: string; stems: Int32Array }[] = [];

  /** Whether a query of these stems has most of the words that make up a title. */
  coverage(query: ReadonlySet<string>): (title: Int32Array) => boolean {
    if (this.#stems.size >= MAX_TITLES || this.#numbers.size >= MAX_STEMS) this.clear();
    const numbers = Int32Array.from(query, (stem) => this.#numberOf(stem));
    return (title) => {
      let found = 0;
      for (let i = 0; i < title.length; i++) if (numbers.includes(title[i]!)) found++;
      return found > 0 && found * 2 > title.length;
    };
  }

  of(title: string): Int32Array {
    let stems = this.#stems.get(title);
    if (stems === undefined) {
      const words = queryWords(title).filter(({ token }) => !isFunctionWord(token));
      stems = Int32Array.from(words, ({ stem }) => this.#numberOf(stem));
      this.#stems.set(title, stems);
    }
    return stems;
  }

  /** The same without a look-up of the text. */
  ofNumbered(number: number, title: string): Int32Array {
    let known = this.#numbered[number];
    if (known?.title !== title) this.#numbered[number] = known = { title, stems: this.of(title) };
    return known.stems;
  }

  clear(): void {
    this.#numbers.clear();
    this.#stems.clear();
    this.#numbered = [];
  }

  #numberOf(stem: string): number {
    let number = this.#numbers.get(stem);
    if (number === undefined) this.#numbers.set(stem, (number = this.#numbers.size));
    return number;
  }
}

/** Memories that name a rare entity which the query spells out. */
function namedGroups(
  words: readonly string[],
  { catalog, entities }: FieldContext,
): OrdinalGroup[] {
  const groups: OrdinalGroup[] = [];
  const common = Math.max(20, catalog.size * 0.05);
  for (let start = 0; start < words.length && start < MAX_NAME_STARTS; start++)
    for (let length = 1; length <= MAX_NAME_WORDS && start + length <= words.length; length++) {
      if (length === 1 && isFunctionWord(stemOf(words[start]!))) continue;
      const group = entities.ordinalsOf(words.slice(start, start + length).join(" "));
      if (group.size > 0 && group.size <= common) groups.push(group);
    }
  return groups;
}
