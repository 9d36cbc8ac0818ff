/**
 * Where the words of a query stand in a text: what snippets, highlights and matched terms are made of.
 * Made once per query; a text costs one pass for words that begin like one of the query's, and only
 * those are stemmed.
 */

import type { QueryTerm } from "./query-plan.ts";
import { isUnspaced, stemOf } from "./text-analysis.ts";

/** Of a long text only so much is searched. */
export const SCAN_UNITS = 200_000;

export interface Occurrence {
  term: QueryTerm;
  /** UTF-16 offsets into the text. */
  start: number;
  end: number;
}

const ASCII = /^[\0-\x7f]*$/;
const ASCII_WORD = /^[A-Za-z0-9]+$/;
/** A word with a letter, digit or mark outside ASCII: its accents fold, and its script may have no spaces. */
const WIDE_WORD =
  /[\p{L}\p{N}\p{Co}\p{M}]*(?![\0-\x7f])[\p{L}\p{N}\p{Co}\p{M}][\p{L}\p{N}\p{Co}\p{M}]*/gu;
const UNIT = /[\p{L}\p{N}\p{Co}\p{M}]/u;

export class TermFinder {
  readonly terms: readonly QueryTerm[];
  readonly #unspaced: readonly QueryTerm[];
  readonly #byStem = new Map<string, QueryTerm>();
  readonly #prefixes: readonly { term: QueryTerm; start: string }[];
  /** ASCII words that begin like one of the terms. */
  readonly #roots: RegExp | null;

  constructor(terms: readonly QueryTerm[]) {
    this.terms = terms;
    this.#unspaced = terms.filter((term) => isUnspaced(term.token));
    const spaced = terms.filter((term) => !isUnspaced(term.token));
    for (const term of spaced) if (!this.#byStem.has(term.stem)) this.#byStem.set(term.stem, term);
    this.#prefixes = spaced
      .filter((term) => term.prefix)
      .map((term) => ({ term, start: folded(term.token) }));
    const roots = [
      ...spaced.map((term) => rootOf(term.stem)),
      ...this.#prefixes.map(({ start }) => start),
    ].filter((root) => ASCII_WORD.test(root));
    this.#roots =
      roots.length === 0
        ? null
        : new RegExp(`(?<![A-Za-z0-9])(?:${roots.join("|")})[A-Za-z0-9]*`, "gi");
  }

  /** Places of the terms, in order; words of an unspaced script may overlap. */
  find(text: string): Occurrence[] {
    const scanned = text.length > SCAN_UNITS ? text.slice(0, SCAN_UNITS) : text;
    const found: Occurrence[] = [];
    const isAscii = ASCII.test(scanned);
    if (this.#byStem.size > 0) this.#findAscii(scanned, isAscii, found);
    if (isAscii) return found;
    if (this.#byStem.size > 0) this.#findWide(scanned, found);
    for (const term of this.#unspaced)
      for (let at = scanned.indexOf(term.token); at >= 0; at = scanned.indexOf(term.token, at + 1))
        found.push({ term, start: at, end: at + term.token.length });
    return found.sort((a, b) => a.start - b.start || a.end - b.end);
  }

  #findAscii(text: string, isAscii: boolean, found: Occurrence[]): void {
    if (this.#roots === null) return;
    for (const match of text.matchAll(this.#roots)) {
      const start = match.index;
      const end = start + match[0].length;
      // Part of a word that goes on outside ASCII: `#findWide` looks at the whole of it.
      if (!isAscii && (joins(text, start - 1) || joins(text, end))) continue;
      const term = this.#termOf(match[0]);
      if (term !== undefined) found.push({ term, start, end });
    }
  }

  #findWide(text: string, found: Occurrence[]): void {
    for (const match of text.matchAll(WIDE_WORD)) {
      // Where a script without spaces meets one with them, a word begins.
      let start = match.index;
      const to = start + match[0].length;
      while (start < to) {
        let end = start;
        while (end < to && !isUnspaced(text[end]!)) end++;
        const word = text.slice(start, end);
        const term = ASCII.test(word) ? undefined : this.#termOf(word);
        if (term !== undefined) found.push({ term, start, end });
        start = Math.max(end, start + 1);
        while (start < to && isUnspaced(text[start]!)) start++;
      }
    }
  }

  #termOf(word: string): QueryTerm | undefined {
    const term = this.#byStem.get(stemOf(word));
    if (term !== undefined || this.#prefixes.length === 0) return term;
    const plain = folded(word);
    return this.#prefixes.find(({ start }) => plain.startsWith(start))?.term;
  }
}

/** Whether a letter, digit or mark outside ASCII, of a script with spaces, is at this place. */
function joins(text: string, at: number): boolean {
  const character = text[at];
  if (character === undefined || character < "\x80") return false;
  return UNIT.test(character) && !isUnspaced(character);
}

function folded(word: string): string {
  if (ASCII.test(word)) return word.toLowerCase();
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** The beginning that every word of this stem shares: "happi" → "happ" (happy, happiness). */
function rootOf(stem: string): string {
  return /[iey]$/.test(stem) && stem.length > 2 ? stem.slice(0, -1) : stem;
}
