/**
 * The sentences of a long text that answer a query best: whole ones, in order, around its words.
 * Search mustn't know how texts are analysed, so sentences end here where punctuation says so.
 */

import type { QueryTerm } from "./query-plan.ts";
import { findTerms } from "./snippet.ts";

const SENTENCE = /[^.!?。！？\n]*(?:[.!?。！？]+["'”’)\]]*(?=\s|$)|\n+|$|[.!?。！？]+)/gu;
/** Left out in between. */
const GAP = " … ";

interface Sentence {
  start: number;
  end: number;
  terms: Set<QueryTerm>;
}

/** Offsets of sentences, white space trimmed; together they cover every word. */
export function sentencesOf(text: string): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  let pending = -1;
  for (const match of text.matchAll(SENTENCE)) {
    if (match[0] === "") continue;
    const end = match.index + match[0].length;
    const start = pending >= 0 ? pending : match.index;
    // A dot inside a word or number ends nothing.
    if (/[.]$/.test(match[0]) && /^[\p{L}\p{N}]/u.test(text.slice(end, end + 2))) {
      pending = start;
      continue;
    }
    pending = -1;
    const raw = text.slice(start, end);
    const lead = raw.length - raw.trimStart().length;
    const trimmed = raw.trim();
    if (trimmed !== "") found.push({ start: start + lead, end: start + lead + trimmed.length });
  }
  return found;
}

/**
 * Up to `maxTokens` of whole sentences: those with the most of the query's words first, with their
 * neighbours. Null when no single sentence fits.
 */
export function choosePassage(
  text: string,
  terms: readonly QueryTerm[],
  maxTokens: number,
  count: (text: string) => number,
): string | null {
  const sentences = sentencesOf(text).map(({ start, end }): Sentence => ({
    start,
    end,
    terms: new Set(findTerms(text.slice(start, end), terms).map(({ term }) => term)),
  }));
  const rarity = new Map<QueryTerm, number>();
  for (const { terms: own } of sentences)
    for (const term of own) rarity.set(term, (rarity.get(term) ?? 0) + 1);
  const weight = (own: ReadonlySet<QueryTerm>): number =>
    [...own].reduce((sum, term) => sum + 1 / Math.sqrt(rarity.get(term)!), 0);
  const own = sentences.map((sentence) => weight(sentence.terms));
  const score = own.map((value, i) => value + 0.4 * ((own[i - 1] ?? 0) + (own[i + 1] ?? 0)));
  const order = [...sentences.keys()].sort((a, b) => score[b]! - score[a]! || a - b);
  const chosen = new Set<number>();
  let tokens = 0;
  for (const i of order) {
    if (score[i] === 0 && chosen.size > 0) break;
    const { start, end } = sentences[i]!;
    const cost = count(text.slice(start, end)) + 1;
    if (tokens + cost > maxTokens) continue;
    chosen.add(i);
    tokens += cost;
  }
  if (chosen.size === 0) return null;
  let passage = "";
  let last = -1;
  for (const i of [...chosen].sort((a, b) => a - b)) {
    const { start, end } = sentences[i]!;
    if (passage !== "") passage += i === last + 1 ? " " : GAP;
    passage += text.slice(start, end);
    last = i;
  }
  return passage;
}
