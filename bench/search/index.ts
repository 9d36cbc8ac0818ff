/**
 * `npm run bench -- search [--count 100000] [--queries 400] [--rounds 5] [--workers 2] [--compacted]
 * [--peers all|none] [--install] [--fresh] [--json FILE]`: the whole recall over real sentences, per stage, one
 * caller after the other and many at once, beside full-text engines; in a browser: `bench -- browser`.
 * Embeddings come from `.cache/bench`; queries that have none are embedded and kept there.
 */

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isMainThread } from "node:worker_threads";
import { installPeers } from "../vectors/peer-packages.ts";
import { prepareBigStore } from "./big-store.ts";
import { EmbeddingCache } from "./embeddings.ts";
import { exactAnswers } from "./exact.ts";
import { openMeasured, type Measured } from "./measured-store.ts";
import { peerRows } from "./peers.ts";
import { makeQueries, type BenchQuery } from "./queries.ts";
import { replicaRow, serveReplica } from "./replicas.ts";
import { latencyRow, printRows, printStages, throughputRow, type Row } from "./rows.ts";

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string", default: "100000" },
      queries: { type: "string", default: "400" },
      rounds: { type: "string", default: "5" },
      workers: { type: "string", default: "2" },
      seconds: { type: "string", default: "5" },
      compacted: { type: "boolean", default: false },
      fresh: { type: "boolean", default: false },
      peers: { type: "string", default: "all" },
      install: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  if (values.install) installPeers(["orama"]);
  const cache = await EmbeddingCache.open();
  const big = await prepareBigStore(Number(values.count), cache, {
    compacted: values.compacted,
    fresh: values.fresh,
  });
  const directory = mkdtempSync(join(tmpdir(), "bench-search-"));
  try {
    cpSync(big.directory, directory, { recursive: true });
    const data = `${big.texts.length} sentences, ${big.realVectors} with their embedding`;
    console.log(data + (values.compacted ? ", texts coded by compact()" : ""));
    const queries = makeQueries(big.texts, Number(values.queries));
    const rows: Row[] = [];
    let measured = await openMeasured(directory);
    console.log(`opened: ${describeOpening(measured)}; memory ${measured.memory()}`);
    const vectors = await embedQueries(measured, queries, cache);
    await measured.service.saveSnapshots();
    await measured.close();
    measured = await openMeasured(directory);
    console.log(`again, from snapshots: ${describeOpening(measured)}`);

    const answers = await measured.answer(queries, vectors);
    const exact = await exactAnswers(measured, big.texts, queries, vectors);
    const recall10 = exact.recallOf(answers);
    const common = {
      data,
      recall10,
      buildMs: measured.openMs,
      bytesPerMemory: measured.bytesPerMemory,
    };
    const { row, stages } = await latencyRow(measured, queries, vectors, Number(values.rounds));
    rows.push({ system: "ours, one thread, one caller", ...common, ...row });
    printStages(stages, vectors.embedMs);
    const seconds = Number(values.seconds);
    rows.push({
      system: "ours, one thread, 16 callers",
      ...common,
      ...(await throughputRow(measured, queries, vectors, seconds)),
    });
    await measured.close();

    const pooled = await openMeasured(directory, { vectorWorkers: true });
    const speed = await throughputRow(pooled, queries, vectors, seconds);
    const helpers = pooled.service.vectorPool.status().workers;
    rows.push({
      system: `ours, one thread and ${helpers} for vectors, 16 callers`,
      ...common,
      ...speed,
    });
    await pooled.close();
    const workers = Number(values.workers);
    if (workers > 1) {
      const replicas = await replicaRow(directory, queries, vectors, { workers, seconds });
      rows.push({
        system: `ours, ${workers} workers, each with the indexes`,
        ...common,
        ...replicas,
      });
    }
    if (values.peers !== "none") rows.push(...(await peerRows(big, queries, vectors, exact, data)));
    printRows(rows);
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        JSON.stringify({ rows, stages, queryEmbeddingMs: vectors.embedMs }, null, 2),
      );
  } finally {
    rmSync(directory, { recursive: true, force: true });
    await cache.close();
  }
}

/** By query: the vector that recall asks for. */
export interface QueryVectors {
  of(text: string): Float32Array | null;
  all: [string, Float32Array][];
  /** Of those that weren't kept yet and of a few of the others: what embedding one query takes. */
  embedMs: number[];
}

/** What recall embeds of each query, embedded as the product does. */
async function embedQueries(
  { context }: Measured,
  queries: readonly BenchQuery[],
  cache: EmbeddingCache,
): Promise<QueryVectors> {
  const texts = [...new Set(queries.map(({ query }) => context.speakers.withoutNames(query)))];
  const vectors = await cache.embed(texts);
  const embedMs: number[] = [];
  for (const text of texts.slice(0, 50)) {
    const from = performance.now();
    await cache.embedder.embed([text]);
    embedMs.push(performance.now() - from);
  }
  const known = new Map(texts.map((text, i) => [text, vectors[i]!]));
  return { of: (text) => known.get(text) ?? null, all: [...known], embedMs };
}

function describeOpening(measured: Measured): string {
  const { storeMs, openMs, openCpuMs, service } = measured;
  return `store ${storeMs.toFixed(0)} ms, search ${(openMs - storeMs).toFixed(0)} ms, ${openCpuMs.toFixed(0)} ms of processor; ${service.caughtUpRows} memories read`;
}

if (isMainThread) await main(process.argv.slice(2));
else await serveReplica();
