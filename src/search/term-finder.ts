/**
 * Where the words of a query stand in a text: what snippets, highlights and matched terms are made of.
 * Made once per query; a text costs one pass for words that begin like one of the query's, and only
 * those are stemmed.
 */

import type { QueryTerm } from "./query-plan.ts";
import { isUnspaced, runEnd, stemOf } from "./text-analysis.ts";

/** Of a long text only so much is searched. */
export const SCAN_UNITS = 200_000;

export interface Occurrence {
  term: QueryTerm;
  /** UTF-16 offsets into the text. */
  start: number;
  end: number;
}

const ASCII = /^[\0-\x7f]*$/;
/** Letters and digits of ASCII: in lower case; 0 for all other units. */
const LOWER = Uint8Array.from({ length: 128 }, (_, unit) =>
  /[A-Za-z0-9]/.test(String.fromCharCode(unit))
    ? String.fromCharCode(unit).toLowerCase().charCodeAt(0)
    : 0,
);
/** Words of texts whose terms are remembered. */
const KNOWN_WORDS = 1000;
const ASCII_WORD = /^[A-Za-z0-9]+$/;
const UNIT = /[\p{L}\p{N}\p{Co}\p{M}]/u;

export class TermFinder {
  readonly terms: readonly QueryTerm[];
  readonly #unspaced: readonly QueryTerm[];
  readonly #byStem = new Map<string, QueryTerm>();
  readonly #prefixes: readonly { term: QueryTerm; start: string }[];
  /** How ASCII words begin that may be one of the terms, in lower case. */
  readonly #roots: readonly string[];
  /** By the first unit of a word: whether one of the roots begins so. */
  readonly #isFirst = new Uint8Array(128);
  /** By word: texts of one answer say the same words. */
  readonly #known = new Map<string, QueryTerm | undefined>();

  constructor(terms: readonly QueryTerm[]) {
    this.terms = terms;
    this.#unspaced = terms.filter((term) => isUnspaced(term.token));
    const spaced = terms.filter((term) => !isUnspaced(term.token));
    for (const term of spaced) if (!this.#byStem.has(term.stem)) this.#byStem.set(term.stem, term);
    this.#prefixes = spaced
      .filter((term) => term.prefix)
      .map((term) => ({ term, start: folded(term.token) }));
    this.#roots = [
      ...spaced.map((term) => rootOf(term.stem)),
      ...this.#prefixes.map(({ start }) => start),
    ].flatMap((root) => (ASCII_WORD.test(root) ? root.toLowerCase() : []));
    for (const root of this.#roots) this.#isFirst[root.charCodeAt(0)] = 1;
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

  /** By hand: a regular expression of the roots would be compiled for every query. */
  #findAscii(text: string, isAscii: boolean, found: Occurrence[]): void {
    if (this.#roots.length === 0) return;
    const { length } = text;
    for (let at = 0; at < length; at++) {
      const first = lowerAt(text, at);
      if (first === 0) continue;
      const start = at;
      do at++;
      while (at < length && lowerAt(text, at) !== 0);
      if (this.#isFirst[first] === 0 || !this.#beginsLikeATerm(text, start, at)) continue;
      // Part of a word that goes on outside ASCII: `#findWide` looks at the whole of it.
      if (!isAscii && (joins(text, start - 1) || joins(text, at))) continue;
      const term = this.#termOf(text.slice(start, at));
      if (term !== undefined) found.push({ term, start, end: at });
    }
  }

  #beginsLikeATerm(text: string, start: number, end: number): boolean {
    for (const root of this.#roots) {
      if (root.length > end - start) continue;
      let same = 0;
      while (same < root.length && lowerAt(text, start + same) === root.charCodeAt(same)) same++;
      if (same === root.length) return true;
    }
    return false;
  }

  /** Words with a letter, digit or mark outside ASCII: accents fold, and their script may have no spaces. */
  #findWide(text: string, found: Occurrence[]): void {
    const { length } = text;
    for (let at = 0; at < length; at++) {
      if (text.charCodeAt(at) < 128) continue;
      const to = runEnd(text, at);
      if (to === at) continue;
      let start = at;
      while (start > 0 && lowerAt(text, start - 1) !== 0) start--;
      // Where a script without spaces meets one with them, a word begins.
      while (start < to) {
        let end = start;
        while (end < to && !isUnspaced(text[end]!)) end++;
        const word = text.slice(start, end);
        const term = ASCII.test(word) ? undefined : this.#termOf(word);
        if (term !== undefined) found.push({ term, start, end });
        start = Math.max(end, start + 1);
        while (start < to && isUnspaced(text[start]!)) start++;
      }
      at = to - 1;
    }
  }

  #termOf(word: string): QueryTerm | undefined {
    let term = this.#known.get(word);
    if (term !== undefined || this.#known.has(word)) return term;
    term = this.#match(word);
    if (this.#known.size < KNOWN_WORDS) this.#known.set(word, term);
    return term;
  }

  #match(word: string): QueryTerm | undefined {
    const term = this.#byStem.get(stemOf(word));
    if (term !== undefined || this.#prefixes.length === 0) return term;
    const plain = folded(word);
    return this.#prefixes.find(({ start }) => plain.startsWith(start))?.term;
  }
}

function lowerAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return unit < 128 ? LOWER[unit]! : 0;
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
