/**
 * Text → numbers of its terms, by the rules of `text-analysis.ts`. Every distinct word is folded and
 * stemmed once; after that it costs a walk over its letters and one look into a table.
 */

import { prepareForIndex, stemOf, wordEnd } from "../text-analysis.ts";
import { FNV_OFFSET, FNV_PRIME, hashBytes, TermTable } from "./term-table.ts";

/** Longer terms (encoded data) are cut here, in texts and queries alike. */
export const MAX_TERM_BYTES = 96;
/** Distinct words remembered; their tables then take about 3 MB. */
const MAX_WORDS = 60_000;
const MAX_IDLE_TOKENS = 4096;

/** So much ASCII ends a passage that isn't: less isn't worth a passage of its own. */
const ASCII_AHEAD = 64;

const SEPARATOR = 0;
const LETTER = 1;
const BEYOND_ASCII = 2;
/** Class of each ASCII code; letters of upper case carry the bit that lowers them beside it. */
const CLASS = new Uint8Array(128);
const LOWER = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  CLASS[code] = /[a-zA-Z0-9]/.test(String.fromCharCode(code)) ? LETTER : SEPARATOR;
  LOWER[code] = String.fromCharCode(code).toLowerCase().charCodeAt(0);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8 of a term, cut at `MAX_TERM_BYTES` between characters. */
export function termBytes(term: string): Uint8Array {
  const bytes = encoder.encode(term.length > MAX_TERM_BYTES ? term.slice(0, MAX_TERM_BYTES) : term);
  if (bytes.length <= MAX_TERM_BYTES) return bytes;
  let end = MAX_TERM_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.slice(0, end);
}

export class Tokenizer {
  /** Terms by number; numbers are given in order of first appearance and stay until `forget`. */
  terms = new TermTable();
  /** What was tokenized since `rewind`, `count` numbers of terms. */
  tokens = new Uint32Array(4096);
  count = 0;
  #words = new TermTable();
  #termOfWord = new Int32Array(1024);
  #scratch = new Uint8Array(4 * MAX_TERM_BYTES);

  get memoryBytes(): number {
    return (
      this.terms.memoryBytes +
      this.#words.memoryBytes +
      this.#termOfWord.byteLength +
      this.tokens.byteLength
    );
  }

  /** Whether the tables are large enough to start them anew when no number is in use. */
  get isFull(): boolean {
    return this.#words.size > MAX_WORDS;
  }

  /** Drops all words and terms. */
  forget(): void {
    this.terms = new TermTable();
    this.#words = new TermTable();
    this.#scratch.fill(0);
  }

  /** Forgets the tokens, keeps the words. */
  rewind(): void {
    this.count = 0;
    if (this.tokens.length > MAX_IDLE_TOKENS) this.tokens = new Uint32Array(MAX_IDLE_TOKENS);
  }

  /** Appends the numbers of the text's terms to `tokens`. */
  tokenize(text: string): void {
    const { length } = text;
    const scratch = this.#scratch;
    let i = 0;
    while (i < length) {
      let code = text.charCodeAt(i);
      if (code >= 128) {
        i = this.#tokenizeAny(text, i);
        continue;
      }
      if (CLASS[code] === SEPARATOR) {
        i++;
        continue;
      }
      const from = i;
      let size = 0;
      let hash = FNV_OFFSET;
      let kind = LETTER;
      do {
        const letter = LOWER[code]!;
        if (size < MAX_TERM_BYTES) {
          scratch[size++] = letter;
          hash = Math.imul(hash ^ letter, FNV_PRIME);
        }
        if (++i >= length) break;
        code = text.charCodeAt(i);
        kind = code >= 128 ? BEYOND_ASCII : CLASS[code]!;
      } while (kind === LETTER);
      // The word may go on with a letter or a mark beyond ASCII.
      if (kind === BEYOND_ASCII && i < length) {
        i = this.#tokenizeAny(text, from);
        continue;
      }
      this.#push(this.#termOf(size, hash));
    }
  }

  /**
   * A passage that isn't all ASCII, from the start of a word or a separator on, up to white space after
   * which only ASCII follows for a while; where it ends. No character's form depends on what stands
   * beyond white space.
   */
  #tokenizeAny(text: string, from: number): number {
    const to = passageEnd(text, from);
    const prepared = prepareForIndex(
      from === 0 && to === text.length ? text : text.slice(from, to),
    );
    let i = 0;
    while (i < prepared.length) {
      const end = wordEnd(prepared, i);
      if (end === i) {
        i++;
        continue;
      }
      this.#push(this.#termOfSlice(prepared, i, end));
      i = end;
    }
    return to;
  }

  #push(term: number): void {
    if (this.count === this.tokens.length) {
      const larger = new Uint32Array(this.tokens.length * 2);
      larger.set(this.tokens);
      this.tokens = larger;
    }
    this.tokens[this.count++] = term;
  }

  #termOfSlice(text: string, from: number, end: number): number {
    const scratch = this.#scratch;
    let size = 0;
    for (let i = from; i < end && size < MAX_TERM_BYTES; i++) {
      const code = text.charCodeAt(i);
      if (code >= 128) {
        // The table's key is the word as it stands: folding costs more than looking it up.
        const { written } = encoder.encodeInto(text.slice(from, end), scratch);
        return this.#termOf(written, hashBytes(scratch, 0, written));
      }
      scratch[size++] = LOWER[code]!;
    }
    return this.#termOf(size, hashBytes(scratch, 0, size));
  }

  /** The term of the word that `#scratch` holds. */
  #termOf(size: number, hash: number): number {
    const known = this.#words.find(this.#scratch, 0, size, hash);
    if (known >= 0) return this.#termOfWord[known]!;
    const word = this.#words.add(this.#scratch, 0, size, hash);
    if (word >= this.#termOfWord.length) {
      const larger = new Int32Array(this.#termOfWord.length * 2);
      larger.set(this.#termOfWord);
      this.#termOfWord = larger;
    }
    const bytes = termBytes(stemOf(decoder.decode(this.#scratch.subarray(0, size))));
    const termHash = hashBytes(bytes, 0, bytes.length);
    let term = this.terms.find(bytes, 0, bytes.length, termHash);
    if (term < 0) term = this.terms.add(bytes, 0, bytes.length, termHash);
    this.#termOfWord[word] = term;
    return term;
  }
}

/** The first white space after `from` with nothing beyond ASCII since and for `ASCII_AHEAD` units more; else the end. */
function passageEnd(text: string, from: number): number {
  let space = -1;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 128) space = -1;
    else if (code <= 32 && space < 0) space = i;
    if (space >= 0 && i - space >= ASCII_AHEAD) return space;
  }
  return text.length;
}
