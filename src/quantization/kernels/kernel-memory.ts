/** The memory of the WebAssembly kernels: places for one call, and views that follow its growth. */

import { AppError } from "../../errors.ts";

const PAGE_BYTES = 65_536;
/** Where the modules' own data end. */
const BASE = 1024;

export class KernelMemory {
  readonly memory = new WebAssembly.Memory({ initial: 16 });
  u8 = new Uint8Array(this.memory.buffer);
  u32 = new Uint32Array(this.memory.buffer);
  f32 = new Float32Array(this.memory.buffer);

  /** Addresses of so many bytes each; what was there before is gone. `too_large` when there is no room. */
  place(sizes: readonly number[]): number[] {
    const places: number[] = [];
    let end = BASE;
    for (const size of sizes) {
      places.push(end);
      end += align(size);
    }
    const missing = end - this.memory.buffer.byteLength;
    if (missing <= 0) return places;
    try {
      this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      throw new AppError("too_large", "There is no memory for a matrix of this size.", {
        hint: "Close other programs or tabs.",
        cause,
      });
    }
    this.u8 = new Uint8Array(this.memory.buffer);
    this.u32 = new Uint32Array(this.memory.buffer);
    this.f32 = new Float32Array(this.memory.buffer);
    return places;
  }
}

/** Places begin where a vector may. */
export function align(size: number): number {
  return Math.ceil(size / 16) * 16;
}
