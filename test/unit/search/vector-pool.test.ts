import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { normalizeVector, quantizeVector } from "../../../src/model/vector.ts";
import { NodeVectorThreads } from "../../../src/platform/node/vector-threads.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { ComputeWorker, ComputeWorkers } from "../../../src/ports/compute.ts";
import { OrdinalSet } from "../../../src/search/ordinal-set.ts";
import { VectorSearch, type VectorHits } from "../../../src/search/vector-index.ts";
import { VectorCrew } from "../../../src/search/vector-pool-crew.ts";
import { bestCount, measureWorkers } from "../../../src/search/vector-pool-measure.ts";
import { VectorPool } from "../../../src/search/vector-pool.ts";
import type { VectorPoolOptions } from "../../../src/search/vector-pool-options.ts";

const COUNT = 4000;
const DIMENSIONS = 384;

/** mulberry32: the same vectors in every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const next = random(11);
const topics = Array.from({ length: 40 }, () =>
  Float32Array.from({ length: DIMENSIONS }, () => next() - 0.5),
);
const vector = (): Float32Array => {
  const topic = topics[Math.floor(next() * topics.length)]!;
  return normalizeVector(topic.map((value) => value + 1.2 * (next() - 0.5)));
};
const vectors = Array.from({ length: COUNT }, vector);
const queries = Array.from({ length: 64 }, vector);

async function indexOf(count = COUNT): Promise<VectorSearch> {
  const index = await VectorSearch.create({ scanners: 4 });
  for (let i = 0; i < count; i++) index.set(i, quantizeVector(vectors[i % COUNT]!, { fine: true }));
  return index;
}

/** Every look at this clock is a millisecond later: what asks more at once measures faster. */
function tickingClock(): Clock {
  let now = 0;
  return { now: () => now, elapsed: () => now++ };
}

/** Real threads that can be killed, and counted. */
class WatchedThreads implements ComputeWorkers {
  readonly processors = 2;
  readonly unavailable: string | null = null;
  readonly live: ComputeWorker[] = [];
  started = 0;
  readonly #threads = new NodeVectorThreads();

  start(): ComputeWorker {
    this.started++;
    const worker = this.#threads.start();
    this.live.push(worker);
    return worker;
  }

  kill(): void {
    for (const worker of this.live.splice(0)) worker.terminate();
  }
}

function plain({ ordinals, scores, count }: VectorHits): { ordinal: number; score: number }[] {
  return Array.from({ length: count }, (_, i) => ({ ordinal: ordinals[i]!, score: scores[i]! }));
}

const pools: VectorPool[] = [];
afterEach(() => pools.splice(0).forEach((pool) => pool.close()));

function poolOf(index: VectorSearch, options: VectorPoolOptions = {}): VectorPool {
  const pool = new VectorPool(index, {
    workers: new WatchedThreads(),
    clock: tickingClock(),
    minSize: 1000,
    ...options,
  });
  pools.push(pool);
  return pool;
}

/** A pool whose workers run. */
async function workingPool(
  index: VectorSearch,
  options: VectorPoolOptions = {},
): Promise<VectorPool> {
  const pool = poolOf(index, options);
  await pool.searchBatch(queries.slice(0, 8), { limit: 10 });
  expect(pool.status().workers).toBeGreaterThan(0);
  return pool;
}

