/**
 * Hosts `scan.as.ts` on one WebAssembly memory (`layout.ts`) that grows by blocks in place. Where the
 * memory can be shared, scanners on other threads attach to it; they write their scratch area alone.
 *
 * More than 400 lines: all of it is one memory's bookkeeping; callers see the `VectorKernel` alone.
 */

import bytes from "./scan.as.ts?asc";
import sharedBytes from "./scan.as.ts?asc&shared";
import { AppError } from "../../errors.ts";
import type { QuantizedVector } from "../../model/vector.ts";
import {
  decodeRow,
  type Candidates,
  type PreparedQuery,
  type SharedKernel,
  type StoredRow,
  type VectorBlock,
  type VectorHits,
  type VectorKernel,
} from "./kernel.ts";
import {
  BLOCK_BYTES,
  BLOCK_SLOTS,
  BUFFER_KEYS,
  CHOSEN,
  COUNTERS,
  DIMENSIONS,
  DISTANCES,
  FILTER_BITS,
  KEYS,
  MAX_CANDIDATES,
  MAX_ORDINALS,
  MAX_RESCORED,
  MAX_SLOTS,
  NEAR,
  PAGE_BYTES,
  QUERY_PLANES,
  QUERY_SIGNS,
  QUERY_VALUES,
  SCORES,
  SCRATCH_BYTES,
  SIGN_BYTES,
  bytesFor,
  layoutOf,
  ordinalAt,
  rowAt,
  scaleAt,
  signsAt,
  type Layout,
} from "./layout.ts";

interface Exports {
  beginScan(
    signs: number,
    planes: number,
    wanted: number,
    rescored: number,
    counters: number,
    keys: number,
    distances: number,
    capacity: number,
    list: number,
  ): void;
  scanSigns(blocks: number, first: number, end: number, mask: number): void;
  endScan(): number;
  refine(keys: number, total: number, wanted: number, bins: number, chosen: number): number;
  scoreRows(
    query: number,
    queryScale: number,
    blocks: number,
    chosen: number,
    total: number,
    scores: number,
  ): void;
  bestScores(
    blocks: number,
    chosen: number,
    total: number,
    scores: number,
    minScore: number,
    limit: number,
    buffer: number,
    ordinals: number,
  ): number;
  encodeRows(rows: number, signs: number, total: number, hasFine: number): void;
}

/** Pages of the largest memory, then less where a platform refuses to reserve so much. */
const MAXIMUM_PAGES = [65_536, 32_768, 16_384, 8192];
/** Unused blocks that aren't worth a copy of the others. */
const SPARE_BLOCKS = 4;

function createMemory(initialBytes: number, shared: boolean): WebAssembly.Memory {
  const initial = Math.ceil(initialBytes / PAGE_BYTES);
  let failure: unknown;
  for (const maximum of MAXIMUM_PAGES) {
    if (maximum < initial) break;
    try {
      return new WebAssembly.Memory({ initial, maximum, shared });
    } catch (error) {
      failure = error;
    }
  }
  throw noRoom(failure);
}

