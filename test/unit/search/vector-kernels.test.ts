import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantizeVector, type QuantizedVector } from "../../../src/model/vector.ts";
import {
  DIMENSIONS,
  decodeRow,
  emptyQuery,
  encodeRow,
  prepareQuery,
  type Candidates,
  type PreparedQuery,
  type VectorHits,
  type VectorKernel,
} from "../../../src/search/kernels/kernel.ts";
import { ReferenceKernel } from "../../../src/search/kernels/reference.ts";
import { WasmKernel } from "../../../src/search/kernels/wasm-kernel.ts";

async function wasm(options: { scanners?: number } = {}): Promise<WasmKernel> {
  const kernel = await WasmKernel.create(options);
  if (kernel === null) throw new Error("This Node has no WebAssembly SIMD");
  return kernel;
}

async function both(): Promise<[ReferenceKernel, WasmKernel]> {
  return [new ReferenceKernel(), await wasm()];
}

/** A small deterministic generator (mulberry32): the same rows in every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function floats(next: () => number): Float32Array {
  return Float32Array.from({ length: DIMENSIONS }, () => next() * 2 - 1);
}

function prepared(query: Float32Array): PreparedQuery {
  const result = prepareQuery(query, emptyQuery());
  if (result === null) throw new Error("A query of zeros");
  return result;
}

/** Candidates in an order of their own; counts are exact up to the farthest. */
function sorted({ keys, distances, counts }: Candidates): unknown {
  const order = Array.from(keys.keys()).sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1));
  const farthest = distances.reduce((max, distance) => Math.max(max, distance), 0);
  return [order.map((i) => [keys[i], distances[i]]), counts.slice(0, farthest + 1)];
}

function hitsOf(kernel: VectorKernel, count: number, limit: number, minScore: number): unknown {
  const hits: VectorHits = {
    ordinals: new Int32Array(limit),
    scores: new Float32Array(limit),
    count: 0,
  };
  kernel.best(count, limit, minScore, hits);
  return Array.from({ length: hits.count }, (_, i) => [hits.ordinals[i], hits.scores[i]]);
}

/** Every third row with INT8 codes alone; ordinals fall as slots rise, so that ties show. */
function fill(kernels: VectorKernel[], count: number, seed: number, distinct = Infinity): void {
  const next = random(seed);
  const pool = Array.from({ length: Math.min(count, distinct) }, (_, i) =>
    quantizeVector(floats(next), { fine: i % 3 !== 0 }),
  );
  for (const kernel of kernels) kernel.reserve(count, 3 * count + 1);
  for (let slot = 0; slot < count; slot++)
    for (const kernel of kernels) kernel.write(slot, 3 * (count - slot), pool[slot % pool.length]!);
}

const codes = fc.int8Array({ minLength: DIMENSIONS, maxLength: DIMENSIONS, min: -127, max: 127 });
const fineBits = fc.uint8Array({ minLength: DIMENSIONS / 8, maxLength: DIMENSIONS / 8 });
const scale = fc.float({ min: Math.fround(1e-6), max: 1, noNaN: true });
const vectors = fc.oneof(
  fc.record({ codes, scale, fine: fineBits }),
  fc.record({ codes, scale }),
) as fc.Arbitrary<QuantizedVector>;

describe("the stored form of a vector", () => {
  it("gives back every code, scale and fine bit", async () => {
    const kernel = await wasm();
    kernel.reserve(1, 8);
    fc.assert(
      fc.property(vectors, (vector) => {
        expect(decodeRow(encodeRow(vector))).toEqual(vector);
        kernel.write(0, 7, vector);
        const { ordinal, vector: read, ...row } = kernel.read(0);
        expect(row).toEqual(encodeRow(vector));
        expect(ordinal).toBe(7);
        expect(read).toEqual(vector);
      }),
    );
  });

  it("is the same for rows written together, across blocks", async () => {
    const kernels = await both();
    const next = random(1);
    const list = Array.from({ length: 2100 }, () => quantizeVector(floats(next), { fine: true }));
    const block = {
      ordinals: Int32Array.from(list.keys()),
      codes: Int8Array.from(list.flatMap((vector) => [...vector.codes])),
      scales: Float32Array.from(list, (vector) => vector.scale),
      fine: Uint8Array.from(list.flatMap((vector) => [...vector.fine!])),
    };
    for (const kernel of kernels) {
      kernel.reserve(3000, 3000);
      kernel.writeMany(900, block, 100, 2100);
    }
    for (const slot of [900, 1023, 1024, 2047, 2048, 2899])
      for (const kernel of kernels) {
        const { ordinal, vector } = kernel.read(slot);
        expect(ordinal).toBe(slot - 800);
        expect(vector).toEqual(list[slot - 800]);
      }
  });
});

