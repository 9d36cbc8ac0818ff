/**
 * Answers a query from the word index: chooses its terms, adds up their BM25 scores rarest first, and
 * takes the best. The work is bounded: beyond a number of postings the commonest words only add to the
 * scores of documents that the rarer ones brought up.
 */

import { LRUCache } from "lru-cache";
import type { OrdinalSet } from "../ordinal-set.ts";
import { stemsWithin, type QueryPlan, type QueryTerm } from "../query-plan.ts";
import { foldWord, isFunctionStem, type QueryWord } from "../text-analysis.ts";
import type { LexicalIndex } from "./lexical-index.ts";
import type { Part } from "./segment-list.ts";
import { idf } from "./norms.ts";
import type { NumberedList, Scorer } from "./scorer.ts";
import type { TermEntry } from "./segment.ts";
import { LostSegment } from "./segment-files.ts";
import { runNow, wait, type Steps } from "./steps.ts";
import { termBytes } from "./tokenizer.ts";

export interface LexicalOptions {
  limit: number;
  allow?: OrdinalSet | undefined;
}

/** Ordinals of the best documents, best first, and their BM25 scores. */
export interface LexicalMatches {
  ordinals: Uint32Array;
  scores: Float32Array;
  usedTerms: QueryTerm[];
  /** Memories that hold every quoted phrase, ascending by document; null without phrases or such memories. */
  phraseOrdinals: Uint32Array | null;
}

/** Postings of one term in all parts. */
interface TermLists {
  count: number;
  entries: { entry: TermEntry; base: number }[];
}

/** A word in more than this share of the memories says little; dropped when others are left. */
const COMMON_SHARE = 0.3;
const COMMON_MIN_DOCUMENTS = 200;
/** The rarest words of a long query decide; the rest costs time. */
const MAX_TERMS = 24;
/** Postings that may bring up documents. */
const POSTING_BUDGET = 65_536;
/** Those of the endings of a word being typed. */
const PREFIX_BUDGET = 16_384;
/** Of longer lists beyond it only what concerns the best documents so far is read. */
const WALKED_POSTINGS = 131_072;
const CANDIDATES_PER_HIT = 4;
const PREFIXES_KEPT = 128;

export class LexicalSearcher {
  readonly #index: LexicalIndex;
  readonly #scorer: Scorer;
  /** Terms that begin with what was typed. */
  readonly #prefixes = new LRUCache<string, TermLists>({ max: PREFIXES_KEPT });
  #version = -1;
  /** The search that waits for a file. */
  #busy: Promise<void> | null = null;

  constructor(index: LexicalIndex, scorer: Scorer) {
    this.#index = index;
    this.#scorer = scorer;
  }

  get memoryBytes(): number {
    return this.#scorer.memoryBytes;
  }

  /** The result itself when all that it needs is in memory. */
  search(plan: QueryPlan, options: LexicalOptions): LexicalMatches | Promise<LexicalMatches> {
    return this.#run(() => this.#search(plan, options));
  }

  /** Documents that have a term. */
  documentFrequency(stem: string): number | Promise<number> {
    const lists = this.#run(() => this.#lists(stem));
    return lists instanceof Promise ? lists.then(({ count }) => count) : lists.count;
  }

