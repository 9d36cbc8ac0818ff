/**
 * Nearest vectors: nine bits per value in WebAssembly memory, no graph to build, adds and removals in
 * place. Keeps which ordinal lies in which slot and plans each search; `vector-scanner.ts` runs it.
 *
 * Up to 1,000 vectors every row is compared. Above, three stages (`kernels/kernel.ts`): sign bits of
 * all, the same weighted by the query for the nearest few thousand, whole rows of the best few hundred. Figures: decisions/0016, `npm run bench -- vectors`.
 */

import { AppError } from "../errors.ts";
import { EMBEDDING_DIMENSIONS, type QuantizedVector } from "../model/vector.ts";
import {
  MAX_CANDIDATES,
  MAX_RESCORED,
  type VectorBlock,
  type VectorHits,
  type VectorKernel,
} from "./kernels/kernel.ts";
import { BLOCK_SLOTS } from "./kernels/layout.ts";
import { ReferenceKernel } from "./kernels/reference.ts";
import { WasmKernel } from "./kernels/wasm-kernel.ts";
import type { OrdinalSet } from "./ordinal-set.ts";
import {
  VectorScanner,
  type Candidates,
  type ScanPlan,
  type SharedVectors,
} from "./vector-scanner.ts";

export type { VectorBlock, VectorHits } from "./kernels/kernel.ts";

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
  /** Rows scored in the last stage. Default max(256 … 1,024 by size, 1.5 × limit), at most 2,048. */
  rescoreCount?: number;
  /** Rows that the sign scan gives to the second stage, and those as far as the last of them. Default max(1,000, 4 × rescored, size / 80), at most 4,096. */
  candidateCount?: number;
}

/** Up to here every row is compared. */
const LINEAR_LIMIT = 1000;
const MIN_RESCORED = 256;
/** Below this size the scan leaves time to score more rows: where nothing is near, signs alone order badly. */
const SPARE_BELOW = 50_000;
const SPARE_RESCORED = 768;
/** One row in so many is scored in a very large index. */
const RESCORED_SHARE = 1000;
const MIN_CANDIDATES = 1000;
/** One row in so many goes on from the sign scan of a large index. */
const CANDIDATE_SHARE = 80;
const NO_SLOT = -1;

export class VectorSearch {
  readonly #kernel: VectorKernel;
  readonly #scanner: VectorScanner;
  #slotByOrdinal = new Int32Array(0);
  #size = 0;
  #version = 0;
  /** Slots of one call, used again. */
  #slots = new Uint32Array(0);

  constructor(kernel: VectorKernel) {
    this.#kernel = kernel;
    this.#scanner = new VectorScanner(kernel);
  }

  /**
   * With the WebAssembly kernel where SIMD is there, else with the reference. `scanners` above 1 asks
   * for a memory that so many threads may scan, this one among them.
   */
  static async create(options: { scanners?: number } = {}): Promise<VectorSearch> {
    return new VectorSearch((await WasmKernel.create(options)) ?? new ReferenceKernel());
  }

  get size(): number {
    return this.#size;
  }

  get kernelName(): VectorKernel["name"] {
    return this.#kernel.name;
  }

  /** Everything that the index holds, unused room included. */
  get memoryBytes(): number {
    return this.#kernel.memoryBytes + this.#slotByOrdinal.byteLength + this.#slots.byteLength;
  }

  /** Grows with every change that isn't the addition of a new row: a scan begun before may have missed it. */
  get version(): number {
    return this.#version;
  }

  has(ordinal: number): boolean {
    return this.#slotOf(ordinal) !== NO_SLOT;
  }

  /** The vector as the index holds it; null without one. */
  get(ordinal: number): QuantizedVector | null {
    const slot = this.#slotOf(ordinal);
    return slot === NO_SLOT ? null : this.#kernel.read(slot).vector;
  }

