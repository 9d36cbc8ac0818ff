/**
 * How text becomes search terms: the one rule that indexing, querying and highlighting share: the words
 * of SQLite's `porter unicode61`, folded and stemmed alike. Scripts without spaces (Chinese, Japanese,
 * Korean, Thai, Lao, Khmer, Burmese) are cut into overlapping character pairs, and the optional vowel
 * marks of Arabic and Hebrew are dropped.
 */

import { stemmer } from "stemmer";

const ASCII = /^[\u0001-\u007f]*$/;
const UNSPACED_SCRIPTS =
  "\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Hang}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}々ー";
const UNSPACED_RUN = new RegExp(`[${UNSPACED_SCRIPTS}]+`, "gu");
const UNSPACED_START = new RegExp(`^[${UNSPACED_SCRIPTS}]`, "u");
// Arabic harakat, Quranic marks, superscript alef, tatweel; Hebrew points and cantillation.
const OPTIONAL_MARKS =
  /[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640]/g;
const LATIN_MARKS = /[\u0300-\u036f]/g;
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{Co}\p{M}]*/gu;

const UNKNOWN = 0;
const SEPARATES = 1;
const BEGINS = 2;
const GOES_ON = 3;
/** What `WORD` says of each UTF-16 unit, found out when it is first met. */
const UNIT_CLASS = new Uint8Array(65_536);

function classOf(character: string): number {
  if (/^[\p{L}\p{N}\p{Co}]/u.test(character)) return BEGINS;
  return /^\p{M}/u.test(character) ? GOES_ON : SEPARATES;
}

/** What `WORD` says of the character at `at`. */
function kindAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (isPair(unit)) return classOf(text.slice(at, at + 2));
  const known = UNIT_CLASS[unit]!;
  return known === UNKNOWN ? (UNIT_CLASS[unit] = classOf(text[at]!)) : known;
}

function isPair(unit: number): boolean {
  return (unit & 0xf800) === 0xd800;
}

/** Where the letters, digits and marks that stand at `at` end; `at` itself when there are none. */
export function runEnd(text: string, at: number): number {
  let i = at;
  while (i < text.length && kindAt(text, i) !== SEPARATES) i += isPair(text.charCodeAt(i)) ? 2 : 1;
  return Math.min(i, text.length);
}

/** Where the word that begins at `at` ends, as `WORD` matches; `at` itself when none begins there. */
export function wordEnd(text: string, at: number): number {
  return at < text.length && kindAt(text, at) === GOES_ON ? at : runEnd(text, at);
}

/** Cuts one run of an unspaced script into overlapping pairs: "東京都" → "東京 京都 都". */
function toPairs(run: string, withLast: boolean): string {
  const characters = [...run].filter((character) => !/\p{M}/u.test(character));
  if (characters.length < 2) return characters.join("");
  const pairs = characters.slice(0, -1).map((character, i) => character + characters[i + 1]!);
  // The single last character makes one-character queries find every position by prefix.
  if (withLast) pairs.push(characters.at(-1)!);
  return pairs.join(" ");
}

function prepare(text: string, withLast: boolean): string {
  if (ASCII.test(text)) return text;
  return text
    .replace(/\p{Cs}/gu, "\ufffd")
    .replaceAll("\0", " ")
    .normalize("NFKC")
    .replace(OPTIONAL_MARKS, "")
    .replace(UNSPACED_RUN, (run) => ` ${toPairs(run, withLast)} `);
}

/** The text as it is cut into words for indexing. */
export function prepareForIndex(text: string): string {
  return prepare(text, true);
}

/** True for a character pair of an unspaced script. */
export function isUnspaced(token: string): boolean {
  return UNSPACED_START.test(token);
}

/** Lower case, compatibility forms and accents folded, as `unicode61` does. */
export function foldWord(word: string): string {
  if (ASCII.test(word)) return word.toLowerCase();
  return word
    .normalize("NFKC")
    .toLowerCase()
    .normalize("NFD")
    .replace(LATIN_MARKS, "")
    .normalize("NFC")
    .replace(OPTIONAL_MARKS, "");
}

/** The form in which two words are the same term: folded and stemmed. */
export function stemOf(word: string): string {
  const folded = foldWord(word);
  return /^[a-z]{3,64}$/.test(folded) ? stemmer(folded) : folded;
}

export interface QueryWord {
  /** As it was typed, a character pair of an unspaced script. */
  token: string;
  stem: string;
}

/** The words of a query text, in order, unspaced scripts as pairs. */
export function queryWords(text: string): QueryWord[] {
  return Array.from(prepare(text, false).matchAll(WORD), ([token]) => ({
    token,
    stem: stemOf(token),
  }));
}

export interface TextWord {
  stem: string;
  /** UTF-16 offsets into the text. */
  start: number;
  end: number;
}

/** The words of a text with their places; a run of an unspaced script is one word here. */
export function* textWords(text: string): Generator<TextWord> {
  for (const match of text.matchAll(WORD))
    yield { stem: stemOf(match[0]), start: match.index, end: match.index + match[0].length };
}

/**
 * English words that carry the grammar of a question and not its subject. Dropped from a query that
 * has other words; very common words of any language are dropped by document frequency.
 */
const FUNCTION_WORDS = new Set(
  (
    "a an the and or but if of at by for with about to from in on is are was were be been being am do does did doing " +
    "have has had having i me my we our you your he him his she her it its they them their this that these those " +
    "what which who whom whose when where why how can could will would shall should may might must not no nor so than " +
    "too very s t d ll m re ve as into there here any some"
  ).split(" "),
);

export function isFunctionWord(token: string): boolean {
  return FUNCTION_WORDS.has(token.toLowerCase());
}

const FUNCTION_STEMS = new Set(Array.from(FUNCTION_WORDS, stemOf));

/** Whether a term of the index is the stem of a word that carries only grammar. */
export function isFunctionStem(stem: string): boolean {
  return FUNCTION_STEMS.has(stem);
}
