import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { DIMENSIONS, signBits, type VectorKernel } from "../../../src/search/kernels/kernel.ts";
import { ReferenceKernel } from "../../../src/search/kernels/reference.ts";
import { WasmKernel } from "../../../src/search/kernels/wasm-kernel.ts";

let wasm: () => Promise<WasmKernel>;
beforeAll(() => {
  wasm = async () => {
    const kernel = await WasmKernel.create();
    if (kernel === null) throw new Error("This Node has no WebAssembly SIMD");
    return kernel;
  };
});

/** A small deterministic generator (mulberry32): the same rows in every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function codes(next: () => number, range = 127): Int8Array {
  return Int8Array.from({ length: DIMENSIONS }, () => Math.round((next() * 2 - 1) * range));
}

function fill(kernels: VectorKernel[], count: number, seed: number, distinct = Infinity): void {
  const next = random(seed);
  const pool = Array.from({ length: Math.min(count, distinct) }, () => codes(next));
  for (let slot = 0; slot < count; slot++)
    for (const kernel of kernels) kernel.write(slot, pool[slot % pool.length]!);
}

describe("the SIMD kernel against the reference", () => {
  it("stores the same signs and codes", async () => {
    const kernels = [new ReferenceKernel(), await wasm()] as const;
    fill([...kernels], 5000, 1);
    for (const slot of [0, 1, 4095, 4096, 4999])
      expect(kernels[1].read(slot)).toEqual(kernels[0].read(slot));
  });

  it("gives the same dot products, at the extremes too", async () => {
    const kernels = [new ReferenceKernel(), await wasm()] as const;
    const extreme = (value: number): Int8Array => new Int8Array(DIMENSIONS).fill(value);
    fill([...kernels], 300, 2);
    for (const kernel of kernels) {
      kernel.write(300, extreme(127));
      kernel.write(301, extreme(-127));
      kernel.write(302, extreme(0));
    }
    const slots = Uint32Array.from({ length: 303 }, (_, i) => i);
    fc.assert(
      fc.property(
        fc.int16Array({ minLength: DIMENSIONS, maxLength: DIMENSIONS, min: -32767, max: 32767 }),
        (query) => {
          expect(kernels[1].dot(query, slots)).toEqual(kernels[0].dot(query, slots));
        },
      ),
      { numRuns: 40 },
    );
    for (const value of [32767, -32767]) {
      const query = new Int16Array(DIMENSIONS).fill(value);
      expect(kernels[1].dot(query, slots)).toEqual(kernels[0].dot(query, slots));
      expect(kernels[1].dot(query, slots)[300]).toBe(384 * 127 * value);
    }
  });

  it("gives the same nearest slots with ties, removals, filters and any count wanted", async () => {
    for (const [count, distinct] of [
      [0, 1],
      [1, 1],
      [64, 64],
      [4097, 9],
      [6000, Infinity],
    ] as const) {
      const kernels = [new ReferenceKernel(), await wasm()] as const;
      fill([...kernels], count, 3, distinct);
      const next = random(4);
      for (let slot = 0; slot < count; slot++)
        if (next() < 0.2) for (const kernel of kernels) kernel.clear(slot);
      fc.assert(
        fc.property(
          fc.integer(),
          fc.integer({ min: 1, max: 1200 }),
          fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
          (seed, wanted, density) => {
            const query = signBits(codes(random(seed)));
            const coin = random(seed + 1);
            const filter =
              density === null
                ? null
                : Uint8Array.from({ length: (count + 7) >>> 3 }, () => {
                    let byte = 0;
                    for (let bit = 0; bit < 8; bit++) byte |= Number(coin() < density) << bit;
                    return byte;
                  });
            expect(kernels[1].nearestBySigns(query, wanted, filter)).toEqual(
              kernels[0].nearestBySigns(query, wanted, filter),
            );
          },
        ),
        { numRuns: 15 },
      );
    }
  });

  it("reuses a cleared slot and grows past its first block", async () => {
    const kernel = await wasm();
    const next = random(5);
    const [a, b] = [codes(next), codes(next)];
    kernel.write(9000, a);
    kernel.clear(9000);
    expect(kernel.nearestBySigns(signBits(a), 10, null)).toHaveLength(0);
    kernel.write(9000, b);
    expect([...kernel.nearestBySigns(signBits(b), 10, null)]).toEqual([9000]);
  });
});
