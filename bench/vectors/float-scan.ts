/** Exact nearest vectors by a float32 SIMD scan: the truth of the benchmark, and one of its peers. */

import bytes from "./float-scan.as.ts?asc";

const DIMENSIONS = 384;
const PAGE_BYTES = 65_536;
const QUERY_BYTES = DIMENSIONS * 4;

interface Exports {
  dots(query: number, rows: number, count: number, dimensions: number, out: number): void;
}

/** The best k seen so far of one query. */
export class Best {
  readonly #size: number;
  #ids: number[] = [];
  #scores: number[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Offers scores of rows `firstId`, `firstId` + 1, …; ties go to lower ids. */
  offer(scores: Float32Array, firstId: number): void {
    let least = this.#scores.length < this.#size ? -Infinity : this.#scores.at(-1)!;
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      if (score <= least) continue;
      let at = this.#scores.length;
      while (at > 0 && this.#scores[at - 1]! < score) at--;
      this.#scores.splice(at, 0, score);
      this.#ids.splice(at, 0, firstId + i);
      if (this.#scores.length > this.#size) {
        this.#scores.pop();
        this.#ids.pop();
      }
      if (this.#scores.length === this.#size) least = this.#scores.at(-1)!;
    }
  }

  get ids(): number[] {
    return this.#ids;
  }
}

export class FloatScan {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Exports;
  readonly #rowsAt: number;
  readonly #capacity: number;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#rowsAt = QUERY_BYTES + Math.ceil(capacity / 16) * 64;
    const pages = Math.ceil((this.#rowsAt + capacity * QUERY_BYTES) / PAGE_BYTES);
    this.#memory = new WebAssembly.Memory({ initial: pages });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: this.#memory, abort: () => undefined },
    });
    this.#exports = instance.exports as unknown as Exports;
  }

  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Replaces what is held by `count` rows that lie one after the other. */
  fill(rows: Float32Array, count: number): void {
    if (count > this.#capacity) throw new RangeError("More rows than there is room for.");
    this.#count = count;
    new Float32Array(this.#memory.buffer, this.#rowsAt).set(rows.subarray(0, count * DIMENSIONS));
  }

  /** All scores; a view that the next call overwrites. */
  scores(query: Float32Array): Float32Array {
    new Float32Array(this.#memory.buffer, 0, DIMENSIONS).set(query);
    this.#exports.dots(0, this.#rowsAt, this.#count, DIMENSIONS, QUERY_BYTES);
    return new Float32Array(this.#memory.buffer, QUERY_BYTES, this.#count);
  }

  search(query: Float32Array, limit: number): number[] {
    const best = new Best(limit);
    best.offer(this.scores(query), 0);
    return best.ids;
  }
}