  /** One at a time, for they share the arrays of scores. */
  #run<T>(start: () => Steps<T>): T | Promise<T> {
    if (this.#busy !== null) return this.#busy.then(() => this.#run(start));
    const { version } = this.#prepare();
    const steps = start();
    const step = runNow(steps);
    if ("value" in step) return step.value;
    const rest = this.#finish(start, steps, step.waitsFor, version).finally(() => {
      this.#busy = null;
    });
    this.#busy = rest.then(
      () => undefined,
      () => undefined,
    );
    return rest;
  }

  /** From the start again when the documents were numbered anew while it waited for a file. */
  async #finish<T>(
    start: () => Steps<T>,
    first: Steps<T>,
    firstWait: Promise<unknown>,
    firstVersion: number,
  ): Promise<T> {
    let steps = first;
    let waitsFor = firstWait;
    let version = firstVersion;
    for (;;) {
      try {
        await waitsFor;
      } catch (error) {
        // Its memories are indexed again; the others answer.
        if (!(error instanceof LostSegment)) throw error;
        this.#index.lose(error.source);
      }
      if (this.#index.version !== version) {
        ({ version } = this.#prepare());
        steps = start();
      }
      const step = runNow(steps);
      if ("value" in step) return step.value;
      ({ waitsFor } = step);
    }
  }

  #prepare(): LexicalIndex {
    const index = this.#index;
    index.freeze();
    if (this.#version !== index.version) {
      this.#version = index.version;
      this.#prefixes.clear();
    }
    return index;
  }

  *#search(plan: QueryPlan, options: LexicalOptions): Steps<LexicalMatches> {
    const { size } = this.#index;
    const found = new Map<string, TermLists>();
    for (const { stem } of [...plan.terms, ...plan.phrases.flat()])
      if (!found.has(stem)) found.set(stem, yield* this.#lists(stem));
    this.#scorer.begin(this.#index);
    let phraseOrdinals: Uint32Array | null = null;
    let terms = chooseTerms(plan.terms, found, size);
    if (plan.phrases.length > 0) {
      phraseOrdinals = yield* this.#addPhrases(plan.phrases, found, options.allow);
      if (phraseOrdinals === null) {
        // Words of a phrase that nothing holds are words like others.
        const words = plan.phrases.flat().map((word) => ({ ...word, prefix: false }));
        terms = [...terms, ...chooseTerms(words, found, size)];
      }
    }
    for (const term of terms) if (term.prefix) yield* this.#addPrefix(term, options.allow);
    const ordered = distinct(terms)
      .map(({ stem }) => found.get(stem)!)
      .filter((lists) => lists.count > 0)
      .sort((a, b) => a.count - b.count);
    const best = yield* this.#best(ordered, options, phraseOrdinals !== null);
    return { ...best, usedTerms: terms, phraseOrdinals };
  }

  *#lists(stem: string): Steps<TermLists> {
    const lists: TermLists = { count: 0, entries: [] };
    for (const { segment, base } of this.#index.parts) {
      const asked = segment.find(stem);
      const entry = asked instanceof Promise ? yield* wait(asked) : asked;
      if (entry === null) continue;
      lists.count += entry.count;
      lists.entries.push({ entry, base });
    }
    return lists;
  }

  *#load({ entry, base }: { entry: TermEntry; base: number }): Steps<NumberedList> {
    const size = entry.docBytes + entry.positionBytes;
    const asked = entry.segment.source.span(entry.at, size);
    const span = asked instanceof Promise ? yield* wait(asked) : asked;
    const { count, docBytes, positionBytes } = entry;
    return { span, count, docBytes, positionBytes, base };
  }

  #weight(count: number): number {
    return idf(this.#index.size, count);
  }

  /** Adds up the terms, given rarest first, and takes the best. */
  *#best(
    terms: readonly TermLists[],
    { limit, allow }: LexicalOptions,
    onlyScored: boolean,
  ): Steps<{ ordinals: Uint32Array; scores: Float32Array }> {
    const scorer = this.#scorer;
    const { ordinalOfDoc } = this.#index;
    let spent = 0;
    let docs: Uint32Array | null = null;
    for (const { count, entries } of terms) {
      const weight = this.#weight(count);
      const isLate = onlyScored || (spent > 0 && spent + count > POSTING_BUDGET);
      spent += count;
      if (isLate && count > WALKED_POSTINGS && docs === null) {
        const candidates = scorer.best(limit * CANDIDATES_PER_HIT, allow);
        docs = candidates.docs.slice().sort();
      }
      for (const one of entries) {
        const list = yield* this.#load(one);
        if (isLate && docs !== null) scorer.addTo(docs, list, weight);
        else scorer.add(list, weight, isLate);
      }
    }
    const { docs: best, scores } = scorer.best(limit, allow);
    const ordinals = new Uint32Array(best.length);
    const kept = new Float32Array(best.length);
    let count = 0;
    // What was removed, or is indexed anew, while a file was read is no hit.
    for (let i = 0; i < best.length; i++) {
      const ordinal = ordinalOfDoc[best[i]!]!;
      if (ordinal < 0) continue;
      ordinals[count] = ordinal;
      kept[count++] = scores[i]!;
    }
    return { ordinals: ordinals.subarray(0, count), scores: kept.subarray(0, count) };
  }

  /** Scores the documents that have all phrases; the ordinals of those that live and are allowed, or null. */
  *#addPhrases(
    phrases: readonly (readonly QueryWord[])[],
    found: ReadonlyMap<string, TermLists>,
    allow: OrdinalSet | undefined,
  ): Steps<Uint32Array | null> {
    const scorer = this.#scorer;
    const having: { docs: Uint32Array; frequencies: Uint8Array }[] = [];
    for (const phrase of phrases) {
      const lists = phrase.map(({ stem }) => found.get(stem)!);
      for (const part of this.#index.parts) {
        const loaded = yield* this.#loadPart(part, lists);
        if (loaded !== null) scorer.countPhrase(loaded);
      }
      if (phrases.length > 1) having.push(scorer.takeGroup());
    }
    if (having.length === 0) {
      const ordinals = this.#findable(scorer.groupedDocs(), allow);
      scorer.addGroup(this.#weight(scorer.grouped));
      return ordinals;
    }
    const docs = having.map((one) => one.docs).reduce(intersect);
    for (const phrase of having) {
      for (let i = 0, j = 0; i < docs.length; i++) {
        while (phrase.docs[j]! < docs[i]!) j++;
        scorer.countOne(docs[i]!, phrase.frequencies[j]!);
      }
      scorer.addGroup(this.#weight(phrase.docs.length));
    }
    return this.#findable(docs, allow);
  }

  /** The ordinals of those documents that live and are allowed; null without any. */
  #findable(docs: Uint32Array, allow: OrdinalSet | undefined): Uint32Array | null {
    const { ordinalOfDoc } = this.#index;
    let kept = 0;
    for (const doc of docs) {
      const ordinal = ordinalOfDoc[doc]!;
      if (ordinal >= 0 && (allow === undefined || allow.has(ordinal))) docs[kept++] = ordinal;
    }
    return kept === 0 ? null : docs.subarray(0, kept);
  }

  /** The lists of all terms in one part; null when one of them isn't in it. */
  *#loadPart(part: Part, lists: readonly TermLists[]): Steps<NumberedList[] | null> {
    const own = lists.map(({ entries }) =>
      entries.find(({ entry }) => entry.segment === part.segment),
    );
    if (own.some((one) => one === undefined)) return null;
    const loaded: NumberedList[] = [];
    for (const one of own) loaded.push(yield* this.#load(one!));
    return loaded;
  }

  /** Adds the terms that begin with what is being typed, as one; or its longest stem when there are none. */
  *#addPrefix(term: QueryTerm, allow: OrdinalSet | undefined): Steps<void> {
    const typed = foldWord(term.token);
    // A filter may ask for just what the commonest endings don't lead to.
    let lists = yield* this.#prefixLists(typed, allow !== undefined);
    if (lists.count === 0)
      for (const stem of stemsWithin(term.token)) {
        lists = yield* this.#lists(stem);
        if (lists.count > 0) break;
      }
    let spent = 0;
    for (const one of lists.entries) {
      spent += one.entry.count;
      this.#scorer.count(yield* this.#load(one));
    }
    const length = this.#scorer.grouped;
    // What was left out has the typed letters too.
    const unseen = (lists.count - spent) * (length / Math.max(1, spent));
    this.#scorer.addGroup(this.#weight(Math.min(this.#index.size, length + unseen)));
  }

  /**
   * Lists of the terms with a beginning, the commonest first, `whole` or up to the budget. Those that
   * nearly every text has only when there are no others.
   */
  *#prefixLists(typed: string, whole: boolean): Steps<TermLists> {
    const known = whole ? undefined : this.#prefixes.get(typed);
    if (known !== undefined) return known;
    const bytes = termBytes(typed);
    const all: { entry: TermEntry; base: number }[] = [];
    const common: { entry: TermEntry; base: number }[] = [];
    const decoder = new TextDecoder();
    for (const { segment, base } of this.#index.parts) {
      const walk = segment.prefixed(bytes, (entry, { term, size }) => {
        const isCommon =
          size > bytes.length &&
          entry.count * 100 > segment.documents &&
          isFunctionStem(decoder.decode(term.subarray(0, size)));
        (isCommon ? common : all).push({ entry, base });
      });
      yield* wait(walk);
    }
    const entries = all.length > 0 ? all : common;
    entries.sort((a, b) => b.entry.count - a.entry.count);
    const count = entries.reduce((sum, { entry }) => sum + entry.count, 0);
    if (whole) return { count, entries };
    let spent = 0;
    const chosen = entries.filter(({ entry }) => {
      if (spent > 0 && spent + entry.count > PREFIX_BUDGET) return false;
      spent += entry.count;
      return true;
    });
    const lists = { count, entries: chosen };
    this.#prefixes.set(typed, lists);
    return lists;
  }
}

