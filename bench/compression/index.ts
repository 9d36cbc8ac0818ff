/**
 * What summaries that replace their text keep and what they save, per kind of text; beside the
 * lead, TextRank and plain greedy choice at the same bytes. Similarity is measured a second time
 * independently of the gate (`independent.ts`). Then the gate's rates on lies and honest
 * rewordings, what search still finds, and what compressing costs beside embedding.
 *
 * `npm run bench -- compression [--data DIR] [--texts N] [--mode fast|balanced|high] [--json FILE]`
 * (`--data`: text files, one a text, or LoCoMo JSON files). Embeddings are kept in `.cache/bench`.
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { createMemoryId } from "../../src/model/id.ts";
import type { CompressionMode } from "../../src/model/memory.ts";
import { MemoryFileStore } from "../../src/platform/memory/memory-file-store.ts";
import {
  LLMCompressor,
  type CompressionResult,
} from "../../src/processing/compression/compressor.ts";
import { EntityExtractor } from "../../src/processing/compression/entities.ts";
import { foreignSpans } from "../../src/processing/compression/foreign-spans.ts";
import { entitiesBesideSummary } from "../../src/processing/compression/kept-entities.ts";
import { embedUnits } from "../../src/processing/compression/quality.ts";
import { fitBudget, rankUnits } from "../../src/processing/compression/selection.ts";
import { encodeText, sha256Hex } from "../../src/processing/compression/residual.ts";
import { analyzeSource } from "../../src/processing/compression/source-analysis.ts";
import { renderUnits } from "../../src/processing/compression/summary.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import { newMemory } from "../../test/unit/search/in-memory-store.ts";
import { readLocomo } from "../recall/locomo.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { leadUnits, textRankUnits } from "./baselines.ts";
import {
  addresses,
  folderCorpora,
  mailBodies,
  mailEpisodes,
  mails,
  type Corpus,
} from "./corpora.ts";
import { gateRates } from "./gate-rates.ts";
import { independentSimilarity } from "./independent.ts";
import { measureRetrieval } from "./retrieval.ts";

interface Sample {
  textRatio: number;
  storedRatio: number;
  similarity: number;
  coverage: number;
  recall: number;
  faithfulness: number;
  passed: boolean;
  reached: boolean;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN;

function rowOf(texts: string, method: string, samples: readonly Sample[]) {
  const similarities = samples.map((one) => one.similarity);
  return {
    texts,
    method,
    n: samples.length,
    "text ratio": mean(samples.map((one) => one.textRatio)).toFixed(1),
    "stored ratio": mean(samples.map((one) => one.storedRatio)).toFixed(1),
    similarity: mean(similarities).toFixed(3),
    p5: quantile(similarities, 0.05).toFixed(3),
    coverage: mean(samples.map((one) => one.coverage)).toFixed(2),
    recall: mean(samples.map((one) => one.recall)).toFixed(2),
    faithful: mean(samples.map((one) => one.faithfulness)).toFixed(3),
    pass: mean(samples.map((one) => Number(one.passed))).toFixed(2),
    reach: mean(samples.map((one) => Number(one.reached))).toFixed(2),
  };
}

interface Stored {
  text: string;
  summary: string;
  entities: CompressionResult["entities"];
  isExact: boolean;
}

/** Bytes of each summary with its entities in a real store, after compaction. */
async function storedBytes(items: readonly Stored[]): Promise<number[]> {
  const store = await ArrowStorage.open(new MemoryFileStore());
  const rows = items.map(({ text, summary, entities, isExact }) => ({
    ...newMemory({
      id: createMemoryId(),
      text,
      summary,
      entities,
      keep: isExact ? "exact" : "summary",
    }),
    originalBytes: Buffer.byteLength(text),
    contentSha256: sha256Hex(encodeText(text)),
  }));
  await store.append(rows);
  await store.compact();
  const sizes = rows.map((row) => store.catalog.byId(row.id)!.storedBytes);
  await store.close();
  return sizes;
}