function noRoom(cause: unknown): AppError {
  return new AppError("too_large", "There is no memory left for more vectors in the index.", {
    hint: "Close other programs or tabs, or move old memories into a store of their own.",
    cause,
  });
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Exports {
  const abort = (): never => {
    throw new Error("The vector kernel stopped.");
  };
  const instance = new WebAssembly.Instance(module, { env: { memory, abort } });
  return instance.exports as unknown as Exports;
}

function canShare(): boolean {
  return typeof SharedArrayBuffer !== "undefined" && WebAssembly.validate(sharedBytes);
}

export class WasmKernel implements VectorKernel {
  readonly name = "wasm-simd";
  readonly #module: WebAssembly.Module;
  readonly #layout: Layout;
  #memory: WebAssembly.Memory;
  #exports: Exports;
  #shared: SharedKernel | null = null;
  #u8 = new Uint8Array(0);
  #u32 = new Uint32Array(0);
  #f32 = new Float32Array(0);
  #queryScale = 0;

  private constructor({ module, memory, scanners }: SharedKernel, scanner: number) {
    this.#module = module;
    this.#layout = layoutOf(scanner, scanners);
    this.#memory = memory;
    this.#exports = instantiate(module, memory);
    this.#refresh();
  }

  /**
   * Null where WebAssembly SIMD is absent. With `scanners` above 1 the memory is shared if the platform
   * can, with room for so many scanners, the owner among them.
   */
  static async create({ scanners = 1 }: { scanners?: number } = {}): Promise<WasmKernel | null> {
    if (typeof WebAssembly === "undefined" || !WebAssembly.validate(bytes)) return null;
    const isShared = scanners > 1 && canShare();
    const module = await WebAssembly.compile(isShared ? sharedBytes : bytes);
    const places = isShared ? scanners : 1;
    const memory = createMemory(places * SCRATCH_BYTES, isShared);
    const kernel = new WasmKernel({ module, memory, scanners: places }, 0);
    if (isShared) kernel.#shared = { module, memory, scanners };
    return kernel;
  }

  /** A scanner over another thread's memory; `scanner` is its place, from 1. It may only scan. */
  static attach(shared: SharedKernel, scanner: number): WasmKernel {
    if (scanner < 1 || scanner >= shared.scanners)
      throw new RangeError(`Scanner ${scanner} has no place among ${shared.scanners}.`);
    return new WasmKernel(shared, scanner);
  }

  share(): SharedKernel | null {
    return this.#shared;
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  reserve(slots: number, ordinals: number): void {
    if (slots > MAX_SLOTS || ordinals > MAX_ORDINALS) throw noRoom(undefined);
    const missing = bytesFor(this.#layout.blocksAt, slots) - this.#memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (error) {
      throw noRoom(error);
    }
    this.#refresh();
  }

  write(slot: number, ordinal: number, { codes, scale, fine }: QuantizedVector): void {
    const { blocksAt } = this.#layout;
    const row = rowAt(blocksAt, slot);
    const signs = signsAt(blocksAt, slot);
    this.#u8.set(bytesOf(codes), row);
    if (fine) this.#u8.set(fine, signs);
    this.#exports.encodeRows(row, signs, 1, fine ? 1 : 0);
    this.#f32[scaleAt(blocksAt, slot) >>> 2] = fine ? scale : -scale;
    this.#u32[ordinalAt(blocksAt, slot) >>> 2] = ordinal;
  }

  writeMany(slot: number, block: VectorBlock, from: number, to: number): void {
    const { blocksAt } = this.#layout;
    const { ordinals, codes, scales, fine } = block;
    while (from < to) {
      const count = Math.min(to - from, BLOCK_SLOTS - (slot % BLOCK_SLOTS));
      const row = rowAt(blocksAt, slot);
      const signs = signsAt(blocksAt, slot);
      const part = codes.subarray(from * DIMENSIONS, (from + count) * DIMENSIONS);
      this.#u8.set(bytesOf(part), row);
      if (fine) this.#u8.set(fine.subarray(from * SIGN_BYTES, (from + count) * SIGN_BYTES), signs);
      this.#exports.encodeRows(row, signs, count, fine ? 1 : 0);
      const scale = scaleAt(blocksAt, slot) >>> 2;
      for (let i = 0; i < count; i++)
        this.#f32[scale + i] = fine ? scales[from + i]! : -scales[from + i]!;
      this.#u32.set(ordinals.subarray(from, from + count), ordinalAt(blocksAt, slot) >>> 2);
      from += count;
      slot += count;
    }
  }

  move(from: number, to: number): void {
    const { blocksAt } = this.#layout;
    const signs = signsAt(blocksAt, from);
    this.#u8.copyWithin(signsAt(blocksAt, to), signs, signs + SIGN_BYTES);
    const row = rowAt(blocksAt, from);
    this.#u8.copyWithin(rowAt(blocksAt, to), row, row + DIMENSIONS);
    this.#u32[scaleAt(blocksAt, to) >>> 2] = this.#u32[scaleAt(blocksAt, from) >>> 2]!;
    this.#u32[ordinalAt(blocksAt, to) >>> 2] = this.#u32[ordinalAt(blocksAt, from) >>> 2]!;
  }

  clear(slot: number): void {
    const { blocksAt } = this.#layout;
    const signs = signsAt(blocksAt, slot);
    const row = rowAt(blocksAt, slot);
    this.#u8.fill(0, signs, signs + SIGN_BYTES);
    this.#u8.fill(0, row, row + DIMENSIONS);
    this.#u32[scaleAt(blocksAt, slot) >>> 2] = 0;
    this.#u32[ordinalAt(blocksAt, slot) >>> 2] = 0;
  }

  shrink(slots: number): boolean {
    const { blocksAt } = this.#layout;
    const needed = bytesFor(blocksAt, slots);
    const spare = this.#memory.buffer.byteLength - needed;
    if (spare < SPARE_BLOCKS * BLOCK_BYTES || spare < needed / 2) return false;
    // A WebAssembly memory never gets smaller: the rows move to another.
    let memory: WebAssembly.Memory;
    try {
      memory = createMemory(needed, this.#shared !== null);
    } catch {
      // There is no room for both at once: the larger one stays.
      return false;
    }
    new Uint8Array(memory.buffer).set(this.#u8.subarray(0, needed));
    this.#memory = memory;
    this.#exports = instantiate(this.#module, memory);
    if (this.#shared) this.#shared = { ...this.#shared, memory };
    this.#refresh();
    return true;
  }

  ordinalOf(slot: number): number {
    return this.#u32[ordinalAt(this.#layout.blocksAt, slot) >>> 2]!;
  }

  signsOfBlock(block: number): Uint8Array {
    const at = signsAt(this.#layout.blocksAt, block * BLOCK_SLOTS);
    return this.#u8.subarray(at, at + BLOCK_SLOTS * SIGN_BYTES);
  }

  read(slot: number): StoredRow & { ordinal: number; vector: QuantizedVector } {
    const { blocksAt } = this.#layout;
    const signs = signsAt(blocksAt, slot);
    const row = rowAt(blocksAt, slot);
    const stored = {
      signs: this.#u8.slice(signs, signs + SIGN_BYTES),
      magnitudes: this.#u8.slice(row, row + DIMENSIONS),
      scale: this.#f32[scaleAt(blocksAt, slot) >>> 2]!,
    };
    return { ...stored, ordinal: this.ordinalOf(slot), vector: decodeRow(stored) };
  }

  load({ signs, planes, values, scale }: PreparedQuery): void {
    this.#refresh();
    const { scratchAt } = this.#layout;
    this.#u8.set(signs, scratchAt + QUERY_SIGNS);
    this.#u8.set(planes, scratchAt + QUERY_PLANES);
    const at = scratchAt + QUERY_VALUES;
    for (let i = 0; i < DIMENSIONS; i += 2)
      this.#u32[(at >>> 2) + (i >>> 1)] = (values[i]! & 0xffff) | (values[i + 1]! << 16);
    this.#queryScale = scale;
  }

  nearestBySigns(
    first: number,
    end: number,
    candidates: number,
    rescored: number,
    filter: Uint32Array | null,
  ): number {
    if (candidates <= 0 || first >= end) return 0;
    const { scratchAt, blocksAt } = this.#layout;
    const exports = this.#exports;
    exports.beginScan(
      scratchAt + QUERY_SIGNS,
      scratchAt + QUERY_PLANES,
      Math.min(candidates, MAX_CANDIDATES),
      Math.min(rescored, MAX_RESCORED),
      scratchAt + COUNTERS,
      scratchAt + KEYS,
      scratchAt + DISTANCES,
      BUFFER_KEYS,
      scratchAt + NEAR,
    );
    if (filter === null) exports.scanSigns(blocksAt, first, end, 0);
    else
      for (let from = first & ~63; from < end;) {
        const to = Math.min(end, from - (from % BLOCK_SLOTS) + BLOCK_SLOTS);
        if (this.#maskSlots(from, to, first, filter))
          exports.scanSigns(blocksAt, from, to, scratchAt + FILTER_BITS);
        from = to;
      }
    return exports.endScan();
  }

  candidates(count: number): Candidates {
    const { scratchAt } = this.#layout;
    const copy = (offset: number, byteLength: number): ArrayBuffer => {
      const bytes = new Uint8Array(byteLength);
      bytes.set(this.#u8.subarray(scratchAt + offset, scratchAt + offset + byteLength));
      return bytes.buffer;
    };
    return {
      keys: new BigUint64Array(copy(KEYS, count * 8)),
      distances: new Uint16Array(copy(DISTANCES, count * 2)),
      counts: new Uint32Array(copy(COUNTERS, (DIMENSIONS + 1) * 4)),
    };
  }

  takeKeys(keys: BigUint64Array): void {
    if (keys.length > BUFFER_KEYS) throw new RangeError("More keys than there is room for.");
    const from = new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength);
    this.#u8.set(from, this.#layout.scratchAt + KEYS);
  }

  refine(count: number, wanted: number): number {
    if (count <= 0 || wanted <= 0) return 0;
    const { scratchAt } = this.#layout;
    return this.#exports.refine(
      scratchAt + KEYS,
      count,
      Math.min(wanted, MAX_RESCORED),
      scratchAt + DISTANCES,
      scratchAt + CHOSEN,
    );
  }

  takeSlots(slots: ArrayLike<number>, count: number): void {
    if (count > MAX_RESCORED) throw new RangeError("More slots than there is room for.");
    const at = (this.#layout.scratchAt + CHOSEN) >>> 2;
    for (let i = 0; i < count; i++) this.#u32[at + i] = slots[i]!;
  }

  slots(count: number): Uint32Array {
    const at = (this.#layout.scratchAt + CHOSEN) >>> 2;
    return this.#u32.slice(at, at + count);
  }

  score(count: number, out: Float32Array): void {
    this.#score(count);
    const at = (this.#layout.scratchAt + SCORES) >>> 2;
    for (let i = 0; i < count; i++) out[i] = this.#f32[at + i]!;
  }

  best(count: number, limit: number, minScore: number, hits: VectorHits): void {
    this.#score(count);
    const { scratchAt, blocksAt } = this.#layout;
    const found = this.#exports.bestScores(
      blocksAt,
      scratchAt + CHOSEN,
      count,
      scratchAt + SCORES,
      minScore,
      Math.max(0, limit),
      scratchAt + KEYS,
      scratchAt + DISTANCES,
    );
    const ordinals = (scratchAt + DISTANCES) >>> 2;
    const scores = (scratchAt + SCORES) >>> 2;
    for (let i = 0; i < found; i++) {
      hits.ordinals[i] = this.#u32[ordinals + i]!;
      hits.scores[i] = this.#f32[scores + i]!;
    }
    hits.count = found;
  }

  #score(count: number): void {
    const { scratchAt, blocksAt } = this.#layout;
    this.#exports.scoreRows(
      scratchAt + QUERY_VALUES,
      this.#queryScale,
      blocksAt,
      scratchAt + CHOSEN,
      count,
      scratchAt + SCORES,
    );
  }

  /** Writes which slots of [from, to), all of one block, the filter allows; false when none is. */
  #maskSlots(from: number, to: number, first: number, filter: Uint32Array): boolean {
    const bits = (this.#layout.scratchAt + FILTER_BITS) >>> 2;
    const ordinals = (ordinalAt(this.#layout.blocksAt, from) >>> 2) - from;
    const u32 = this.#u32;
    let any = 0;
    for (let base = from; base < to; base += 32) {
      let word = 0;
      for (let slot = Math.max(base, first), end = Math.min(base + 32, to); slot < end; slot++) {
        const ordinal = u32[ordinals + slot]!;
        const at = ordinal >>> 5;
        if (at < filter.length) word |= ((filter[at]! >>> (ordinal & 31)) & 1) << (slot & 31);
      }
      u32[bits + ((base - from) >>> 5)] = word;
      any |= word;
    }
    // The scan reads whole words of 64.
    if (((to - from) & 63) !== 0) u32[bits + ((to - from + 31) >>> 5)] = 0;
    return any !== 0;
  }

  /** Views on the memory as it is: growing it detaches those of before. */
  #refresh(): void {
    const { buffer } = this.#memory;
    if (this.#u8.buffer === buffer && this.#u8.length === buffer.byteLength) return;
    this.#u8 = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#f32 = new Float32Array(buffer);
  }
}

function bytesOf(codes: Int8Array): Uint8Array {
  return new Uint8Array(codes.buffer, codes.byteOffset, codes.length);
}
