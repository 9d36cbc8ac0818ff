/**
 * From what a person typed to what the word index is asked: phrases, terms, a word being typed. Quotes
 * are the only syntax; everything else in the input is words or nothing.
 */

import {
  foldWord,
  isFunctionWord,
  isUnspaced,
  queryWords,
  type QueryWord,
} from "./text-analysis.ts";

export interface QueryTerm extends QueryWord {
  /** The word is still being typed. */
  prefix: boolean;
}

export interface QueryPlan {
  /** Quoted phrases: all must be present, in this order of words. */
  phrases: QueryWord[][];
  /** Distinct words outside quotes, in order of appearance. */
  terms: QueryTerm[];
  /** Every distinct word of the query, for highlights. */
  words: QueryTerm[];
  /** All words of the query as they follow each other, up to 256. */
  sequence: readonly QueryWord[];
}

/** Words looked at in one query; a pasted page is cut here. */
const MAX_QUERY_WORDS = 256;
const QUOTED = /"([^"]*)"|“([^”]*)”|«([^»]*)»|„([^“”]*)[“”]/g;

export function planQuery(text: string, options: { prefix?: boolean } = {}): QueryPlan {
  const phrases: QueryWord[][] = [];
  const rest = text.replace(QUOTED, (_all, a?: string, b?: string, c?: string, d?: string) => {
    const words = queryWords(a ?? b ?? c ?? d ?? "").slice(0, MAX_QUERY_WORDS);
    if (words.length > 0) phrases.push(words);
    return " ";
  });
  const endsInWord = /[\p{L}\p{N}\p{M}]$/u.test(rest);
  const typed = queryWords(rest).slice(0, MAX_QUERY_WORDS);
  const last = typed.length - 1;
  const seen = new Set<string>();
  const terms: QueryTerm[] = [];
  typed.forEach((word, index) => {
    const prefix =
      isUnspaced(word.token) && [...word.token].length === 1
        ? true
        : options.prefix === true && endsInWord && index === last && word.token.length > 1;
    const key = prefix ? `${word.token}*` : word.stem;
    if (seen.has(key)) return;
    seen.add(key);
    terms.push({ ...word, prefix });
  });
  const content = terms.filter((term) => term.prefix || !isFunctionWord(term.token));
  const kept = content.length > 0 || phrases.length > 0 ? content : terms;
  const words = [...kept, ...phrases.flat().map((word) => ({ ...word, prefix: false }))];
  return {
    phrases,
    terms: kept,
    sequence: phrases.length === 0 ? typed : queryWords(text).slice(0, MAX_QUERY_WORDS),
    words: words.filter((word, i) => words.findIndex((w) => w.stem === word.stem) === i),
  };
}

/** Shorter forms of a word being typed that may be a stem of the index: "runnin" → "runni", "runn", "run". */
export function stemsWithin(token: string): string[] {
  const folded = foldWord(token);
  const shortest = Math.max(3, folded.length - 4);
  return Array.from({ length: Math.max(0, folded.length - shortest) }, (_, i) =>
    folded.slice(0, folded.length - 1 - i),
  );
}
