/**
 * `npm run bench -- ingest [--count 240] [--rounds 4] [--threads N] [--hot 12] [--json FILE]`: raw
 * mails through the whole engine into a folder, beside the bare embedder over the very texts that
 * went through the network, in turns (A B A B) so that a slow moment of the machine meets both.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../../src/create-engine.ts";
import type { ImportFile } from "../../src/engine.ts";
import { createNodeSqlEngine } from "../../src/platform/node/duckdb.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { NodeEmbedderProvider } from "../../src/platform/node/ort-embedder.ts";
import type { Embedder, EmbedderProvider } from "../../src/ports/embedder.ts";
import { mailFiles, sumBytes } from "./mails.ts";
import { StageProfile, STAGES } from "./stage-profile.ts";

/** Loads parsers and language models, and lets the compiler see the code. */
const WARM_UP_MAILS = 16;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "240" },
    rounds: { type: "string", default: "4" },
    threads: { type: "string" },
    hot: { type: "string", default: "12" },
    json: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const embedderOptions = values.threads ? { threads: Number(values.threads) } : {};

/** An embedder that writes down what it is asked for. */
class RecordingProvider implements EmbedderProvider {
  readonly #provider: EmbedderProvider;
  texts: string[] = [];

  constructor(provider: EmbedderProvider) {
    this.#provider = provider;
  }

  async load(): Promise<Embedder | null> {
    const embedder = await this.#provider.load();
    if (!embedder) return null;
    return {
      info: embedder.info,
      embed: (texts, options) => {
        this.texts.push(...texts);
        return embedder.embed(texts, options);
      },
      countTokens: (text) => embedder.countTokens(text),
      close: () => embedder.close(),
    };
  }

  state() {
    return this.#provider.state();
  }
}

const bare = await new NodeEmbedderProvider(embedderOptions).load();
if (!bare) throw new Error("The embedding model is not installed: run `npm run setup` first.");
const recording = new RecordingProvider(new NodeEmbedderProvider(embedderOptions));
const directory = mkdtempSync(join(tmpdir(), "bench-ingest-"));
try {
  const engine = await createEngine({
    fileStore: await FsFileStore.open(directory),
    embedder: recording,
    sql: () => Promise.resolve(createNodeSqlEngine()),
  });
  const remember = (files: ImportFile[]) =>
    engine.importStore({ kind: "files", files }, { mode: "fast", keep: "exact" });

  const files = mailFiles(Number(values.count) + WARM_UP_MAILS);
  const warmUp = files.filter((_, i) => i % Math.floor(files.length / WARM_UP_MAILS) === 0);
  const measured = files.filter((file) => !warmUp.includes(file));
  await remember(warmUp);
  await bare.embed(recording.texts.slice(0, 64));

  const profile = new StageProfile();
  const turns: Turn[] = [];
  for (let round = 0; round < rounds; round++) {
    const slice = measured.filter((_, i) => i % rounds === round);
    recording.texts = [];
    const ingest = await profile.measure(() => remember(slice));
    const texts = recording.texts;
    // Under the profiler too, so that its cost is on both sides.
    const embed = await new StageProfile().measure(() => bare.embed(texts));
    if (ingest.result.failedCount > 0) console.error(ingest.result.failures);
    turns.push({
      mails: ingest.result.storedCount,
      duplicates: ingest.result.duplicateCount,
      rawBytes: sumBytes(slice),
      texts: texts.length,
      ingestSeconds: ingest.seconds,
      bareSeconds: embed.seconds,
      ingestCpuSeconds: ingest.cpuSeconds,
      bareCpuSeconds: embed.cpuSeconds,
    });
  }
  await engine.close();
  report(turns, profile);
} finally {
  rmSync(directory, { recursive: true });
  await bare.close();
}
// The runtime's threads would keep the process.
process.exit();

interface Turn {
  mails: number;
  duplicates: number;
  rawBytes: number;
  texts: number;
  ingestSeconds: number;
  bareSeconds: number;
  ingestCpuSeconds: number;
  bareCpuSeconds: number;
}

function report(turns: readonly Turn[], profile: StageProfile): void {
  const all = turns.slice(1).reduce(addTurns, { ...turns[0]! });
  const { stages, hot } = profile.times;
  const sampled = STAGES.reduce((total, stage) => total + stages[stage], 0);
  const shares = STAGES.map((stage) => ({ stage, share: stages[stage] / sampled }));
  console.log(
    `${all.mails} raw mails (${(all.rawBytes / 1e6).toFixed(2)} MB, ${all.duplicates} more were duplicates), ` +
      `${all.texts} sentences through the network; ${bare!.info.threads} thread(s), ` +
      `${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}`,
  );
  console.table(
    [...turns, all].map((turn, round) => ({
      turn: turn === all ? "all" : String(round + 1),
      "mails/s": (turn.mails / turn.ingestSeconds).toFixed(2),
      "sentences/s, ingest": (turn.texts / turn.ingestSeconds).toFixed(1),
      "sentences/s, bare embedder": (turn.texts / turn.bareSeconds).toFixed(1),
      ratio: (turn.bareSeconds / turn.ingestSeconds).toFixed(3),
      // Threads that wait for each other spin, so with several this says little.
      ...(bare!.info.threads === 1 && {
        "ratio by processor time": (turn.bareCpuSeconds / turn.ingestCpuSeconds).toFixed(3),
      }),
    })),
  );
  console.log("\nShare of the ingest's time (main thread, sampled):");
  console.table(shares.map(({ stage, share }) => ({ stage, "share %": (100 * share).toFixed(1) })));
  const rest = 1 - shares.find(({ stage }) => stage === "embed")!.share;
  console.log(`everything but embedding: ${(100 * rest).toFixed(1)} %\n`);
  const own = hot.slice(0, Number(values.hot));
  for (const { where, ms } of own)
    console.log(`${((100 * ms) / sampled).toFixed(2).padStart(6)} %  ${where}`);
  if (values.json) writeFileSync(values.json, JSON.stringify({ turns, shares, hot: own }, null, 2));
}

function addTurns(a: Turn, b: Turn): Turn {
  const sum = { ...a };
  for (const key of Object.keys(a) as (keyof Turn)[]) sum[key] = a[key] + b[key];
  return sum;
}
