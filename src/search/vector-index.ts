/**
 * Nearest vectors: INT8 codes and their sign bits in WebAssembly memory, no graph to build, adds and
 * removals in place.
 *
 * Up to 1,000 vectors every INT8 row is compared; above, the sign bits are scanned (Hamming) and the
 * best few hundred are rescored: INT8 rows with the query at 16 bits, so only the stored side is
 * rounded. Figures: design §6, `npm run bench -- vectors`.
 */

import { AppError } from "../errors.ts";
import { EMBEDDING_DIMENSIONS, type QuantizedVector } from "../model/vector.ts";
import { signBits, type VectorKernel } from "./kernels/kernel.ts";
import { ReferenceKernel } from "./kernels/reference.ts";
import { MAX_WANTED, WasmKernel } from "./kernels/wasm-kernel.ts";
import type { OrdinalSet } from "./ordinal-set.ts";

export interface VectorHit {
  ordinal: number;
  /** Cosine similarity (vectors are unit length), within 0.3 % of the float one. */
  score: number;
}

export interface VectorSearchOptions {
  limit: number;
  allow?: OrdinalSet | undefined;
  /** Hits below this cosine are left out. */
  minScore?: number;
  /** Rows rescored after the sign scan. Default max(600, 12 × limit), at most 8,192. */
  rescoreCount?: number;
}

/** Up to here every row is compared exactly. */
const LINEAR_LIMIT = 1000;
const INT16_MAX = 32_767;

export class VectorSearch {
  readonly #kernel: VectorKernel;
  #slotByOrdinal = new Map<number, number>();
  #ordinalBySlot = new Int32Array(0);
  #scaleBySlot = new Float32Array(0);
  #slotLimit = 0;
  #freeSlots: number[] = [];

  constructor(kernel: VectorKernel) {
    this.#kernel = kernel;
  }

  /** With the WebAssembly kernel where SIMD is there, else with the reference. */
  static async create(): Promise<VectorSearch> {
    return new VectorSearch((await WasmKernel.create()) ?? new ReferenceKernel());
  }

  get size(): number {
    return this.#slotByOrdinal.size;
  }

  get kernelName(): VectorKernel["name"] {
    return this.#kernel.name;
  }

  get memoryBytes(): number {
    return this.#kernel.memoryBytes + 8 * this.#ordinalBySlot.length;
  }

  has(ordinal: number): boolean {
    return this.#slotByOrdinal.has(ordinal);
  }

  /** Adds or replaces the vector of a memory. `invalid_input` for another number of dimensions. */
  set(ordinal: number, vector: QuantizedVector): void {
    if (vector.codes.length !== EMBEDDING_DIMENSIONS)
      throw new AppError(
        "invalid_input",
        `A vector of ${vector.codes.length} dimensions can't join an index of ${EMBEDDING_DIMENSIONS}.`,
        { hint: "Embed this memory again with the installed model." },
      );
    const slot = this.#slotByOrdinal.get(ordinal) ?? this.#freeSlots.pop() ?? this.#slotLimit++;
    this.#reserve(slot + 1);
    this.#kernel.write(slot, vector.codes);
    this.#slotByOrdinal.set(ordinal, slot);
    this.#ordinalBySlot[slot] = ordinal;
    this.#scaleBySlot[slot] = vector.scale;
  }

  remove(ordinal: number): void {
    const slot = this.#slotByOrdinal.get(ordinal);
    if (slot === undefined) return;
    this.#kernel.clear(slot);
    this.#slotByOrdinal.delete(ordinal);
    this.#ordinalBySlot[slot] = -1;
    this.#freeSlots.push(slot);
  }

