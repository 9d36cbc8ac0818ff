/**
 * Hosts `model.as.ts`: one WebAssembly memory with its tables, the slots and matches, the text that
 * was read, and the logs that `rewind` replays.
 */

import bytes from "./model.as.ts?asc";
import { modelTables } from "./tables.ts";
import { MATCH_BITS, MAX_PIECE_BYTES, type TextModel } from "./text-model.ts";

const PAGE_BYTES = 65_536;
/** Eight slots for each half of a byte, 20 bytes each. */
const SLOT_LOG_BYTES = MAX_PIECE_BYTES * 16 * 20;
/** One word for each bit and for each of two matches, 8 bytes each. */
const WORD_LOG_BYTES = MAX_PIECE_BYTES * 10 * 8;
/** A piece that can't be predicted grows by a few bytes per thousand. */
const OUTPUT_BYTES = MAX_PIECE_BYTES * 2 + 64;

interface Exports {
  nextAt: WebAssembly.Global;
  stretchAt: WebAssembly.Global;
  squashAt: WebAssembly.Global;
  ratesAt: WebAssembly.Global;
  firstAt: WebAssembly.Global;
  tablesEnd: WebAssembly.Global;
  reset(
    slotBits: number,
    slotsAt: number,
    matchBits: number,
    matchesAt: number,
    historyAt: number,
    slotLogStart: number,
    wordLogStart: number,
  ): void;
  mark(): void;
  rewind(): void;
  getPosition(): number;
  encode(count: number, out: number): number;
  decode(count: number, start: number, end: number): void;
}

let compiling: Promise<WebAssembly.Module | null> | undefined;

function compile(): Promise<WebAssembly.Module | null> {
  compiling ??= WasmTextModel.isSupported() ? WebAssembly.compile(bytes) : Promise.resolve(null);
  return compiling;
}

export class WasmTextModel implements TextModel {
  readonly name = "wasm-simd";
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Exports;
  readonly #historyAt: number;
  readonly #historyBytes: number;
  readonly #ioAt: number;

  private constructor(
    memory: WebAssembly.Memory,
    exports: Exports,
    slotBits: number,
    capacityBytes: number,
  ) {
    this.#memory = memory;
    this.#exports = exports;
    this.#historyBytes = capacityBytes + MAX_PIECE_BYTES;
    let end = exports.tablesEnd.value as number;
    const take = (size: number) => {
      const at = end;
      end = Math.ceil((at + size) / 64) * 64;
      return at;
    };
    const slotsAt = take(16 * 2 ** slotBits);
    const matchesAt = take(2 * 4 * 2 ** MATCH_BITS);
    const slotLogAt = take(SLOT_LOG_BYTES);
    const wordLogAt = take(WORD_LOG_BYTES);
    this.#ioAt = take(OUTPUT_BYTES);
    this.#historyAt = take(this.#historyBytes);
    memory.grow(Math.max(0, Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES)));
    const tables = modelTables();
    const address = (global: WebAssembly.Global) => global.value as number;
    const buffer = memory.buffer;
    new Uint8Array(buffer).set(tables.next, address(exports.nextAt));
    new Int16Array(buffer, address(exports.stretchAt), 4096).set(tables.stretch);
    new Uint16Array(buffer, address(exports.squashAt), 4096).set(tables.squash);
    new Uint32Array(buffer, address(exports.ratesAt), 1024).set(tables.rates);
    new Uint16Array(buffer, address(exports.firstAt), 256).set(tables.first);
    exports.reset(
      slotBits, slotsAt, MATCH_BITS, matchesAt, this.#historyAt, slotLogAt, wordLogAt,
    ); // prettier-ignore
  }

  static isSupported(): boolean {
    return typeof WebAssembly !== "undefined" && WebAssembly.validate(bytes);
  }

  /**
   * A fresh model. Null where WebAssembly SIMD is absent.
   * @param capacityBytes what it may read before it is marked
   */
  static async create(slotBits: number, capacityBytes: number): Promise<WasmTextModel | null> {
    const module = await compile();
    if (module === null) return null;
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    const abort = (): never => {
      throw new Error("The text model stopped.");
    };
    const instance = await WebAssembly.instantiate(module, { env: { memory, abort } });
    const exports = instance.exports as unknown as Exports;
    return new WasmTextModel(memory, exports, slotBits, capacityBytes);
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  encode(text: Uint8Array): Uint8Array {
    const at = this.#room(text.length);
    new Uint8Array(this.#memory.buffer).set(text, at);
    const end = this.#exports.encode(text.length, this.#ioAt);
    return new Uint8Array(this.#memory.buffer, this.#ioAt, end - this.#ioAt).slice();
  }

  decode(packed: Uint8Array, sizeBytes: number): Uint8Array {
    const at = this.#room(sizeBytes);
    if (packed.length > OUTPUT_BYTES) throw new RangeError("The code is too long.");
    new Uint8Array(this.#memory.buffer).set(packed, this.#ioAt);
    this.#exports.decode(sizeBytes, this.#ioAt, this.#ioAt + packed.length);
    return new Uint8Array(this.#memory.buffer, at, sizeBytes).slice();
  }

  mark(): void {
    this.#exports.mark();
  }

  rewind(): void {
    this.#exports.rewind();
  }

  /** Where the next `size` bytes of text lie. */
  #room(size: number): number {
    const position = this.#exports.getPosition();
    if (size > MAX_PIECE_BYTES || position + size > this.#historyBytes)
      throw new RangeError(`${size} bytes are too many for this model.`);
    return this.#historyAt + position;
  }
}