  /** Adds or replaces the vector of a memory. `invalid_input` for another number of dimensions. */
  set(ordinal: number, vector: QuantizedVector): void {
    if (vector.codes.length !== EMBEDDING_DIMENSIONS)
      throw new AppError(
        "invalid_input",
        `A vector of ${vector.codes.length} dimensions can't join an index of ${EMBEDDING_DIMENSIONS}.`,
        { hint: "Embed this memory again with the installed model." },
      );
    const known = this.#slotOf(ordinal);
    if (known !== NO_SLOT) {
      this.#version++;
      this.#kernel.write(known, ordinal, vector);
      return;
    }
    this.#reserve(this.#size + 1, ordinal + 1);
    this.#kernel.write(this.#size, ordinal, vector);
    this.#slotByOrdinal[ordinal] = this.#size++;
  }

  /**
   * Adds or replaces many vectors, a copy of each column and no object per row. `invalid_input` when
   * the columns don't agree in length; nothing is added then.
   */
  setMany(block: VectorBlock): void {
    const count = block.ordinals.length;
    if (
      block.codes.length !== count * EMBEDDING_DIMENSIONS ||
      block.scales.length !== count ||
      (block.fine && block.fine.length !== (count * EMBEDDING_DIMENSIONS) / 8)
    )
      throw new AppError(
        "invalid_input",
        `${count} vectors came with ${block.codes.length} codes and ${block.scales.length} scales; each needs ${EMBEDDING_DIMENSIONS} and one.`,
        { hint: "Embed these memories again with the installed model." },
      );
    let highest = -1;
    for (let i = 0; i < count; i++) highest = Math.max(highest, block.ordinals[i]!);
    this.#reserve(this.#size + count, highest + 1);
    // Runs of new ordinals go in together; known ones are overwritten where they are.
    for (let from = 0; from < count;) {
      let to = from;
      for (; to < count; to++) {
        const ordinal = block.ordinals[to]!;
        if (this.#slotByOrdinal[ordinal] !== NO_SLOT) break;
        this.#slotByOrdinal[ordinal] = this.#size + to - from;
      }
      this.#kernel.writeMany(this.#size, block, from, to);
      this.#size += to - from;
      from = to;
      if (from === count) break;
      this.#version++;
      this.#kernel.writeMany(this.#slotByOrdinal[block.ordinals[from]!]!, block, from, from + 1);
      from++;
    }
  }

  remove(ordinal: number): void {
    const slot = this.#slotOf(ordinal);
    if (slot === NO_SLOT) return;
    this.#version++;
    const last = --this.#size;
    if (slot !== last) {
      this.#kernel.move(last, slot);
      this.#slotByOrdinal[this.#kernel.ordinalOf(slot)] = slot;
    }
    this.#kernel.clear(last);
    this.#slotByOrdinal[ordinal] = NO_SLOT;
    this.#kernel.shrink(last);
  }

  /** Best first; ties by ordinal. */
  search(query: Float32Array, options: VectorSearchOptions): VectorHit[] {
    if (this.#size === 0 || options.limit <= 0) return [];
    const { ordinals, scores, count } = this.#scanner.scan(query, this.plan(options));
    return Array.from({ length: count }, (_, i) => ({ ordinal: ordinals[i]!, score: scores[i]! }));
  }

  /** The same without objects. The arrays are overwritten by the next search. */
  searchInto(query: Float32Array, options: VectorSearchOptions): VectorHits {
    return this.#scanner.scan(query, this.plan(options));
  }

  /** What a scan has to do, on this thread or on another. */
  plan({ limit, allow, minScore, rescoreCount, candidateCount }: VectorSearchOptions): ScanPlan {
    const rescored = Math.min(
      MAX_RESCORED,
      Math.max(
        limit,
        rescoreCount ?? Math.max(defaultRescored(this.#size), Math.ceil(1.5 * limit)),
      ),
    );
    const candidates = Math.min(
      MAX_CANDIDATES,
      Math.max(
        rescored,
        candidateCount ??
          Math.max(MIN_CANDIDATES, 4 * rescored, Math.ceil(this.#size / CANDIDATE_SHARE)),
      ),
    );
    const slots =
      Math.min(this.#size, allow?.size ?? this.#size) <= LINEAR_LIMIT ? this.#slotsOf(allow) : null;
    return {
      slotLimit: this.#size,
      limit: Math.min(limit, rescored, this.#size),
      minScore: minScore ?? -Infinity,
      candidates,
      rescored,
      filter: allow !== undefined && slots === null ? allow.words : null,
      slots,
    };
  }

  /** The hits of a plan whose first stages were done elsewhere, in parts. The arrays are overwritten by the next search. */
  finish(query: Float32Array, parts: readonly Candidates[], plan: ScanPlan): VectorHits {
    return this.#scanner.finish(query, parts, plan);
  }

  /** Blocks of 1,024 slots that are in use. */
  get blockCount(): number {
    return Math.ceil(this.#size / BLOCK_SLOTS);
  }

  /** The sign bits of a block: a view, good until the next write. */
  signsOfBlock(block: number): Uint8Array {
    return this.#kernel.signsOfBlock(block);
  }

  /** The memory that lies in a slot now. */
  ordinalOf(slot: number): number {
    return this.#kernel.ordinalOf(slot);
  }

  /** The memory for scanners on other threads; another object after rows moved to another memory. */
  share(): SharedVectors | null {
    return this.#kernel.share();
  }

  /** Cosines of given memories, for candidates that another stage found; undefined without a vector. */
  scores(query: Float32Array, ordinals: readonly number[]): (number | undefined)[] {
    const scores = new Float32Array(ordinals.length);
    this.scoresInto(query, ordinals, ordinals.length, scores);
    return Array.from(scores, (score) => (Number.isNaN(score) ? undefined : score));
  }

  /** The same for the first `count` ordinals without objects; NaN without a vector. */
  scoresInto(
    query: Float32Array,
    ordinals: ArrayLike<number>,
    count: number,
    out: Float32Array,
  ): void {
    if (this.#slots.length < count) this.#slots = new Uint32Array(count);
    let known = 0;
    for (let i = 0; i < count; i++) {
      const slot = this.#slotOf(ordinals[i]!);
      if (slot !== NO_SLOT) this.#slots[known++] = slot;
    }
    if (!this.#scanner.scoreSlots(query, this.#slots, known, out)) {
      out.fill(NaN, 0, count);
      return;
    }
    // Scores came without gaps: spread from the end, so that none is overwritten before it is moved.
    for (let i = count - 1; i >= 0; i--)
      out[i] = this.#slotOf(ordinals[i]!) === NO_SLOT ? NaN : out[--known]!;
  }

  #slotOf(ordinal: number): number {
    return this.#slotByOrdinal[ordinal] ?? NO_SLOT;
  }

  #slotsOf(allow: OrdinalSet | undefined): Uint32Array {
    if (allow === undefined) return Uint32Array.from({ length: this.#size }, (_, slot) => slot);
    const slots = new Uint32Array(Math.min(allow.size, this.#size));
    let count = 0;
    // Of the two, the fewer are gone through: a filter may allow many memories that have no vector.
    if (allow.size > this.#size) {
      for (let slot = 0; slot < this.#size; slot++)
        if (allow.has(this.#kernel.ordinalOf(slot))) slots[count++] = slot;
      return slots.subarray(0, count);
    }
    const { words } = allow;
    for (let word = 0; word < words.length; word++)
      for (let bits = words[word]!; bits !== 0; bits &= bits - 1) {
        const slot = this.#slotOf(word * 32 + 31 - Math.clz32(bits & -bits));
        if (slot !== NO_SLOT) slots[count++] = slot;
      }
    return slots.subarray(0, count);
  }

  #reserve(slots: number, ordinals: number): void {
    this.#kernel.reserve(slots, ordinals);
    const { length } = this.#slotByOrdinal;
    if (ordinals <= length) return;
    const grown = new Int32Array(Math.max(ordinals, length + Math.max(1024, length >>> 4)));
    grown.set(this.#slotByOrdinal);
    grown.fill(NO_SLOT, length);
    this.#slotByOrdinal = grown;
  }
}

/** 256 rows, up to 1,024 in a small index, which takes about the same time, and in one of a million. */
function defaultRescored(size: number): number {
  const spare = Math.round(SPARE_RESCORED * Math.max(0, 1 - size / SPARE_BELOW));
  const share = Math.min(SPARE_RESCORED, Math.floor(size / RESCORED_SHARE));
  return Math.max(MIN_RESCORED + spare, share);
}
