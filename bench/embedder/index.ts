/**
 * Sentences per second of the bare embedder over real sentences (State of the Union addresses), by
 * batch bound and thread count. The runtime fixes its threads when it starts, so each thread count
 * runs in a process of its own; within one, the batch bounds take turns and the median counts.
 *
 * `npm run bench -- embedder [--json FILE] [--sentences N] [--rounds N] [--threads 1,2]`; with `--browser`
 * networks and transformers.js in Chromium, see `browser.ts`.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NodeEmbedderProvider } from "../../src/platform/node/ort-embedder.ts";
import { threadCandidates } from "../../src/processing/embedding/calibration.ts";
import { measureInBrowser } from "./browser.ts";
import { readSotuSentences } from "../../test/contract/sotu-sentences.ts";

const TOKEN_BOUNDS = [64, 128, 256, 512, 1024, 2048];

interface Row {
  threads: number;
  maxTokens: number;
  sentencesPerSecond: number;
  /** Lowest and highest round. */
  spread: [number, number];
  tokensPerSecond: number;
  /** Longest pause between two progress reports: what a query behind it may wait. */
  longestBatchMs: number;
}

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    sentences: { type: "string", default: "48" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string" },
    browser: { type: "boolean", default: false },
    install: { type: "boolean", default: false },
    // Set by this benchmark for its child processes.
    measure: { type: "string" },
    out: { type: "string" },
  },
});
const sentenceCount = Number(values.sentences);
const rounds = Number(values.rounds);

if (values.measure !== undefined && values.out !== undefined) {
  writeFileSync(values.out, JSON.stringify(await measure(Number(values.measure))));
  // The runtime's threads would keep the process.
  process.exit(0);
}

if (values.browser) {
  await measureInBrowser({
    sentences: sentenceCount,
    rounds,
    install: values.install,
    json: values.json,
  });
  process.exit(0);
}

const threadCounts = values.threads
  ? values.threads.split(",").map(Number)
  : threadCandidates(availableParallelism());
const rows = threadCounts.flatMap(measureInProcess);
console.log(
  `${sentenceCount} sentences, median of ${rounds} rounds; ${cpus()[0]?.model ?? "?"}, ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}`,
);
console.table(
  rows.map((row) => ({
    threads: row.threads,
    "tokens per batch": row.maxTokens,
    "sentences/s": row.sentencesPerSecond.toFixed(1),
    spread: row.spread.map((value) => value.toFixed(1)).join("–"),
    "tokens/s": Math.round(row.tokensPerSecond),
    "longest batch (ms)": Math.round(row.longestBatchMs),
  })),
);
if (values.json)
  writeFileSync(values.json, JSON.stringify({ sentenceCount, rounds, rows }, null, 2));

function measureInProcess(threads: number): Row[] {
  const folder = mkdtempSync(join(tmpdir(), "bench-embedder-"));
  const out = join(folder, "rows.json");
  try {
    const { status } = spawnSync(
      process.execPath,
      [
        "scripts/bench.mjs",
        "embedder",
        ...["--measure", String(threads), "--out", out],
        ...["--sentences", String(sentenceCount), "--rounds", String(rounds)],
      ],
      { stdio: "inherit" },
    );
    if (status !== 0)
      throw new Error(`The measurement with ${threads} threads ended with ${status}.`);
    return JSON.parse(readFileSync(out, "utf8")) as Row[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(threads: number): Promise<Row[]> {
  const sentences = readSotuSentences(sentenceCount);
  const speeds = new Map(TOKEN_BOUNDS.map((bound) => [bound, [] as number[]]));
  const pauses = new Map<number, number>();
  let tokens = 0;
  for (let round = 0; round <= rounds; round++)
    for (const maxTokens of TOKEN_BOUNDS) {
      const embedder = await new NodeEmbedderProvider({
        threads,
        limits: { maxTokens, maxRows: 64 },
      }).load();
      if (!embedder) throw new Error("The weights are missing: run `npm run setup`.");
      if (tokens === 0)
        for (const sentence of sentences) tokens += await embedder.countTokens(sentence);
      let last = performance.now();
      const started = last;
      let longest = 0;
      await embedder.embed(sentences, {
        onProgress: () => {
          const now = performance.now();
          longest = Math.max(longest, now - last);
          last = now;
        },
      });
      const seconds = (performance.now() - started) / 1000;
      await embedder.close();
      if (round === 0) continue; // warms the runtime up
      speeds.get(maxTokens)!.push(sentences.length / seconds);
      pauses.set(maxTokens, Math.min(pauses.get(maxTokens) ?? Infinity, longest));
    }
  return TOKEN_BOUNDS.map((maxTokens) => {
    const sorted = speeds.get(maxTokens)!.sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1]!;
    return {
      threads,
      maxTokens,
      sentencesPerSecond: median,
      spread: [sorted[0]!, sorted.at(-1)!],
      tokensPerSecond: (median * tokens) / sentences.length,
      longestBatchMs: pauses.get(maxTokens)!,
    };
  });
}
