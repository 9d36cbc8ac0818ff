import { describe, expect, it } from "vitest";
import { dotProduct, normalizeVector, quantizeVector } from "../../../src/model/vector.ts";
import { ReferenceKernel } from "../../../src/search/kernels/reference.ts";
import { OrdinalSet } from "../../../src/search/ordinal-set.ts";
import { VectorSearch } from "../../../src/search/vector-index.ts";
import { attachScanner } from "../../../src/search/vector-scanner.ts";

let state = 12345;
function uniform(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 0.5) / 2 ** 32;
}
function gaussian(): number {
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
function unit(center?: Float32Array, noise = 1): Float32Array {
  return normalizeVector(
    Float32Array.from(
      { length: 384 },
      (_, i) => (center ? center[i]! * Math.sqrt(384) : 0) + noise * gaussian(),
    ),
  );
}
const centers = Array.from({ length: 100 }, () => unit());
const clustered = (noise: number): Float32Array =>
  unit(centers[Math.floor(uniform() * centers.length)], noise);

function exact(vectors: Float32Array[], query: Float32Array, k: number): number[] {
  return vectors
    .map((vector, i) => ({ i, score: dotProduct(vector, query) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, k)
    .map(({ i }) => i);
}

async function indexOf(vectors: Float32Array[]): Promise<VectorSearch> {
  const index = await VectorSearch.create();
  vectors.forEach((vector, i) => index.set(i, quantizeVector(vector)));
  return index;
}

describe("VectorSearch", () => {
  it.each([0.7, 1.5])(
    "finds nearly all of the exact ten nearest at 5,000 vectors, cluster noise %d",
    async (noise) => {
      const vectors = Array.from({ length: 5000 }, () => clustered(noise));
      const index = await indexOf(vectors);
      let found = 0;
      for (let q = 0; q < 50; q++) {
        const query = clustered(noise);
        const wanted = new Set(exact(vectors, query, 10));
        found += index.search(query, { limit: 10 }).filter((hit) => wanted.has(hit.ordinal)).length;
      }
      expect(found / 500).toBeGreaterThan(0.95);
    },
  );

  it("gives cosines within half a percent of the float ones, best first", async () => {
    const vectors = Array.from({ length: 500 }, () => clustered(0.7));
    const index = await indexOf(vectors);
    const query = clustered(0.7);
    const hits = index.search(query, { limit: 500 });
    expect(hits).toHaveLength(500);
    hits.forEach((hit, i) => {
      expect(Math.abs(hit.score - dotProduct(vectors[hit.ordinal]!, query))).toBeLessThan(0.005);
      if (i > 0) expect(hit.score).toBeLessThanOrEqual(hits[i - 1]!.score);
    });
  });

  it("gives the same hits with the reference kernel", async () => {
    const vectors = Array.from({ length: 1500 }, () => clustered(1));
    const fast = await indexOf(vectors);
    const plain = new VectorSearch(new ReferenceKernel());
    vectors.forEach((vector, i) => plain.set(i, quantizeVector(vector)));
    expect(fast.kernelName).toBe("wasm-simd");
    for (let q = 0; q < 10; q++) {
      const query = clustered(1);
      expect(fast.search(query, { limit: 20 })).toEqual(plain.search(query, { limit: 20 }));
    }
  });

  it("equals a fresh index after adds, replacements and removals", async () => {
    const vectors = Array.from({ length: 2000 }, () => clustered(1));
    const index = await indexOf(vectors);
    for (let i = 0; i < 2000; i += 3) index.remove(i);
    for (let i = 1; i < 2000; i += 3) index.set(i, quantizeVector((vectors[i] = clustered(1))));
    for (let i = 2000; i < 2300; i++) index.set(i, quantizeVector((vectors[i] = clustered(1))));
    const fresh = await VectorSearch.create();
    vectors.forEach((vector, i) => {
      if (i >= 2000 || i % 3 !== 0) fresh.set(i, quantizeVector(vector));
    });
    expect(index.size).toBe(fresh.size);
    for (let q = 0; q < 10; q++) {
      const query = clustered(1);
      // Rescoring every row: which rows tie in the sign scan depends on the order of slots.
      const options = { limit: 20, rescoreCount: 2048, candidateCount: 4096 };
      expect(index.search(query, options)).toEqual(fresh.search(query, options));
    }
  });

  it("fills up to the limit from what a filter allows, however rare", async () => {
    const vectors = Array.from({ length: 3000 }, () => clustered(1));
    const index = await indexOf(vectors);
    for (const step of [2, 100]) {
      const allowed = Array.from({ length: Math.ceil(3000 / step) }, (_, i) => i * step);
      const allow = OrdinalSet.of(3000, allowed);
      const hits = index.search(vectors[1]!, { limit: 25, allow });
      expect(hits).toHaveLength(25);
      expect(hits.every((hit) => hit.ordinal % step === 0)).toBe(true);
    }
  });

  it("leaves out hits below a threshold and answers a zero query with nothing", async () => {
    const index = await indexOf([unit(), unit()]);
    expect(index.search(unit(), { limit: 2, minScore: 0.9 })).toEqual([]);
    expect(index.search(new Float32Array(384), { limit: 2 })).toEqual([]);
    expect((await VectorSearch.create()).search(unit(), { limit: 2 })).toEqual([]);
  });

  it("takes columns of vectors as it takes vectors one by one, known ordinals and repeated ones too", async () => {
    const vectors = Array.from({ length: 3000 }, () =>
      quantizeVector(clustered(1), { fine: true }),
    );
    const ordinals = Int32Array.from(vectors, (_, i) => (i % 500 === 7 ? 12 : 2 * i));
    const codes = new Int8Array(3000 * 384);
    const fine = new Uint8Array(3000 * 48);
    vectors.forEach((vector, i) => {
      codes.set(vector.codes, i * 384);
      fine.set(vector.fine!, i * 48);
    });
    const scales = Float32Array.from(vectors, ({ scale }) => scale);
    const together = await VectorSearch.create();
    const single = await VectorSearch.create();
    for (const index of [together, single]) index.set(100, vectors[0]!);
    together.setMany({ ordinals, codes, scales, fine });
    vectors.forEach((vector, i) => single.set(ordinals[i]!, vector));
    expect(together.size).toBe(single.size);
    for (const ordinal of [0, 12, 14, 100, 5998])
      expect(together.get(ordinal)).toEqual(single.get(ordinal));
    const query = clustered(1);
    expect(together.search(query, { limit: 50 })).toEqual(single.search(query, { limit: 50 }));
    expect(() => together.setMany({ ordinals, codes, scales: scales.subarray(1) })).toThrow(
      /2999 scales/,
    );
  });

  it("scores given memories in their order, and says which have no vector", async () => {
    const vectors = Array.from({ length: 50 }, () => clustered(1));
    const index = await indexOf(vectors);
    const query = clustered(1);
    const byOrdinal = new Map(
      index.search(query, { limit: 50 }).map(({ ordinal, score }) => [ordinal, score]),
    );
    const asked = [70, 3, 3, 99, 49, 0, 51];
    expect(index.scores(query, asked)).toEqual(asked.map((ordinal) => byOrdinal.get(ordinal)));
    expect(index.scores(new Float32Array(384), asked)).toEqual(asked.map(() => undefined));
  });

  it("shares its scan in parts: the same hits as from a whole one", async () => {
    const vectors = Array.from({ length: 4000 }, () => clustered(1));
    const index = await VectorSearch.create({ scanners: 3 });
    vectors.forEach((vector, i) => index.set(i, quantizeVector(vector, { fine: true })));
    const others = [1, 2].map((place) => attachScanner(index.share()!, place));
    for (let q = 0; q < 10; q++) {
      const query = clustered(1);
      const plan = index.plan({ limit: 30, minScore: 0.1 });
      const parts = [
        others[0]!.nearestBySigns(query, 0, 1500, plan),
        others[1]!.nearestBySigns(query, 1500, 4000, plan),
      ];
      const { ordinals, scores, count } = index.finish(query, parts, plan);
      const hits = Array.from({ length: count }, (_, i) => ({
        ordinal: ordinals[i]!,
        score: scores[i]!,
      }));
      expect(hits).toEqual(index.search(query, { limit: 30, minScore: 0.1 }));
    }
  });

  it("gives memory back after mass removals and goes on as before", async () => {
    const vectors = Array.from({ length: 16_000 }, () => quantizeVector(clustered(1)));
    const index = await VectorSearch.create();
    vectors.forEach((vector, i) => index.set(i, vector));
    const before = index.memoryBytes;
    for (let i = 0; i < 16_000; i++) if (i % 16 !== 5) index.remove(i);
    expect(index.size).toBe(1000);
    expect(index.memoryBytes).toBeLessThan(before / 2);
    const fresh = await VectorSearch.create();
    for (let i = 5; i < 16_000; i += 16) fresh.set(i, vectors[i]!);
    const query = clustered(1);
    expect(index.search(query, { limit: 100 })).toEqual(fresh.search(query, { limit: 100 }));
  });

  it("refuses vectors of other dimensions", async () => {
    const index = await VectorSearch.create();
    expect(() => index.set(0, { codes: new Int8Array(3), scale: 1 })).toThrow(/3 dimensions/);
  });

  it("holds at most 450 bytes per vector beyond its scratch", async () => {
    const index = await indexOf(Array.from({ length: 8192 }, () => clustered(1)));
    const empty = (await VectorSearch.create()).memoryBytes;
    expect((index.memoryBytes - empty) / 8192).toBeLessThan(450);
  });
});
