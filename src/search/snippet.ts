/** The excerpt of a text around where most words of the query stand together, with their places. */

import type { QueryPlan, QueryTerm } from "./query-plan.ts";
import { TermFinder, type Occurrence } from "./term-finder.ts";

const SNIPPET_UNITS = 240;
const LEAD_UNITS = 60;
/** Places looked at for the best excerpt: a word that is everywhere doesn't cost more. */
const MAX_OCCURRENCES = 2000;

export interface Snippet {
  text: string;
  highlights: [start: number, end: number][];
  /** Terms that the whole text has. */
  terms: Set<QueryTerm>;
}

/** Places of the query's words in a text, in order. */
export function findTerms(text: string, terms: readonly QueryTerm[]): Occurrence[] {
  return new TermFinder(terms).find(text);
}

/**
 * The excerpt with a quoted phrase of the query, else with the most distinct words of it; the beginning
 * of the text when it has none.
 */
export function makeSnippet(
  text: string,
  finder: TermFinder,
  phrases: QueryPlan["phrases"] = [],
): Snippet {
  const occurrences = finder.find(text);
  const best = bestPlace(text, occurrences, phrases);
  const start =
    occurrences.length === 0 ? 0 : wordStart(text, Math.max(0, best - LEAD_UNITS), best);
  const end = wordEnd(text, start, Math.min(text.length, start + SNIPPET_UNITS));
  const lead = start > 0 ? "…" : "";
  const tail = end < text.length ? "…" : "";
  const highlights: [number, number][] = [];
  for (const { start: from, end: to } of occurrences) {
    if (from < start || to > end) continue;
    const shifted: [number, number] = [from - start + lead.length, to - start + lead.length];
    const previous = highlights.at(-1);
    if (previous && shifted[0] <= previous[1]) previous[1] = Math.max(previous[1], shifted[1]);
    else highlights.push(shifted);
  }
  // One unit for one: the offsets stay right.
  const shown = text.slice(start, end).replace(/[^\S ]|\0/g, " ");
  const terms = new Set<QueryTerm>();
  for (const { term } of occurrences) terms.add(term);
  return { text: detached(lead + shown + tail), highlights, terms };
}

/** The same with characters of its own: a slice keeps the whole text alive, and results are kept. */
function detached(text: string): string {
  return ` ${text}`.slice(1);
}

/** Where the excerpt's first word of the query stands. */
function bestPlace(
  text: string,
  occurrences: readonly Occurrence[],
  phrases: QueryPlan["phrases"],
): number {
  let best = 0;
  let bestScore = 0;
  const last = Math.min(occurrences.length, MAX_OCCURRENCES);
  // A list: an excerpt holds a few dozen words at most, and a set would be made anew for each place.
  const distinct: QueryTerm[] = [];
  for (let first = 0; first < last; first++) {
    const from = occurrences[first]!.start;
    distinct.length = 0;
    for (let i = first; i < last && occurrences[i]!.end <= from + SNIPPET_UNITS - LEAD_UNITS; i++) {
      const { term } = occurrences[i]!;
      if (!distinct.includes(term)) distinct.push(term);
    }
    let begun = 0;
    for (const phrase of phrases) if (isPhraseAt(text, occurrences, first, phrase)) begun++;
    // A phrase outweighs words: no excerpt has this many distinct ones.
    const score = distinct.length + begun * 1000;
    if (score > bestScore) [best, bestScore] = [from, score];
  }
  return best;
}

/** Whether the words of a phrase stand here, one after the other with no other word between. */
function isPhraseAt(
  text: string,
  occurrences: readonly Occurrence[],
  first: number,
  phrase: QueryPlan["phrases"][number],
): boolean {
  if (first + phrase.length > occurrences.length) return false;
  return phrase.every((word, i) => {
    const here = occurrences[first + i]!;
    if (here.term.stem !== word.stem) return false;
    return (
      i === 0 || !/[\p{L}\p{N}]/u.test(text.slice(occurrences[first + i - 1]!.end, here.start))
    );
  });
}

/** The first word start at or after `from`, not beyond `limit`. */
function wordStart(text: string, from: number, limit: number): number {
  if (from === 0) return 0;
  for (let at = from; at < limit; at++) if (/\s/.test(text[at - 1]!)) return at;
  return isLowSurrogate(text, from) ? from - 1 : from;
}

function wordEnd(text: string, start: number, to: number): number {
  if (to >= text.length) return text.length;
  for (let at = to; at > start + SNIPPET_UNITS / 2; at--) if (/\s/.test(text[at]!)) return at;
  return isLowSurrogate(text, to) ? to - 1 : to;
}

function isLowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