describe("a pool of vector workers", () => {
  let index: VectorSearch;
  beforeAll(async () => {
    index = await indexOf();
  });

  it("gives the hits of one thread, bit for bit, whatever is asked at once", async () => {
    const pool = await workingPool(index);
    const even = OrdinalSet.of(
      COUNT,
      Array.from({ length: COUNT / 2 }, (_, i) => 2 * i),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            query: fc.constantFrom(...queries),
            limit: fc.constantFrom(1, 10, 200, 1000),
            allow: fc.constantFrom(undefined, even),
            minScore: fc.constantFrom(-1, 0.2, 0.6),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        async (asked) => {
          const found = await Promise.all(
            asked.map(async ({ query, ...options }) => pool.nearest(query, options)),
          );
          asked.forEach(({ query, ...options }, i) =>
            expect(plain(found[i]!)).toEqual(index.search(query, options)),
          );
        },
      ),
      { numRuns: 15 },
    );
    const batch = await pool.searchBatch(queries, { limit: 25 });
    expect(batch).toEqual(queries.map((query) => index.search(query, { limit: 25 })));
    expect(pool.status().answered.byWorkers).toBeGreaterThanOrEqual(queries.length);
  });

  it("starts no worker for a small index, a few questions, or where none can run", async () => {
    const workers = new WatchedThreads();
    const small = poolOf(index, { workers, minSize: COUNT + 1 });
    for (const query of queries) small.nearest(query, { limit: 10 });
    expect(small.status()).toMatchObject({ workers: 0, reason: expect.stringMatching(/4,001/) });
    const calm = poolOf(index, { workers });
    for (const query of queries.slice(0, 7)) calm.nearest(query, { limit: 10 });
    expect(calm.status().reason).toBe("Workers start when more is asked.");
    const framed = poolOf(index, {
      workers: Object.assign(new WatchedThreads(), { unavailable: "Not isolated." }),
    });
    expect(await framed.searchBatch(queries, { limit: 3 })).toEqual(
      queries.map((query) => index.search(query, { limit: 3 })),
    );
    expect(framed.status()).toMatchObject({ workers: 0, reason: "Not isolated." });
    expect(poolOf(index, { workers: null }).status().reason).toBe("This platform has no workers.");
    expect(workers.started).toBe(0);
  });

  it("keeps to this thread where the memory can't be shared", async () => {
    const alone = await VectorSearch.create();
    vectors.slice(0, 1500).forEach((own, i) => alone.set(i, quantizeVector(own, { fine: true })));
    const pool = poolOf(alone);
    await pool.searchBatch(queries, { limit: 5 });
    expect(pool.status()).toMatchObject({ workers: 0, reason: expect.stringMatching(/shared/) });
  });

  it("answers by itself what dying workers were asked, and has others next time", async () => {
    const workers = new WatchedThreads();
    const pool = await workingPool(index, { workers });
    const asked = queries.map(async (query) => pool.nearest(query, { limit: 10 }));
    await Promise.resolve();
    workers.kill();
    const found = await Promise.all(asked);
    found.forEach((hits, i) =>
      expect(plain(hits)).toEqual(index.search(queries[i]!, { limit: 10 })),
    );
    expect(pool.status().lost).toBeGreaterThan(0);
    const before = workers.started;
    expect(plain(await pool.nearest(queries[0]!, { limit: 10 }))).toEqual(
      index.search(queries[0]!, { limit: 10 }),
    );
    expect(workers.started).toBeGreaterThan(before);
  });

  it("gives up workers that keep dying, and says so", async () => {
    const workers = new WatchedThreads();
    const pool = await workingPool(index, { workers });
    for (let round = 0; round < 12 && pool.status().reason.startsWith("Measured"); round++) {
      const asked = queries.slice(0, 4).map(async (query) => pool.nearest(query, { limit: 10 }));
      await Promise.resolve();
      workers.kill();
      await Promise.all(asked);
    }
    expect(pool.status()).toMatchObject({
      workers: 0,
      reason: expect.stringMatching(/workers ended by themselves/),
    });
    expect(plain(await pool.nearest(queries[1]!, { limit: 4 }))).toEqual(
      index.search(queries[1]!, { limit: 4 }),
    );
  });

  it("answers alone where no worker can be started", async () => {
    const workers: ComputeWorkers = {
      processors: 2,
      unavailable: null,
      start: () => {
        throw new Error("Workers are forbidden here.");
      },
    };
    const pool = poolOf(index, { workers });
    for (let round = 0; round < 6; round++)
      expect(await pool.searchBatch(queries.slice(0, 10), { limit: 3 })).toEqual(
        queries.slice(0, 10).map((query) => index.search(query, { limit: 3 })),
      );
    expect(pool.status()).toMatchObject({ workers: 0, reason: expect.stringMatching(/forbidden/) });
  });

  it("ends its workers when nothing is asked, and wakes them again", async () => {
    const workers = new WatchedThreads();
    const pool = await workingPool(index, { workers, idleMs: 20 });
    while (pool.status().workers > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(pool.status().reason).toBe("Workers start when more is asked.");
    await pool.searchBatch(queries, { limit: 10 });
    expect(pool.status().workers).toBeGreaterThan(0);
  });

  it("answers what is under way when it is closed", async () => {
    const pool = await workingPool(index);
    const asked = queries.slice(0, 20).map(async (query) => pool.nearest(query, { limit: 10 }));
    pool.close();
    const found = await Promise.all(asked);
    found.forEach((hits, i) =>
      expect(plain(hits)).toEqual(index.search(queries[i]!, { limit: 10 })),
    );
    expect(pool.status().workers).toBe(0);
  });
});

