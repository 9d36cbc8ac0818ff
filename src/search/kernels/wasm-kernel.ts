/**
 * Hosts `scan.as.ts`: two WebAssembly memories that only ever grow, one with the sign bits (scanned
 * whole) and one with the INT8 rows (read for the few that are rescored).
 *
 * Sign memory: scratch, then blocks of 4,096 slots: their codes, a live bitmap, a filter bitmap.
 */

import bytes from "./scan.as.ts?asc";
import { DIMENSIONS, SIGN_BYTES, signBits, type VectorKernel } from "./kernel.ts";

const PAGE_BYTES = 65_536;
const BLOCK_SLOTS = 4096;
const BITMAP_BYTES = BLOCK_SLOTS / 8;
const BLOCK_BYTES = BLOCK_SLOTS * SIGN_BYTES + 2 * BITMAP_BYTES;

/** Most slots one scan gives; the buffer holds four times as many. */
export const MAX_WANTED = 8192;
const QUERY_AT = 1024;
const STATE_AT = 2048;
const BUFFER_AT = 4096;
const BLOCKS_AT = BUFFER_AT + 4 * MAX_WANTED * 8;

/** Rows of one `dotRows` call. */
const DOT_BATCH = 8192;
const SLOTS_AT = 4096;
const PRODUCTS_AT = SLOTS_AT + DOT_BATCH * 4;
const ROWS_AT = PRODUCTS_AT + DOT_BATCH * 4;

interface Exports {
  hammingBlock(
    query: number,
    codes: number,
    live: number,
    filter: number,
    firstSlot: number,
    slotCount: number,
    wanted: number,
    state: number,
    buffer: number,
    capacity: number,
    count: number,
  ): number;
  dotRows(
    query: number,
    rows: number,
    stride: number,
    slots: number,
    count: number,
    dimensions: number,
    out: number,
  ): void;
}

interface Instance {
  memory: WebAssembly.Memory;
  exports: Exports;
}

async function instantiate(module: WebAssembly.Module, firstBytes: number): Promise<Instance> {
  const memory = new WebAssembly.Memory({
    initial: Math.ceil(firstBytes / PAGE_BYTES),
    maximum: 65_536,
  });
  const abort = (): never => {
    throw new Error("The vector kernel stopped.");
  };
  const instance = await WebAssembly.instantiate(module, { env: { memory, abort } });
  return { memory, exports: instance.exports as unknown as Exports };
}

function reserve(memory: WebAssembly.Memory, neededBytes: number): void {
  const missing = neededBytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}

export class WasmKernel implements VectorKernel {
  readonly name = "wasm-simd";
  readonly #signs: Instance;
  readonly #rows: Instance;
  #slotLimit = 0;

  private constructor(signs: Instance, rows: Instance) {
    this.#signs = signs;
    this.#rows = rows;
  }

  /** Null where WebAssembly SIMD is absent. */
  static async create(): Promise<WasmKernel | null> {
    if (typeof WebAssembly === "undefined" || !WebAssembly.validate(bytes)) return null;
    const module = await WebAssembly.compile(bytes);
    return new WasmKernel(await instantiate(module, BLOCKS_AT), await instantiate(module, ROWS_AT));
  }

  get memoryBytes(): number {
    return this.#signs.memory.buffer.byteLength + this.#rows.memory.buffer.byteLength;
  }