  /** Best first; ties by ordinal. */
  search(query: Float32Array, options: VectorSearchOptions): VectorHit[] {
    if (this.size === 0 || options.limit <= 0) return [];
    const rescore = options.rescoreCount ?? Math.max(600, 12 * options.limit);
    const allowed = options.allow?.size ?? this.size;
    const slots =
      Math.min(this.size, allowed) <= LINEAR_LIMIT
        ? this.#allSlots(options.allow)
        : this.#kernel.nearestBySigns(
            signBits(query),
            Math.min(MAX_WANTED, Math.max(rescore, options.limit)),
            this.#slotFilter(options.allow),
          );
    const scores = this.#rescore(query, slots);
    return selectBest(
      scores,
      (i) => this.#ordinalBySlot[slots[i]!]!,
      options.limit,
      options.minScore ?? -Infinity,
    );
  }

  /** Cosines of given memories, for candidates that another stage found; undefined without a vector. */
  scores(query: Float32Array, ordinals: readonly number[]): (number | undefined)[] {
    const known = ordinals.filter((ordinal) => this.#slotByOrdinal.has(ordinal));
    const slots = Uint32Array.from(known, (ordinal) => this.#slotByOrdinal.get(ordinal)!);
    const scores = this.#rescore(query, slots);
    const byOrdinal = new Map(known.map((ordinal, i) => [ordinal, scores[i]!]));
    return ordinals.map((ordinal) => byOrdinal.get(ordinal));
  }

  /** The cosine of each slot, in their order. */
  #rescore(query: Float32Array, slots: Uint32Array): Float64Array {
    const scores = new Float64Array(slots.length);
    let max = 0;
    for (const value of query) max = Math.max(max, Math.abs(value));
    if (max === 0) return scores.fill(-Infinity);
    const scale = max / INT16_MAX;
    const products = this.#kernel.dot(
      Int16Array.from(query, (value) => Math.round(value / scale)),
      slots,
    );
    for (let i = 0; i < slots.length; i++)
      scores[i] = products[i]! * scale * this.#scaleBySlot[slots[i]!]!;
    return scores;
  }

  #allSlots(allow: OrdinalSet | undefined): Uint32Array {
    const slots: number[] = [];
    if (allow !== undefined && allow.size < this.size) {
      for (const ordinal of allow) {
        const slot = this.#slotByOrdinal.get(ordinal);
        if (slot !== undefined) slots.push(slot);
      }
    } else
      for (const [ordinal, slot] of this.#slotByOrdinal)
        if (allow === undefined || allow.has(ordinal)) slots.push(slot);
    return Uint32Array.from(slots);
  }

  #slotFilter(allow: OrdinalSet | undefined): Uint8Array | null {
    if (allow === undefined) return null;
    const bits = new Uint8Array((this.#slotLimit + 7) >>> 3);
    for (let slot = 0; slot < this.#slotLimit; slot++) {
      const ordinal = this.#ordinalBySlot[slot]!;
      if (ordinal >= 0 && allow.has(ordinal)) bits[slot >>> 3]! |= 1 << (slot & 7);
    }
    return bits;
  }

  #reserve(slots: number): void {
    if (slots <= this.#ordinalBySlot.length) return;
    const capacity = Math.max(slots, Math.ceil(this.#ordinalBySlot.length * 1.25), 1024);
    const ordinals = new Int32Array(capacity).fill(-1);
    const scales = new Float32Array(capacity);
    ordinals.set(this.#ordinalBySlot);
    scales.set(this.#scaleBySlot);
    this.#ordinalBySlot = ordinals;
    this.#scaleBySlot = scales;
  }
}

function compareHits(a: VectorHit, b: VectorHit): number {
  return b.score - a.score || a.ordinal - b.ordinal;
}

/** The best `limit` of at least `minScore`, sorted: objects are made of those alone. */
function selectBest(
  scores: Float64Array,
  ordinalOf: (index: number) => number,
  limit: number,
  minScore: number,
): VectorHit[] {
  const threshold =
    scores.length > limit
      ? Math.max(minScore, Float64Array.from(scores).sort()[scores.length - limit]!)
      : minScore;
  const hits: VectorHit[] = [];
  for (let i = 0; i < scores.length; i++)
    if (scores[i]! >= threshold && scores[i] !== -Infinity)
      hits.push({ ordinal: ordinalOf(i), score: scores[i]! });
  return hits.sort(compareHits).slice(0, limit);
}