/** Numbers that both ascending lists have. */
function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  let kept = 0;
  const both = new Uint32Array(Math.min(a.length, b.length));
  for (let i = 0, j = 0; i < a.length; i++) {
    while (j < b.length && b[j]! < a[i]!) j++;
    if (j < b.length && b[j] === a[i]) both[kept++] = a[i]!;
  }
  return both.subarray(0, kept);
}

function distinct(terms: readonly QueryTerm[]): QueryTerm[] {
  const seen = new Set<string>();
  return terms.filter(({ stem }) => !seen.has(stem) && seen.add(stem) !== undefined);
}

/** The terms worth scoring: without those that most memories have, and of very many the rarest. */
function chooseTerms(
  terms: readonly QueryTerm[],
  found: ReadonlyMap<string, TermLists>,
  documents: number,
): QueryTerm[] {
  const limit = Math.max(COMMON_MIN_DOCUMENTS, COMMON_SHARE * documents);
  const count = (term: QueryTerm): number => (term.prefix ? 0 : found.get(term.stem)!.count);
  const isPresent = (term: QueryTerm): boolean => term.prefix || count(term) > 0;
  const rare = terms.filter((term) => count(term) <= limit);
  const some = rare.some(isPresent) ? rare : [...terms];
  if (some.length <= MAX_TERMS) return some;
  return some
    .filter(isPresent)
    .sort((a, b) => count(a) - count(b))
    .slice(0, MAX_TERMS);
}