describe("a query while the index changes", () => {
  it("sees nothing that is added after it was asked", async () => {
    const index = await indexOf(3000);
    const pool = await workingPool(index);
    const before = queries.map((query) => index.search(query, { limit: 20 }));
    const asked = queries.map(async (query) => pool.nearest(query, { limit: 20 }));
    // The nearest there can be, into blocks that are there and into new ones.
    for (let i = 0; i < 900; i++)
      index.set(3000 + i, quantizeVector(queries[i % queries.length]!, { fine: true }));
    expect((await Promise.all(asked)).map(plain)).toEqual(before);
    const after = await Promise.all(
      queries.map(async (query) => pool.nearest(query, { limit: 20 })),
    );
    expect(after.map(plain)).toEqual(queries.map((query) => index.search(query, { limit: 20 })));
  });

  it("never finds what was removed or replaced before it is answered", async () => {
    const index = await indexOf();
    const pool = await workingPool(index);
    for (let round = 0; round < 10; round++) {
      const before = queries.map((query) => index.search(query, { limit: 10 }));
      const early = new Set<number>();
      let isChanged = false;
      const asked = queries.map(async (query, i) => {
        const hits = await pool.nearest(query, { limit: 10 });
        if (!isChanged) early.add(i);
        return plain(hits);
      });
      await new Promise((resolve) => setTimeout(resolve, round % 3));
      const removed = before.map((hits) => hits[0]!.ordinal);
      for (const ordinal of removed) index.remove(ordinal);
      index.set(removed[0]!, quantizeVector(vectors[removed[0]!]!, { fine: true }));
      isChanged = true;
      const after = queries.map((query) => index.search(query, { limit: 10 }));
      (await Promise.all(asked)).forEach((hits, i) =>
        expect(hits).toEqual(early.has(i) ? before[i] : after[i]),
      );
    }
    expect(pool.status().answered.again).toBeGreaterThan(0);
  });

  it("follows the index to another memory", async () => {
    const index = await indexOf(16_000);
    const pool = await workingPool(index);
    const memory = index.share();
    for (let i = 1200; i < 16_000; i++) index.remove(i);
    expect(index.share()).not.toBe(memory);
    const found = await Promise.all(
      queries.map(async (query) => pool.nearest(query, { limit: 5 })),
    );
    expect(found.map(plain)).toEqual(queries.map((query) => index.search(query, { limit: 5 })));
    expect(pool.status().lost).toBe(0);
  });
});

describe("a query that several workers share", () => {
  it("has the hits of one scan", async () => {
    const index = await indexOf();
    const crew = new VectorCrew(new WatchedThreads());
    crew.resize(2);
    const shared = index.share()!;
    try {
      for (const query of queries.slice(0, 20)) {
        const plan = index.plan({ limit: 50, rescoreCount: 100, candidateCount: 300 });
        const parts = await Promise.all(
          [0, 1024, 3072].map((first, i, all) =>
            crew.askPart(shared, query, plan, { first, end: all[i + 1] ?? plan.slotLimit }),
          ),
        );
        expect(plain(index.finish(query, parts, plan))).toEqual(
          index.search(query, { limit: 50, rescoreCount: 100, candidateCount: 300 }),
        );
      }
    } finally {
      crew.resize(0);
    }
  });

  it.each([undefined, 2])(
    "gives the same through the pool, with %s fixed workers",
    async (fixed) => {
      const index = await indexOf();
      const pool = await workingPool(index, {
        splitSize: 1,
        ...(fixed === undefined ? {} : { fixedWorkers: fixed }),
      });
      if (fixed !== undefined) expect(pool.status().splits).toBe(true);
      for (const query of queries)
        expect(plain(await pool.nearest(query, { limit: 10 }))).toEqual(
          index.search(query, { limit: 10 }),
        );
    },
  );
});

describe("workers that measured slow once", () => {
  it("are measured again after two minutes", async () => {
    const workers = new WatchedThreads();
    let isBusy = true;
    let now = 0;
    const clock: Clock = {
      now: () => now,
      elapsed: () => (now += isBusy && workers.live.length > 0 ? 500 : 1),
    };
    const pool = poolOf(await indexOf(), { workers, clock });
    await pool.searchBatch(queries.slice(0, 8), { limit: 10 });
    expect([pool.status().workers, pool.status().reason]).toEqual([
      0,
      expect.stringContaining("slow"),
    ]);
    isBusy = false;
    now += 3 * 60_000;
    await pool.searchBatch(queries.slice(0, 16), { limit: 10 });
    expect(pool.status().workers).toBeGreaterThan(0);
  });
});

describe("the number of workers", () => {
  /** Queries per millisecond of each number of workers; the first is this thread's. */
  async function chosen(rates: number[]): Promise<number> {
    let now = 0;
    let workers = 0;
    const measured = await measureWorkers(
      {
        own: () => void (now += 1 / rates[0]!),
        resize: (count) => void (workers = count),
        ask: async (count) => void (now += count / rates[workers]!),
      },
      rates.length - 1,
      { now: () => now, elapsed: () => now },
    );
    return bestCount(measured);
  }

  it("is what measured fastest, one where it is nearly as fast as this thread, and none below", async () => {
    expect(await chosen([2, 2, 3.9])).toBe(2);
    expect(await chosen([2, 1.5, 1.6])).toBe(1);
    expect(await chosen([2, 1.2, 1.3])).toBe(0);
    expect(await chosen([2, 1.2, 2.3])).toBe(2);
    expect(await chosen([1, 1.9, 2])).toBe(1);
    expect(await chosen([1, 2, 4, 4.1, 4.2])).toBe(2);
    expect(await chosen([1])).toBe(0);
  });
});
