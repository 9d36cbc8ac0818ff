/**
 * `npm run bench -- words [--count 100000] [--queries 300] [--peers all|none] [--install] [--json FILE]`:
 * the word index over real sentences by kind of query, beside FTS5 and other full-text engines in the
 * same run.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Fts5Record } from "../../src/search/fts5-record.ts";
import { FTS5_BM25 } from "../../src/search/lexical/norms.ts";
import { planQuery, type QueryPlan } from "../../src/search/query-plan.ts";
import { SemanticIndex, type TextDocument } from "../../src/search/semantic-index.ts";
import type { CorpusText } from "../search/corpus.ts";
import { readSentences } from "../search/sentences.ts";
import { percentile } from "../search/statistics.ts";
import { makeKinds } from "./kinds.ts";
import { installPeers, openPeers } from "./peers.ts";

const LIMIT = 200;
/** Slow engines are asked fewer questions of each kind. */
const PEER_QUERIES = 40;
const WARM_UP = 20;
/** And no longer than this for each kind. */
const PEER_MS = 3000;
const BATCH = 1000;

interface Row {
  system: string;
  data: string;
  queriesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  recall10: number | null;
  buildMs: number;
  bytesPerMemory: number | null;
}

function toDocument(text: CorpusText, ordinal: number): TextDocument {
  const topics = [text.title, text.speaker, text.source, text.thread];
  return {
    ordinal,
    summary: "",
    entities: "",
    topics: topics.filter((value, i) => value !== "" && topics.indexOf(value) === i).join("\n"),
    content: text.text,
  };
}

async function timed<T>(
  work: () => T | Promise<T>,
): Promise<{ value: T; ms: number; cpuMs: number }> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const value = await work();
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  return { value, ms, cpuMs: (user + system) / 1000 };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function describe(
  kind: string,
  system: string,
  samples: readonly number[],
  overlap?: number,
): string {
  const figures = [mean(samples), percentile(samples, 0.5), percentile(samples, 0.99)];
  return (
    `${kind.padEnd(18)}${system.padEnd(14)}` +
    figures.map((ms) => ms.toFixed(3).padStart(10)).join("") +
    (overlap === undefined ? "" : overlap.toFixed(3).padStart(10))
  );
}

/** Plain FTS5 for the same words: all of them joined by OR; phrases as phrases. */
function expressionOf(
  plan: QueryPlan,
  usedTerms: readonly { token: string; prefix: boolean }[],
): string {
  const terms = usedTerms.map(({ token, prefix }) =>
    prefix ? `("${token}" * OR "${token}")` : `"${token}"`,
  );
  const phrases = plan.phrases.map((words) => `"${words.map(({ token }) => token).join(" ")}"`);
  return [...phrases, ...terms].join(" OR ");
}