async function measureCorpus(corpus: Corpus, cache: EmbeddingCache, mode: CompressionMode) {
  const embedder = {
    embed: async (texts: readonly string[]) => (await cache.embed(texts)) as Float32Array[],
  };
  const extractor = new EntityExtractor();
  const compressor = new LLMCompressor({ embedder });
  const results = (await compressor.compressAll(
    corpus.texts.map((text) => ({ text, kind: corpus.kind })),
    { mode, keep: "summary" },
  )) as CompressionResult[];
  const methods = new Map<string, { stored: Stored[]; samples: Omit<Sample, "storedRatio">[] }>();
  const reasons = new Map<string, number>();
  for (const [index, text] of corpus.texts.entries()) {
    const result = results[index]!;
    const source = analyzeSource(text, extractor, foreignSpans, corpus.kind, { withQuotes: true });
    source.vectors = await embedUnits(source.units, embedder);
    const bytes = Buffer.byteLength(result.summary);
    const order = rankUnits({
      units: source.units,
      vectors: source.vectors,
      facts: source.unitFacts,
    });
    const add = async (method: string, summary: string, entities: Stored["entities"]) => {
      const report = await compressor.inspectSummary({
        original: text,
        summary,
        entities,
        mode,
        kind: corpus.kind,
      });
      const isOwn = method === "ours";
      const isExact = isOwn && result.keep === "exact";
      const similarity = isExact ? 1 : await independentSimilarity(text, summary, cache);
      const { quality } = report;
      const group = methods.get(method) ?? { stored: [], samples: [] };
      methods.set(method, group);
      group.stored.push({ text, summary, entities, isExact });
      group.samples.push({
        textRatio: isExact ? 1 : Buffer.byteLength(text) / Buffer.byteLength(summary),
        similarity,
        coverage: quality.coverage ?? 0,
        recall: Math.min(quality.entityRecall, quality.numberRecall),
        faithfulness: quality.faithfulness,
        passed: !isExact && report.verdict === "pass",
        reached: false,
      });
    };
    await add("ours", result.summary, result.entities);
    if (result.keep === "exact") {
      const reason = (result.keepReason ?? "?").replace(/\d[\d.]*/g, "N");
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      continue;
    }
    for (const [method, indices] of [
      ["lead", leadUnits(source.units, bytes)],
      ["TextRank", textRankUnits(source.units, bytes)],
      ["greedy", fitBudget(source.units, order, bytes)],
    ] as const) {
      const summary = renderUnits(source, indices);
      await add(method, summary, entitiesBesideSummary(source.entities, summary, mode));
    }
  }
  const rows = [];
  for (const [method, { stored, samples }] of methods) {
    const sizes = await storedBytes(stored);
    const full = samples.map((one, i): Sample => {
      const storedRatio = Buffer.byteLength(stored[i]!.text) / sizes[i]!;
      const reached =
        !stored[i]!.isExact &&
        one.passed &&
        storedRatio >= corpus.targetRatio &&
        one.similarity >= 0.85;
      return { ...one, storedRatio, reached };
    });
    // Texts that are kept exactly count in pass and reach, not in the means of summaries.
    const summaries = full.filter((_, i) => !stored[i]!.isExact);
    const row = rowOf(`${corpus.name} (${corpus.targetRatio}x)`, method, summaries);
    rows.push({
      ...row,
      n: full.length,
      pass: mean(full.map((one) => Number(one.passed))).toFixed(2),
      reach: mean(full.map((one) => Number(one.reached))).toFixed(2),
    });
  }
  return { rows, reasons: Object.fromEntries(reasons) };
}

/** Mails compressed with fresh embeddings: whole time over the time inside the model. */
async function measureCost(cache: EmbeddingCache, count: number, mode: CompressionMode) {
  const texts = mailBodies(600, 4000).slice(0, count);
  let embedMs = 0;
  const timed = {
    embed: async (list: readonly string[]): Promise<Float32Array[]> => {
      const started = performance.now();
      const vectors: Float32Array[] = [];
      for (let at = 0; at < list.length; at += 32)
        vectors.push(...(await cache.embedder.embed(list.slice(at, at + 32))));
      embedMs += performance.now() - started;
      return vectors;
    },
  };
  const compressor = new LLMCompressor({ embedder: timed });
  const started = performance.now();
  await compressor.compressAll(
    texts.map((text) => ({ text, kind: "mail" as const })),
    { mode },
  );
  const totalMs = performance.now() - started;
  return {
    mails: texts.length,
    seconds: (totalMs / 1000).toFixed(1),
    "of it embedding": (embedMs / 1000).toFixed(1),
    ratio: (totalMs / embedMs).toFixed(2),
  };
}

/** Runs the benchmark; `args` as on the command line. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "string" },
      texts: { type: "string", default: "12" },
      data: { type: "string" },
      mode: { type: "string", default: "fast" },
    },
  });
  const count = Number(values.texts);
  const mode = values.mode as CompressionMode;
  const cache = await EmbeddingCache.open();
  const corpora = [
    ...(values.data ? folderCorpora(values.data, count) : []),
    mails(count),
    addresses(count),
    mailEpisodes(Math.max(2, Math.ceil(count / 4))),
  ];
  console.log(
    `${count} texts of each kind, mode ${mode}; ${cpus()[0]?.model ?? "?"}, ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}`,
  );
  const report: Record<string, unknown> = { count, mode };
  const compression: Record<string, unknown>[] = [];
  for (const corpus of corpora) {
    const { rows, reasons } = await measureCorpus(corpus, cache, mode);
    console.table(rows);
    if (Object.keys(reasons).length > 0) console.log("kept exactly:", reasons);
    compression.push(...rows);
  }
  console.log(
    "reach: share with the ratio in brackets in stored bytes (summary + entities in a compacted store) at an independently measured similarity of 0.85.",
  );
  report["compression"] = compression;
  const extractor = new EntityExtractor();
  const rates = gateRates(corpora, extractor);
  console.table(rates);
  report["gate"] = rates;
  const isLocomo = corpora.some((corpus) => corpus.name === "chat sessions");
  if (values.data && isLocomo) {
    const embedder = {
      embed: async (texts: readonly string[]) => (await cache.embed(texts)) as Float32Array[],
    };
    const rows = await measureRetrieval(readLocomo(values.data), cache, embedder, extractor);
    console.table(rows);
    report["retrieval"] = rows;
  }
  const cost = await measureCost(cache, Math.min(1000, count * 5), mode);
  console.table([cost]);
  report["cost"] = cost;
  if (values.json) writeFileSync(values.json, JSON.stringify(report, null, 2));
  await cache.close();
}

await main(process.argv.slice(2).filter((arg) => !arg.endsWith("index.ts")));