describe("the SIMD kernel against the reference", () => {
  it("gives the same scores, at the extremes too", async () => {
    const kernels = await both();
    fill(kernels, 300, 2);
    const extreme = (code: number, fine?: number): QuantizedVector => ({
      codes: new Int8Array(DIMENSIONS).fill(code),
      scale: 0.5,
      ...(fine !== undefined && { fine: new Uint8Array(DIMENSIONS / 8).fill(fine) }),
    });
    for (const kernel of kernels) {
      kernel.reserve(304, 1000);
      kernel.write(300, 1, extreme(127, 255));
      kernel.write(301, 2, extreme(-127, 0));
      kernel.write(302, 4, extreme(0));
      kernel.write(303, 5, extreme(127));
    }
    const slots = Array.from({ length: 304 }, (_, i) => i);
    const scoresOf = (kernel: VectorKernel, query: PreparedQuery): Float32Array => {
      const scores = new Float32Array(slots.length);
      kernel.load(query);
      kernel.takeSlots(slots, slots.length);
      kernel.score(slots.length, scores);
      return scores;
    };
    const values = fc.float32Array({
      minLength: DIMENSIONS,
      maxLength: DIMENSIONS,
      min: -4,
      max: 4,
      noNaN: true,
    });
    fc.assert(
      fc.property(values, (query) => {
        const made = prepareQuery(query, emptyQuery());
        if (made === null) return;
        expect(scoresOf(kernels[1], made)).toEqual(scoresOf(kernels[0], made));
      }),
      { numRuns: 40 },
    );
    for (const value of [3, -3]) {
      const query = prepared(new Float32Array(DIMENSIONS).fill(value));
      const scores = scoresOf(kernels[1], query);
      expect(scores).toEqual(scoresOf(kernels[0], query));
      expect(scores[300]).toBeCloseTo(DIMENSIONS * value * 127.25 * 0.5, 1);
      expect(scores[303]).toBeCloseTo(DIMENSIONS * value * 127 * 0.5, 1);
    }
  });

  it("gives the same candidates at every stage, with ties, filters and any count wanted", async () => {
    for (const [count, distinct] of [
      [1, 1],
      [64, 64],
      [1025, 3],
      [4097, 9],
      [6000, Infinity],
    ] as const) {
      const kernels = await both();
      fill(kernels, count, 3, distinct);
      fc.assert(
        fc.property(
          fc.integer(),
          fc.integer({ min: 1, max: 1200 }),
          fc.integer({ min: 1, max: 300 }),
          fc.integer({ min: 1, max: 60 }),
          fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
          fc.tuple(fc.nat(count), fc.nat(count)),
          (seed, wanted, refined, limit, density, range) => {
            const query = prepared(floats(random(seed)));
            const coin = random(seed + 1);
            const filter =
              density === null
                ? null
                : Uint32Array.from({ length: (3 * count) >>> 5 }, () => {
                    let word = 0;
                    for (let bit = 0; bit < 32; bit++) word |= Number(coin() < density) << bit;
                    return word;
                  });
            const [first, end] = density === null ? [0, count] : [...range].sort((a, b) => a - b);
            const [expected, actual] = kernels.map((kernel) => {
              kernel.load(query);
              const found = kernel.nearestBySigns(first!, end!, wanted, refined, filter);
              const pairs = sorted(kernel.candidates(found));
              const chosen = kernel.refine(found, refined);
              const slots = kernel.slots(chosen).sort();
              return {
                found,
                pairs,
                chosen,
                slots,
                hits: hitsOf(kernel, chosen, limit, -0.02),
              };
            });
            expect(actual).toEqual(expected);
          },
        ),
        { numRuns: 12 },
      );
    }
  });

  it("keeps what can be chosen when more rows are equally far than the buffer holds", async () => {
    const kernels = await both();
    // Distances take few values; within one, ordinals decide.
    fill(kernels, 40_000, 3, 3);
    const [expected, actual] = kernels.map((kernel) => {
      kernel.load(prepared(floats(random(11))));
      const found = kernel.nearestBySigns(0, 40_000, 1000, 300, null);
      return hitsOf(kernel, kernel.refine(found, 300), 60, -1);
    });
    expect(actual).toEqual(expected);
  });

  it("scans again where a sample of the rows misleads", async () => {
    const kernels = await both();
    const next = random(12);
    const near = floats(next);
    const [far, close] = [near.map((value) => -value), near].map((vector) =>
      quantizeVector(vector, { fine: true }),
    );
    for (const kernel of kernels) kernel.reserve(40_000, 40_000);
    // Every 31st row, those of the sample, is near; only it is.
    for (let slot = 0; slot < 40_000; slot++)
      for (const kernel of kernels) kernel.write(slot, slot, slot % 31 === 0 ? close! : far!);
    const [expected, actual] = kernels.map((kernel) => {
      kernel.load(prepared(near));
      const found = kernel.nearestBySigns(0, 40_000, 2000, 1400, null);
      return hitsOf(kernel, kernel.refine(found, 1400), 1400, -1);
    });
    expect(actual).toEqual(expected);
  });

  it("is the same for a scanner of another place in a shared memory, as rows are added", async () => {
    const owner = await wasm({ scanners: 3 });
    const shared = owner.share();
    if (shared === null) throw new Error("This Node shares no memory");
    fill([owner], 3000, 6);
    const other = WasmKernel.attach(shared, 2);
    for (const count of [3000, 9000]) {
      fill([owner], count, 6);
      const query = prepared(floats(random(7)));
      const [mine, theirs] = [owner, other].map((kernel) => {
        kernel.load(query);
        const found = kernel.nearestBySigns(0, count, 500, 100, null);
        return hitsOf(kernel, kernel.refine(found, 100), 20, -1);
      });
      expect(theirs).toEqual(mine);
    }
    expect(owner.share()).toBe(shared);
    expect(() => WasmKernel.attach(shared, 3)).toThrow(RangeError);
  });

  it("moves rows, leaves nothing of a cleared one, and gives memory back", async () => {
    for (const kernel of await both()) {
      fill([kernel], 20_000, 8);
      const [first, last] = [kernel.read(5), kernel.read(19_999)];
      kernel.move(19_999, 6);
      expect(kernel.read(6)).toEqual(last);
      kernel.clear(19_999);
      expect(kernel.read(19_999)).toMatchObject({ ordinal: 0, scale: 0 });
      expect(kernel.read(19_999).signs.every((byte) => byte === 0)).toBe(true);
      expect(kernel.read(19_999).magnitudes.every((byte) => byte === 0)).toBe(true);
      const before = kernel.memoryBytes;
      expect(kernel.shrink(19_000)).toBe(false);
      expect(kernel.shrink(100)).toBe(true);
      expect(kernel.memoryBytes).toBeLessThan(before / 2);
      expect(kernel.read(5)).toEqual(first);
      kernel.reserve(5000, 5000);
      kernel.write(4999, 1, first.vector);
      expect(kernel.read(4999).vector).toEqual(first.vector);
    }
  });

  it("refuses more rows than there is memory for", async () => {
    const kernel = await wasm();
    expect(() => kernel.reserve(2 ** 23 + 1, 1)).toThrow(/no memory left/);
    expect(() => kernel.reserve(1, 2 ** 29 + 1)).toThrow(/no memory left/);
    fill([kernel], 10, 9);
    expect(kernel.read(9).ordinal).toBe(3);
  });
});
