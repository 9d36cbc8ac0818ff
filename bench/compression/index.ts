/**
 * What summaries keep and what they save, per kind of text: the smallest extractive summary that
 * passes the gate, beside the lead and TextRank at the same number of bytes.
 *
 * `npm run bench -- compression [--json FILE] [--texts N] [--data DIR] [--mode fast|balanced|high]`
 * (`--data`: a folder of conversations as JSON, see `corpora.ts`)
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { CompressionMode } from "../../src/model/memory.ts";
import { NodeEmbedderProvider } from "../../src/platform/node/ort-embedder.ts";
import {
  LLMCompressor,
  type CompressionResult,
} from "../../src/processing/compression/compressor.ts";
import { encodeContainer } from "../../src/processing/compression/container.ts";
import { EntityExtractor } from "../../src/processing/compression/entities.ts";
import { foreignSpans } from "../../src/processing/compression/foreign-spans.ts";
import { gate } from "../../src/processing/compression/gate.ts";
import {
  embedUnits,
  embedWindows,
  SourceChecker,
} from "../../src/processing/compression/quality.ts";
import { analyzeSource } from "../../src/processing/compression/source-analysis.ts";
import { renderUnits } from "../../src/processing/compression/summary.ts";
import { TextEmbedder } from "../../src/processing/embedding/text-embedder.ts";
import { leadUnits, textRankUnits } from "./baselines.ts";
import { addresses, conversations, mails, type Corpus } from "./corpora.ts";

interface Sample {
  ratio: number;
  similarity: number;
  coverage: number;
  faithfulness: number;
  passed: boolean;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN;

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
  const loaded = await new NodeEmbedderProvider().load();
  if (!loaded) throw new Error("The embedding weights are missing: run `npm run setup`.");
  const embedder = new TextEmbedder(loaded, { cacheBytes: 256 * 1024 * 1024 });
  const corpora = [
    addresses(count),
    mails(count),
    ...(values.data ? [conversations(values.data, count)] : []),
  ];
  const report: Record<string, unknown>[] = [];
  for (const corpus of corpora) report.push(...(await measure(corpus, embedder, mode)));
  console.log(
    `${count} texts of each kind, mode ${mode}; ${cpus()[0]?.model ?? "?"}, ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}`,
  );
  console.table(report);
  console.log(
    "ratio: bytes of the text / bytes of the summary. pass: share that the gate lets stand for the text. exact: text / whole .llmc file.",
  );
  if (values.json) writeFileSync(values.json, JSON.stringify({ count, mode, report }, null, 2));
  await embedder.close();
}

async function measure(
  corpus: Corpus,
  embedder: TextEmbedder,
  mode: CompressionMode,
): Promise<Record<string, unknown>[]> {
  let embedMs = 0;
  const timed = {
    embed: async (texts: readonly string[]): Promise<Float32Array[]> => {
      const started = performance.now();
      const vectors = await embedder.embed(texts);
      embedMs += performance.now() - started;
      return vectors;
    },
  };
  const compressor = new LLMCompressor({ embedder: timed });
  const started = performance.now();
  const exact = await compressor.compressAll(corpus.texts, { mode });
  const exactMs = performance.now() - started;
  const besideShare = 1 - embedMs / exactMs;
  const results = await compressor.compressAll(corpus.texts, { mode, keep: "summary" });
  const extractor = new EntityExtractor();
  const methods: Record<string, Sample[]> = { greedy: [], lead: [], textrank: [] };
  let containerBytes = 0;
  let bytes = 0;
  let kept = 0;
  for (const [index, text] of corpus.texts.entries()) {
    const result = results[index] as CompressionResult;
    const beside = exact[index] as CompressionResult;
    bytes += result.originalBytes;
    containerBytes += (await encodeContainer(await compressor.toCompressedMemory(text, beside)))
      .length;
    if (result.keep === "summary") kept++;
    if (result.model !== "extractive") continue;
    const source = analyzeSource(text, extractor, foreignSpans);
    source.vectors = await embedUnits(source.units, embedder);
    source.windowVector = await embedWindows(source.units, embedder);
    const checker = new SourceChecker(source);
    const size = Buffer.byteLength(result.summary);
    const known = new Set(
      source.units.flatMap((unit, i) => (result.summary.includes(unit.text) ? [i] : [])),
    );
    const choices = {
      greedy: [...known],
      lead: leadUnits(source.units, size),
      textrank: textRankUnits(source.units, size),
    };
    for (const [method, indices] of Object.entries(choices)) {
      const units = indices.map((i) => source.units[i]!);
      const summary = renderUnits(source.units, indices);
      const { quality, evidence } = checker.check(
        summary,
        result.entities,
        units,
        indices.map((i) => source.vectors![i]!),
        await embedWindows(units, embedder),
      );
      methods[method]!.push({
        ratio: result.originalBytes / Buffer.byteLength(summary),
        similarity: quality.similarity!,
        coverage: quality.coverage!,
        faithfulness: quality.faithfulness,
        passed: gate(quality, mode, evidence).pass,
      });
    }
  }
  return Object.entries(methods).map(([method, samples]) => ({
    texts: corpus.name,
    method,
    ratio: mean(samples.map((s) => s.ratio)).toFixed(2),
    similarity: mean(samples.map((s) => s.similarity)).toFixed(3),
    "similarity p5": quantile(
      samples.map((s) => s.similarity),
      0.05,
    ).toFixed(3),
    coverage: mean(samples.map((s) => s.coverage)).toFixed(3),
    faithfulness: mean(samples.map((s) => s.faithfulness)).toFixed(3),
    pass: mean(samples.map((s) => Number(s.passed))).toFixed(2),
    ...(method === "greedy" && {
      "kept as summary": `${kept}/${corpus.texts.length}`,
      exact: (bytes / containerBytes).toFixed(2),
      "beside embedding": `${(besideShare * 100).toFixed(1)} %`,
    }),
  }));
}

await main(process.argv.slice(2).filter((arg) => !arg.endsWith("index.ts")));
