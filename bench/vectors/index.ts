/**
 * `npm run bench -- vectors [--count 100000] [--queries 1000] [--data 0.7,1.5,real]
 *  [--peers all|none|usearch,…] [--install] [--browser] [--json FILE]`: nearest-vector search, ours
 * beside others on the same queries, with recall against exact search. `--pool`: several workers
 * (pool.ts).
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { quantizeVector } from "../../src/model/vector.ts";
import { ReferenceKernel } from "../../src/search/kernels/reference.ts";
import { NodeVectorThreads } from "../../src/platform/node/vector-threads.ts";
import { VectorSearch } from "../../src/search/vector-index.ts";
import { scannersFor } from "../../src/search/vector-pool.ts";
import { DIMENSIONS, NEAREST, clustered, real, type Chunk, type DataSet } from "./data.ts";
import { measure, printRows, type Row, type System } from "./measure.ts";
import { PACKAGES, installPeers } from "./peer-packages.ts";
import { peerSystems, sqliteVecRow } from "./peers.ts";
import { main as poolMain, poolRows } from "./pool.ts";

/** The reference kernel is the specification, not a system: a look at what SIMD brings. */
const REFERENCE_ROWS = 20_000;

interface Ours {
  index: VectorSearch;
  buildMs: number;
  add(chunk: Chunk): void;
}

/** The index as the product has it. Only its own part of the work is timed: neither the data's making nor its quantization. */
async function ours(): Promise<Ours> {
  const index = await VectorSearch.create({ scanners: scannersFor(new NodeVectorThreads()) });
  const made: Ours = {
    index,
    buildMs: 0,
    add: ({ firstId, rows }) => {
      const vectors = Array.from({ length: rows.length / DIMENSIONS }, (_, i) =>
        quantizeVector(rows.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS), { fine: true }),
      );
      const from = performance.now();
      vectors.forEach((vector, i) => index.set(firstId + i, vector));
      made.buildMs += performance.now() - from;
    },
  };
  return made;
}

async function run(
  load: (take: (chunk: Chunk) => void) => Promise<DataSet | null>,
  peers: readonly string[],
  inBrowser: boolean,
): Promise<Row[]> {
  const made = await ours();
  const data = await load((chunk) => made.add(chunk));
  if (data === null) {
    console.error("SKIPPED real MiniLM: too few embeddings are cached (npm run bench -- search).");
    return [];
  }
  const { index, buildMs } = made;
  const systems: System[] = [
    {
      name: `ours ${index.kernelName}, one thread`,
      search: (query) => {
        const { ordinals, count } = index.searchInto(query, { limit: NEAREST });
        return ordinals.slice(0, count);
      },
      buildMs,
      bytes: index.memoryBytes,
    },
  ];
  const isHeld = data.rows.length > 0;
  if (isHeld && data.count <= REFERENCE_ROWS) systems.push(referenceOf(data));
  if (isHeld) systems.push(...(await peerSystems(data, peers)));
  const rows = await measure(data, systems);
  for (const { close } of systems) await close?.();
  const one = rows[0]!;
  for (const pooled of (await poolRows(data.name, index, data.queries)).slice(1))
    rows.splice(1, 0, { ...one, ...pooled, recall10: pooled.same === 1 ? one.recall10 : 0 });
  const sqlite = isHeld && peers.includes("sqlite-vec") ? sqliteVecRow(data) : null;
  if (sqlite) rows.push(sqlite);
  if (inBrowser && isHeld) {
    const { browserRows } = await import("./browser.ts");
    rows.push(...(await browserRows(data)));
  }
  return rows;
}

function referenceOf(data: DataSet): System {
  const index = new VectorSearch(new ReferenceKernel());
  const from = performance.now();
  for (let i = 0; i < data.count; i++) {
    const row = data.rows.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS);
    index.set(i, quantizeVector(row, { fine: true }));
  }
  const buildMs = performance.now() - from;
  const search = (query: Float32Array): number[] =>
    index.search(query, { limit: NEAREST }).map((hit) => hit.ordinal);
  return { name: "ours reference", search, buildMs, bytes: index.memoryBytes, maxQueries: 20 };
}

export async function main(args: string[]): Promise<void> {
  if (args.includes("--pool")) return poolMain(args);
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string", default: "100000" },
      queries: { type: "string", default: "1000" },
      data: { type: "string", default: "0.7,1.5,real" },
      peers: { type: "string", default: "all" },
      install: { type: "boolean", default: false },
      browser: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const count = Number(values.count);
  const queryCount = Number(values.queries);
  const all = Object.keys(PACKAGES);
  const peers =
    values.peers === "all" ? all : values.peers === "none" ? [] : values.peers.split(",");
  if (values.install) installPeers(peers);
  const rows: Row[] = [];
  for (const kind of values.data.split(",")) {
    rows.push(
      ...(await run(
        (take) =>
          kind === "real"
            ? real(count, queryCount, take)
            : clustered(count, queryCount, Number(kind), take),
        peers,
        values.browser,
      )),
    );
  }
  printRows(rows);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ rows }, null, 2));
}

await main(process.argv.slice(2));
