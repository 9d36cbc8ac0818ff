/** The vector pool and the sign scan on WebGPU, in the kind of worker that they live in. */

import { normalizeVector, quantizeVector } from "../../src/model/vector.ts";
import { BrowserVectorWorkers } from "../../src/platform/browser/vector-workers.ts";
import { webGpu } from "../../src/platform/browser/webgpu-device.ts";
import { emptyQuery, prepareQuery } from "../../src/search/kernels/kernel.ts";
import { SignScanGpu } from "../../src/search/kernels/sign-scan.gpu.ts";
import { VectorSearch } from "../../src/search/vector-index.ts";
import { scannersFor, VectorPool } from "../../src/search/vector-pool.ts";
import { VectorDevice } from "../../src/search/vector-pool-device.ts";
import { createReport, type Report } from "./report.ts";

const COUNT = 5000;

function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function data() {
  const next = random(5);
  const topics = Array.from({ length: 30 }, () =>
    Float32Array.from({ length: 384 }, () => next() - 0.5),
  );
  const vector = (): Float32Array =>
    normalizeVector(
      topics[Math.floor(next() * topics.length)]!.map((value) => value + 1.2 * (next() - 0.5)),
    );
  return {
    vectors: Array.from({ length: COUNT }, vector),
    queries: Array.from({ length: 70 }, vector),
  };
}

const clock = { now: () => Date.now(), elapsed: () => performance.now() };
/** Every look at it is a millisecond later: what asks more at once measures faster. */
function tickingClock() {
  let now = 0;
  return { now: () => now, elapsed: () => now++ };
}

async function indexOf(vectors: readonly Float32Array[], scanners = 1): Promise<VectorSearch> {
  const index = await VectorSearch.create({ scanners });
  vectors.forEach((vector, i) => index.set(i, quantizeVector(vector)));
  return index;
}

function createWorkers(): BrowserVectorWorkers {
  return new BrowserVectorWorkers(
    () =>
      new Worker(new URL("../../workers/vector.worker.ts", import.meta.url), { type: "module" }),
  );
}

/** On the page that is served with isolation. */
export async function runVectorPoolCases(): Promise<Report> {
  const { report, check, equal, holds } = createReport();
  const { vectors, queries } = data();
  const workers = createWorkers();
  const index = await indexOf(vectors, Math.max(2, scannersFor(workers)));
  const expected = queries.map((query) => index.search(query, { limit: 20 }));

  await check("workers on shared memory give the hits of one thread", async () => {
    equal(workers.unavailable, null);
    const pool = new VectorPool(index, { workers, clock: tickingClock(), minSize: 1000 });
    equal(await pool.searchBatch(queries, { limit: 20 }), expected);
    const { answered, lost, workers: count } = pool.status();
    holds(count > 0, `${count} workers`);
    holds(answered.byWorkers >= queries.length, `${answered.byWorkers} by workers`);
    equal(lost, 0);
    pool.close();
  });
  await check("what a killed worker was asked is answered all the same", async () => {
    const live: Worker[] = [];
    const killable = new BrowserVectorWorkers(() => {
      const worker = new Worker(new URL("../../workers/vector.worker.ts", import.meta.url), {
        type: "module",
      });
      live.push(worker);
      return worker;
    });
    const pool = new VectorPool(index, { workers: killable, clock: tickingClock(), minSize: 1000 });
    await pool.searchBatch(queries, { limit: 20 });
    const asked = queries.map(async (query) => {
      const { ordinals, scores, count } = await pool.nearest(query, { limit: 20 });
      return Array.from({ length: count }, (_, i) => ({
        ordinal: ordinals[i]!,
        score: scores[i]!,
      }));
    });
    await Promise.resolve();
    for (const worker of live) worker.terminate();
    equal(await Promise.all(asked), expected);
    holds(pool.status().lost > 0, "a loss is counted");
    pool.close();
  });
  return report;
}