/** Share of FTS5's ten best that are among ours, ties at its tenth counted as found. */
function overlapOf(
  ours: { ordinals: Uint32Array },
  theirs: readonly { ordinal: number; score: number }[],
): number | null {
  const best = theirs.slice(0, 10);
  if (best.length === 0) return null;
  const tenth = best.at(-1)!.score;
  const scores = new Map(theirs.map((hit) => [hit.ordinal, hit.score]));
  const mine = Array.from(ours.ordinals.subarray(0, best.length));
  return mine.filter((ordinal) => (scores.get(ordinal) ?? 0) >= tenth * 0.999).length / best.length;
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string", default: "100000" },
      queries: { type: "string", default: "300" },
      peers: { type: "string", default: "all" },
      install: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  if (values.install) installPeers();
  const texts = await readSentences(Number(values.count));
  const documents = texts.map(toDocument);
  const data = `${texts.length} sentences`;

  const ours = await SemanticIndex.create();
  const build1 = await timed(async () => {
    for (let at = 0; at < documents.length; at += BATCH) ours.add(documents.slice(at, at + BATCH));
    await ours.search("ready", { limit: 1 });
  });
  const merge = await timed(() => ours.settled());
  const snapshot = await timed(() => ours.snapshot());
  const restored = await timed(() => SemanticIndex.restore(snapshot.value, () => true));
  const bytesPerMemory = restored.value.memoryBytes / documents.length;
  const perSecond = (documents.length / build1.cpuMs) * 1000;
  console.log(
    `${data}: built in ${build1.ms.toFixed(0)} ms (${build1.cpuMs.toFixed(0)} ms of processor, ` +
      `${perSecond.toFixed(0)} memories/s), merged behind in ${merge.cpuMs.toFixed(0)} ms of processor, ${(ours.memoryBytes / documents.length).toFixed(0)} B per memory in memory; ` +
      `snapshot ${(snapshot.value.length / documents.length).toFixed(0)} B per memory, made in ${snapshot.ms.toFixed(0)} ms, ` +
      `restored in ${restored.ms.toFixed(0)} ms (${restored.cpuMs.toFixed(0)} ms of processor) to ${bytesPerMemory.toFixed(0)} B`,
  );

  const withPeers = values.peers !== "none";
  const likeFts5 = await SemanticIndex.create({ bm25: FTS5_BM25 });
  const fts5 = new Fts5Record((some) => Promise.resolve(some.map((one) => documents[one]!)));
  let ftsBuildMs = 0;
  if (withPeers) {
    likeFts5.add(documents);
    fts5.changed(documents.keys());
    ftsBuildMs = (await timed(() => fts5.drain())).ms;
    console.log(
      `FTS5: built in ${ftsBuildMs.toFixed(0)} ms, ${(fts5.sizeBytes / documents.length).toFixed(0)} B per memory`,
    );
  }

  const rows: Row[] = [];
  const all = new Map<string, number[]>();
  const record = (system: string, ms: readonly number[]): void => {
    all.set(system, [...(all.get(system) ?? []), ...ms]);
  };
  const overlaps: number[] = [];
  console.log(
    `\n${"kind".padEnd(18)}${"system".padEnd(14)}${["mean ms", "p50 ms", "p99 ms", "same@10"].map((head) => head.padStart(10)).join("")}`,
  );
  const kinds = makeKinds(texts, Number(values.queries) + WARM_UP);
  for (const [kind, queries] of kinds) {
    const [own, theirs, overlap]: [number[], number[], number[]] = [[], [], []];
    for (const [i, query] of queries.entries()) {
      const plan = planQuery(query.text, { prefix: query.prefix });
      const from = performance.now();
      await restored.value.search(plan, { limit: LIMIT });
      if (i >= WARM_UP) own.push(performance.now() - from);
      if (!withPeers || i >= WARM_UP + PEER_QUERIES) continue;
      const same = await likeFts5.search(plan, { limit: LIMIT });
      const expression = expressionOf(plan, same.usedTerms);
      if (expression === "") continue;
      const askedAt = performance.now();
      const found = fts5.search(expression, LIMIT);
      if (i >= WARM_UP) theirs.push(performance.now() - askedAt);
      const share = query.prefix ? null : overlapOf(same, found);
      if (share !== null) overlap.push(share);
    }
    record("ours", own);
    console.log(describe(kind, "ours", own, overlap.length > 0 ? mean(overlap) : undefined));
    overlaps.push(...overlap);
    if (theirs.length === 0) continue;
    record("FTS5", theirs);
    console.log(describe(kind, "FTS5", theirs));
  }
  // Afterwards: their heaps would be collected in between.
  const peers = withPeers ? await openPeers(documents) : [];
  for (const [kind, queries] of kinds)
    for (const peer of peers) {
      const until = performance.now() + PEER_MS;
      const samples: number[] = [];
      for (const query of queries.slice(0, WARM_UP + PEER_QUERIES)) {
        const from = performance.now();
        await peer.search(query, LIMIT);
        samples.push(performance.now() - from);
        if (performance.now() > until) break;
      }
      const warm = samples.length > WARM_UP ? samples.slice(WARM_UP) : samples;
      record(peer.name, warm);
      console.log(describe(kind, peer.name, warm));
    }
  const buildMs = new Map([
    ["ours", build1.ms],
    ["FTS5", ftsBuildMs],
    ...peers.map((peer): [string, number] => [peer.name, peer.buildMs]),
  ]);
  for (const [system, ms] of all) {
    const isOurs = system === "ours";
    rows.push({
      system: isOurs ? "ours (words)" : system,
      data,
      queriesPerSecond: 1000 / mean(ms),
      p50Ms: percentile(ms, 0.5),
      p99Ms: percentile(ms, 0.99),
      recall10: isOurs && overlaps.length > 0 ? mean(overlaps) : null,
      buildMs: buildMs.get(system) ?? 0,
      bytesPerMemory: isOurs
        ? bytesPerMemory
        : system === "FTS5"
          ? fts5.sizeBytes / documents.length
          : (peers.find((peer) => peer.name === system)?.bytesPerMemory ?? null),
    });
    console.log(describe("all", system, ms));
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ rows }, null, 2));
  fts5.close();
  for (const index of [ours, likeFts5, restored.value]) index.close();
}

await main(process.argv.slice(2));
