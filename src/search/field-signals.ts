/**
 * Matches between a query and a memory's fields: who said it, when, its title, whom it names, and that
 * it tells where the query asks. Soft: they lift what the text stages found, they exclude nothing.
 */

import { META } from "../model/memory.ts";
import type { Catalog, CatalogEntry } from "../storage/memory-store.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { EntityTable } from "./entity-table.ts";
import type { QueryPlan } from "./query-plan.ts";
import type { NumberedValues } from "./numbered-values.ts";
import type { OrdinalGroup } from "./ordinal-list.ts";
import type { SpeakerNames } from "./speaker-names.ts";
import { isFunctionWord, queryWords, type QueryWord } from "./text-analysis.ts";
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
  const stems = new Set(plan.words.map((word) => word.stem));
  const speakers = context.speakers.namedBy(stems);
  const named = namedGroups(plan.sequence, context);
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
  const { covers, coversNumbered } = titles.coverage(stems, index.titles);
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
      if (title !== 0 && coversNumbered(title)) score += shares.title;
    } else {
      const title = gist.metadata[META.title];
      if (title !== undefined && covers(title)) score += shares.title;
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

/** Whether a query has most of the words that make up a title, given as text or by its number in `CatalogIndex.titles`. */
interface TitleCoverage {
  covers(title: string): boolean;
  coversNumbered(number: number): boolean;
}

/** The stems of titles as numbers, kept: a query looks at those of many candidates. */
export class TitleStems {
  #numbers = new Map<string, number>();
  #stems = new Map<string, Int32Array>();
  /** By the number that a title has in `CatalogIndex.titles`: where its stems begin in `#flat`, after their count. */
  #starts = new Int32Array(0);
  #flat = new Int32Array(1024);
  #flatEnd = 1;
  /** Of the titles when the first of those was looked up. */
  #regiven = -1;

  /** Whether a query of these stems has most of the words that make up a title. */
  coverage(query: ReadonlySet<string>, titles: NumberedValues): TitleCoverage {
    if (this.#stems.size >= MAX_TITLES || this.#numbers.size >= MAX_STEMS) this.clear();
    if (this.#regiven !== titles.regiven) this.#forgetNumbered();
    this.#regiven = titles.regiven;
    const numbers = Array.from(query, (stem) => this.#numberOf(stem));
    const isCovered = (stems: Int32Array, from: number, to: number): boolean => {
      let found = 0;
      for (let i = from; i < to; i++) if (numbers.includes(stems[i]!)) found++;
      return found > 0 && found * 2 > to - from;
    };
    return {
      covers: (title) => {
        const stems = this.#of(title);
        return isCovered(stems, 0, stems.length);
      },
      coversNumbered: (number) => {
        const known = this.#starts[number] ?? 0;
        const start = known === 0 ? this.#flatten(number, titles) : known;
        return isCovered(this.#flat, start + 1, start + 1 + this.#flat[start]!);
      },
    };
  }

  #of(title: string): Int32Array {
    let stems = this.#stems.get(title);
    if (stems === undefined) {
      const words = queryWords(title).filter(({ token }) => !isFunctionWord(token));
      stems = Int32Array.from(words, ({ stem }) => this.#numberOf(stem));
      this.#stems.set(title, stems);
    }
    return stems;
  }

  /** Where the stems of a numbered title are from now on. */
  #flatten(number: number, titles: NumberedValues): number {
    const stems = this.#of(titles.valueOf(number)!);
    if (number >= this.#starts.length) this.#starts = grown(this.#starts, number + 1);
    const start = this.#flatEnd;
    this.#flatEnd += 1 + stems.length;
    if (this.#flatEnd > this.#flat.length) this.#flat = grown(this.#flat, this.#flatEnd);
    this.#flat[start] = stems.length;
    this.#flat.set(stems, start + 1);
    this.#starts[number] = start;
    return start;
  }

  clear(): void {
    this.#numbers.clear();
    this.#stems.clear();
    this.#forgetNumbered();
  }

  #forgetNumbered(): void {
    this.#starts.fill(0);
    this.#flatEnd = 1;
  }

  #numberOf(stem: string): number {
    let number = this.#numbers.get(stem);
    if (number === undefined) this.#numbers.set(stem, (number = this.#numbers.size));
    return number;
  }
}

function grown(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(length, 2 * from.length));
  to.set(from);
  return to;
}

/** Memories that name a rare entity which the query spells out. */
function namedGroups(
  words: readonly QueryWord[],
  { catalog, entities }: FieldContext,
): OrdinalGroup[] {
  const groups: OrdinalGroup[] = [];
  const common = Math.max(20, catalog.size * 0.05);
  for (let start = 0; start < words.length && start < MAX_NAME_STARTS; start++) {
    let name = "";
    for (let length = 1; length <= MAX_NAME_WORDS && start + length <= words.length; length++) {
      name = length === 1 ? words[start]!.token : `${name} ${words[start + length - 1]!.token}`;
      if (length === 1 && isFunctionWord(words[start]!.stem)) continue;
      const group = entities.ordinalsOf(name);
      if (group.size > 0 && group.size <= common) groups.push(group);
    }
  }
  return groups;
}
