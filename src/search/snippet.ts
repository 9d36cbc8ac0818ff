/** Which words of the query a text has, and the excerpt around where most of them stand together. */

import { isUnspaced, stemOf, textWords, type TextWord } from "./text-analysis.ts";
import type { QueryTerm } from "./query-plan.ts";

/** Of a long text only so much is searched for the excerpt. */
export const SCAN_UNITS = 200_000;
const SNIPPET_UNITS = 240;
const LEAD_UNITS = 60;

export interface Snippet {
  text: string;
  highlights: [start: number, end: number][];
  /** Terms that the whole text has. */
  terms: Set<QueryTerm>;
}

interface Occurrence {
  term: QueryTerm;
  start: number;
  end: number;
}

/** Places of the query's words in a text, in order. */
export function findTerms(text: string, terms: readonly QueryTerm[]): Occurrence[] {
  const scanned = text.length > SCAN_UNITS ? text.slice(0, SCAN_UNITS) : text;
  const found: Occurrence[] = [];
  const spaced = terms.filter((term) => !isUnspaced(term.token));
  if (spaced.length > 0)
    for (const word of candidateWords(scanned, spaced)) {
      const term = spaced.find((one) => matchesWord(one, word, scanned));
      if (term !== undefined) found.push({ term, start: word.start, end: word.end });
    }
  for (const term of terms.filter((one) => isUnspaced(one.token)))
    for (let at = scanned.indexOf(term.token); at >= 0; at = scanned.indexOf(term.token, at + 1))
      found.push({ term, start: at, end: at + term.token.length });
  return found.sort((a, b) => a.start - b.start || a.end - b.end);
}

function matchesWord(term: QueryTerm, word: TextWord, text: string): boolean {
  if (word.stem === term.stem) return true;
  if (!term.prefix) return false;
  const plain = text
    .slice(word.start, word.end)
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLowerCase();
  return plain.startsWith(term.token.toLowerCase());
}

/** ASCII text is searched for the beginnings of the stems first: stemming every word would cost most of the time. */
function* candidateWords(text: string, terms: readonly QueryTerm[]): Generator<TextWord> {
  if (/[^\0-\x7f]/.test(text)) {
    yield* textWords(text);
    return;
  }
  const roots = terms
    .map((term) => (term.prefix ? term.token : rootOf(term.stem)))
    .filter((root) => /^[\0-\x7f]+$/.test(root));
  if (roots.length === 0) return;
  const pattern = new RegExp(`(?<![A-Za-z0-9])(?:${roots.join("|")})[A-Za-z0-9]*`, "gi");
  for (const match of text.matchAll(pattern))
    yield { stem: stemOf(match[0]), start: match.index, end: match.index + match[0].length };
}

/** The beginning that every word of this stem shares: "happi" → "happ" (happy, happiness). */
function rootOf(stem: string): string {
  return /[iey]$/.test(stem) && stem.length > 2 ? stem.slice(0, -1) : stem;
}

/** The excerpt with the most distinct words of the query; the beginning of the text when it has none. */
export function makeSnippet(text: string, terms: readonly QueryTerm[]): Snippet {
  const occurrences = findTerms(text, terms);
  let best = 0;
  let bestCount = 0;
  for (let first = 0; first < occurrences.length; first++) {
    const from = occurrences[first]!.start;
    const distinct = new Set<QueryTerm>();
    for (
      let i = first;
      i < occurrences.length && occurrences[i]!.end <= from + SNIPPET_UNITS - LEAD_UNITS;
      i++
    )
      distinct.add(occurrences[i]!.term);
    if (distinct.size > bestCount) [best, bestCount] = [from, distinct.size];
  }
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
  const shown = text.slice(start, end).replace(/[\s\0]/g, " ");
  return {
    text: lead + shown + tail,
    highlights,
    terms: new Set(occurrences.map(({ term }) => term)),
  };
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