  write(slot: number, codes: Int8Array): void {
    const block = Math.floor(slot / BLOCK_SLOTS);
    reserve(this.#signs.memory, BLOCKS_AT + (block + 1) * BLOCK_BYTES);
    reserve(this.#rows.memory, ROWS_AT + (slot + 1) * DIMENSIONS);
    this.#slotLimit = Math.max(this.#slotLimit, slot + 1);
    new Int8Array(this.#rows.memory.buffer).set(codes, ROWS_AT + slot * DIMENSIONS);
    const memory = new Uint8Array(this.#signs.memory.buffer);
    memory.set(signBits(codes), signsAt(slot));
    memory[liveAt(slot)]! |= 1 << (slot & 7);
  }

  clear(slot: number): void {
    if (slot >= this.#slotLimit) return;
    new Int8Array(this.#rows.memory.buffer, ROWS_AT + slot * DIMENSIONS, DIMENSIONS).fill(0);
    const memory = new Uint8Array(this.#signs.memory.buffer);
    memory.fill(0, signsAt(slot), signsAt(slot) + SIGN_BYTES);
    memory[liveAt(slot)]! &= ~(1 << (slot & 7));
  }

  nearestBySigns(signs: Uint8Array, wanted: number, filter: Uint8Array | null): Uint32Array {
    const limit = Math.min(wanted, MAX_WANTED);
    if (limit <= 0) return new Uint32Array(0);
    const { memory, exports } = this.#signs;
    const all = new Uint8Array(memory.buffer);
    all.set(signs, QUERY_AT);
    const state = new Uint32Array(memory.buffer, STATE_AT, 2 + DIMENSIONS + 1).fill(0);
    state[0] = DIMENSIONS;
    let count = 0;
    for (let first = 0; first < this.#slotLimit; first += BLOCK_SLOTS) {
      const codes = BLOCKS_AT + (first / BLOCK_SLOTS) * BLOCK_BYTES;
      const live = codes + BLOCK_SLOTS * SIGN_BYTES;
      let filterAt = 0;
      if (filter !== null) {
        filterAt = live + BITMAP_BYTES;
        const part = filter.subarray(first >>> 3, (first >>> 3) + BITMAP_BYTES);
        all.fill(0, filterAt, filterAt + BITMAP_BYTES);
        all.set(part, filterAt);
      }
      const slots = Math.min(BLOCK_SLOTS, this.#slotLimit - first);
      count = exports.hammingBlock(
        QUERY_AT, codes, live, filterAt, first, slots, limit, STATE_AT, BUFFER_AT, 4 * limit, count,
      ); // prettier-ignore
    }
    return chooseNearest(new Uint32Array(memory.buffer, BUFFER_AT, count * 2), state[0]!, limit);
  }

  dot(query: Int16Array, slots: Uint32Array): Int32Array {
    const { memory, exports } = this.#rows;
    const products = new Int32Array(slots.length);
    new Int16Array(memory.buffer, QUERY_AT, DIMENSIONS).set(query);
    for (let start = 0; start < slots.length; start += DOT_BATCH) {
      const batch = slots.subarray(start, start + DOT_BATCH);
      new Uint32Array(memory.buffer, SLOTS_AT, batch.length).set(batch);
      exports.dotRows(
        QUERY_AT,
        ROWS_AT,
        DIMENSIONS,
        SLOTS_AT,
        batch.length,
        DIMENSIONS,
        PRODUCTS_AT,
      );
      products.set(new Int32Array(memory.buffer, PRODUCTS_AT, batch.length), start);
    }
    return products;
  }

  read(slot: number): { signs: Uint8Array; codes: Int8Array } {
    return {
      signs: new Uint8Array(
        this.#signs.memory.buffer.slice(signsAt(slot), signsAt(slot) + SIGN_BYTES),
      ),
      codes: new Int8Array(
        this.#rows.memory.buffer.slice(
          ROWS_AT + slot * DIMENSIONS,
          ROWS_AT + (slot + 1) * DIMENSIONS,
        ),
      ),
    };
  }
}

function signsAt(slot: number): number {
  const block = Math.floor(slot / BLOCK_SLOTS);
  return BLOCKS_AT + block * BLOCK_BYTES + (slot % BLOCK_SLOTS) * SIGN_BYTES;
}

function liveAt(slot: number): number {
  const block = Math.floor(slot / BLOCK_SLOTS);
  return BLOCKS_AT + block * BLOCK_BYTES + BLOCK_SLOTS * SIGN_BYTES + ((slot % BLOCK_SLOTS) >>> 3);
}

/** Of (slot, distance) pairs in slot order: all below the threshold, and the first at it, `limit` in all. */
function chooseNearest(pairs: Uint32Array, threshold: number, limit: number): Uint32Array {
  let below = 0;
  for (let i = 1; i < pairs.length; i += 2) if (pairs[i]! < threshold) below++;
  let room = limit - below;
  const slots: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const distance = pairs[i + 1]!;
    if (distance < threshold) slots.push(pairs[i]!);
    else if (distance === threshold && room > 0) {
      slots.push(pairs[i]!);
      room--;
    }
  }
  return Uint32Array.from(slots);
}