export async function runVectorDeviceCases(): Promise<Report> {
  const { report, check, equal, holds } = createReport();
  const { vectors, queries } = data();
  const index = await indexOf(vectors);
  const got = await webGpu.request();
  if ("unavailable" in got) {
    report.failed.push({ name: "a WebGPU device", error: got.unavailable });
    return report;
  }
  const prepared = queries.map((query) => prepareQuery(query, emptyQuery())!);
  const candidatesOf = async (scan: SignScanGpu, slotLimit: number, wanted: number) => {
    const found = await scan.scan(prepared, slotLimit, wanted, (slot) => index.ordinalOf(slot));
    return found.map(
      (candidates) => candidates && Array.from(candidates.keys.slice().sort(), String),
    );
  };
  /** The candidates by the definition of kernel.ts, from the stored signs. */
  const defined = (slotLimit: number, wanted: number): string[][] =>
    prepared.map(({ signs, planes }) => {
      const rows = Array.from({ length: slotLimit }, (_, slot) => {
        const block = index.signsOfBlock(slot >>> 10);
        let [distance, weighted] = [0, 0];
        for (let i = 0; i < 48; i++) {
          const differing = signs[i]! ^ block[(slot & 1023) * 48 + i]!;
          distance += ones(differing);
          for (let plane = 0; plane < 3; plane++)
            weighted += ones(differing & planes[plane * 48 + i]!) << plane;
        }
        return { slot, distance, weighted };
      });
      const limit = rows.map(({ distance }) => distance).sort((a, b) => a - b)[wanted - 1] ?? 384;
      const keys = BigUint64Array.from(
        rows.filter(({ distance }) => distance <= limit),
        ({ slot, weighted }) =>
          (BigInt(weighted) << 52n) | (BigInt(index.ordinalOf(slot)) << 23n) | BigInt(slot),
      );
      return Array.from(keys.sort(), String);
    });

  await check("the shader's candidates are those of the definition", async () => {
    const scan = await SignScanGpu.create(got.device);
    scan.upload((block) => index.signsOfBlock(block), 0, index.blockCount);
    for (const [slotLimit, wanted] of [
      [COUNT, 300],
      [COUNT, 1],
      [1500, 200],
      [1024, 5000],
    ] as const)
      equal(await candidatesOf(scan, slotLimit, wanted), defined(slotLimit, wanted));
    scan.release();
  });
  await check("an index in several buffers, grown in steps, gives the same", async () => {
    const scan = await SignScanGpu.create(got.device, { maxChunkBytes: 2 * 1024 * 48 });
    const signs = (block: number) => index.signsOfBlock(block);
    scan.upload(signs, 0, 1);
    scan.upload(signs, 1, 3);
    scan.upload(signs, 3, index.blockCount);
    equal(await candidatesOf(scan, COUNT, 400), defined(COUNT, 400));
    scan.release();
  });
  await check("hits through the device are those of one thread, also after changes", async () => {
    const changing = await indexOf(vectors);
    const device = new VectorDevice(changing, webGpu, clock);
    const same = async (): Promise<void> => {
      const found = await device.search(queries, { limit: 20 });
      found.forEach((hits, i) => {
        if (hits === null) throw new Error("the device gave a query back");
        equal(
          Array.from({ length: hits.count }, (_, at) => ({
            ordinal: hits.ordinals[at]!,
            score: hits.scores[at]!,
          })),
          changing.search(queries[i]!, { limit: 20 }),
        );
      });
    };
    await same();
    for (let i = 0; i < 600; i++) changing.set(COUNT + i, quantizeVector(queries[i % 70]!));
    await same();
    for (let i = 0; i < 300; i++) changing.remove(i * 7);
    await same();
    holds(device.status.answered === 210, `${device.status.answered} answered`);
    device.release();
  });
  await check("a batch is answered when the device is lost, and status says why", async () => {
    const owned: GPUDevice[] = [];
    const losable = {
      request: async () => {
        const other = await webGpu.request();
        if ("device" in other) owned.push(other.device);
        return other;
      },
    };
    const device = new VectorDevice(index, losable, clock);
    await device.search(queries.slice(0, 2), { limit: 5 });
    const asked = device.search(queries, { limit: 5 });
    owned[0]!.destroy();
    const found = await asked;
    equal(found.length, queries.length);
    await new Promise((resolve) => setTimeout(resolve, 50));
    holds(/failed/.test(device.status.reason), device.status.reason);
    // The next batch has another device.
    const again = await device.search(queries.slice(0, 3), { limit: 5 });
    holds(
      again.every((hits) => hits !== null),
      `another device answers: ${device.status.reason}, ${owned.length} devices`,
    );
    const pool = new VectorPool(index, { gpu: losable, clock, minSize: 1000 });
    equal(
      await pool.searchBatch([...queries, ...queries], { limit: 5 }),
      [...queries, ...queries].map((query) => index.search(query, { limit: 5 })),
    );
    holds(pool.status().device !== null, "status tells of the device");
    pool.close();
  });
  await check("without WebGPU batches are answered, and status says why", async () => {
    const pool = new VectorPool(index, {
      gpu: { request: () => Promise.resolve({ unavailable: "This browser has no WebGPU." }) },
      clock,
      minSize: 1000,
    });
    const many = [...queries, ...queries];
    equal(
      await pool.searchBatch(many, { limit: 5 }),
      many.map((query) => index.search(query, { limit: 5 })),
    );
    equal(pool.status().device?.reason, "This browser has no WebGPU.");
    pool.close();
  });
  return report;
}

function ones(byte: number): number {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}
