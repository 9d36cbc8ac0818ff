/**
 * Length of a document in one byte, and BM25's part that depends on it. Up to 128 words the length is
 * exact; above, each code is 7.3 % more than the one before, up to a million words.
 */

const EXACT = 128;
const STEP = (1_000_000 / EXACT) ** (1 / (255 - EXACT));
const LENGTHS = Float64Array.from({ length: 256 }, (_, code) =>
  code <= EXACT ? code : Math.round(EXACT * STEP ** (code - EXACT)),
);

export interface Bm25Parameters {
  /** How soon more of the same word stops to count. */
  k1: number;
  /** How much length counts against a document. */
  b: number;
}

/** The usual ones for passages; short memories gain from them (decisions/0018). */
export const BM25: Bm25Parameters = { k1: 0.9, b: 0.4 };
/** Those that SQLite's FTS5 has built in. */
export const FTS5_BM25: Bm25Parameters = { k1: 1.2, b: 0.75 };

export function normOf(length: number): number {
  if (length <= EXACT) return length;
  return Math.min(255, Math.round(EXACT + Math.log(length / EXACT) / Math.log(STEP)));
}

export function lengthOf(norm: number): number {
  return LENGTHS[norm]!;
}

/** FTS5's inverse document frequency: never negative, nearly 0 for what half of the documents have. */
export function idf(documents: number, having: number): number {
  const value = Math.log((documents - having + 0.5) / (having + 0.5));
  return value > 1e-6 ? value : 1e-6;
}

/** Score of a term per norm for one average length, idf left out. */
export class LengthTable {
  /** k1 · (1 − b + b · length / average) per norm. */
  readonly penalty = new Float32Array(256);
  /** The whole factor where the term occurs once. */
  readonly once = new Float32Array(256);
  readonly k1AndOne: number;
  readonly #parameters: Bm25Parameters;
  #average = -1;

  constructor(parameters: Bm25Parameters) {
    this.#parameters = parameters;
    this.k1AndOne = parameters.k1 + 1;
  }

  /** True when the average is another than before. */
  update(average: number): boolean {
    if (average === this.#average) return false;
    this.#average = average;
    const { k1, b } = this.#parameters;
    for (let norm = 0; norm < 256; norm++) {
      this.penalty[norm] = k1 * (1 - b + (b * LENGTHS[norm]!) / Math.max(1, average));
      this.once[norm] = this.k1AndOne / (1 + this.penalty[norm]!);
    }
    return true;
  }

  /** Of a frequency in half units. */
  factor(frequency: number, norm: number): number {
    const times = frequency / 2;
    return (times * this.k1AndOne) / (times + this.penalty[norm]!);
  }
}
