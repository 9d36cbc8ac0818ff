/**
 * `npm run bench -- search [--count 10000] [--queries 300] [--json FILE]`: the whole recall over real
 * texts with real embeddings, per stage. The first run embeds what is missing (kept in `.cache/bench`).
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ConnectionLearner } from "../../src/cognitive/connection-learner.ts";
import { NetworkNavigator } from "../../src/cognitive/navigator.ts";
import { META } from "../../src/model/memory.ts";
import type { RecallTimings } from "../../src/model/query.ts";
import { EntityExtractor } from "../../src/processing/compression/entities.ts";
import { SearchService } from "../../src/search/search-service.ts";
import { isFunctionWord, queryWords } from "../../src/search/text-analysis.ts";
import { readCorpus, type CorpusText } from "./corpus.ts";
import { EmbeddingCache } from "./embeddings.ts";
import { percentile } from "./statistics.ts";
import { openBenchStore } from "./store.ts";

const STAGES = ["embed", "lexical", "semantic", "spread", "rank", "fetch", "total"] as const;

/** Three kinds of queries made of the texts themselves: words, a question of words, a typed prefix. */
function makeQueries(
  texts: readonly CorpusText[],
  count: number,
): { query: string; prefix: boolean }[] {
  return Array.from({ length: count }, (_, i) => {
    const { text } = texts[(i * 7919) % texts.length]!;
    const words = queryWords(text)
      .map((word) => word.token)
      .filter((word) => word.length > 3 && !isFunctionWord(word));
    const at = (i * 31) % Math.max(1, words.length - 5);
    if (i % 3 === 0) return { query: words.slice(at, at + 2).join(" "), prefix: false };
    if (i % 3 === 1)
      return { query: `what about the ${words.slice(at, at + 5).join(" ")}?`, prefix: false };
    return { query: `${words[at]} ${words[at + 1]?.slice(0, 3) ?? ""}`.trim(), prefix: true };
  });
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { count: { type: "string" }, queries: { type: "string" }, json: { type: "string" } },
  });
  const cache = await EmbeddingCache.open();
  const texts = await readCorpus(Number(values.count ?? 10_000));
  const vectors = await cache.embed(texts.map((one) => one.text));
  const extractor = new EntityExtractor();
  const { store } = await openBenchStore(
    texts.map((one, i) => ({
      text: one.text,
      vector: vectors[i],
      timestamp: one.timestamp,
      entities: extractor.extract(one.text),
      metadata: {
        [META.source]: one.source,
        [META.title]: one.title,
        [META.speaker]: one.speaker,
        [META.thread]: one.thread,
      },
    })),
  );
  const from = performance.now();
  const service = await SearchService.open(store, { cacheEntries: 1 });
  const openMs = performance.now() - from;
  const navigator = new NetworkNavigator(
    store,
    service.entities,
    await ConnectionLearner.open(store),
  );
  const queries = makeQueries(texts, Number(values.queries ?? 300));
  const embedQuery = async (text: string): Promise<Float32Array> =>
    (await cache.embedder.embed([text]))[0]!;

  const samples = new Map<string, number[]>(STAGES.map((stage) => [stage, []]));
  const withoutEmbedding: number[] = [];
  for (const [i, query] of queries.entries()) {
    const { timings } = await service.recall(
      { ...query, topK: 10 },
      { embedQuery, spread: navigator.spread },
    );
    if (i < 20) continue; // warm-up
    for (const stage of STAGES)
      samples.get(stage)!.push(timings[stage as keyof RecallTimings] ?? 0);
    withoutEmbedding.push(timings.total - (timings.embed ?? 0));
  }
  const bytes = texts.reduce((sum, one) => sum + Buffer.byteLength(one.text), 0);
  const snapshot = service.textIndex.snapshot().length;
  console.log(
    `${texts.length} memories, ${(bytes / 1e6).toFixed(1)} MB of text; indexes built in ${openMs.toFixed(0)} ms; ` +
      `text index ${(snapshot / 1e6).toFixed(1)} MB, vectors ${(service.vectorIndex.memoryBytes / 1e6).toFixed(1)} MB in memory`,
  );
  console.log(`\n${"stage".padEnd(24)}${"p50 ms".padStart(9)}${"p99 ms".padStart(9)}`);
  const rows = [...samples, ["total without embedding", withoutEmbedding] as const].map(
    ([stage, all]) => ({
      stage,
      p50Ms: percentile(all, 0.5),
      p99Ms: percentile(all, 0.99),
    }),
  );
  for (const row of rows)
    console.log(
      `${row.stage.padEnd(24)}${row.p50Ms.toFixed(2).padStart(9)}${row.p99Ms.toFixed(2).padStart(9)}`,
    );
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      JSON.stringify(
        { memories: texts.length, textBytes: bytes, openMs, snapshotBytes: snapshot, rows },
        null,
        2,
      ),
    );
  await service.close();
  await cache.close();
}

await main(process.argv.slice(2));
