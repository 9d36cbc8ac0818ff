/**
 * `npm run bench -- episodes --data DIR [--limit 1] [--mode fast] [--json FILE]`: remembers LoCoMo
 * conversations turn by turn, a thread each, builds episodes with the real engine, and prints for
 * every episode its size, the bytes of its gist in the compacted store, and its quality; then the
 * share of groups that passed, and the means over those of at least 15 KB.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createEngine } from "../../src/create-engine.ts";
import { META, type CompressionMode } from "../../src/model/memory.ts";
import { MemoryFileStore } from "../../src/platform/memory/memory-file-store.ts";
import { createNodeSqlEngine } from "../../src/platform/node/duckdb.ts";
import { NodeEmbedderProvider } from "../../src/platform/node/ort-embedder.ts";
import { readLocomo } from "../recall/locomo.ts";

const LARGE_BYTES = 15_000;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: "string" },
      limit: { type: "string", default: "1" },
      mode: { type: "string", default: "fast" },
      json: { type: "string" },
    },
  });
  if (values.data === undefined)
    throw new Error("Give the folder of LoCoMo JSON files: npm run bench -- episodes --data DIR");
  const engine = await createEngine({
    fileStore: new MemoryFileStore(),
    embedder: new NodeEmbedderProvider(),
    sql: async () => createNodeSqlEngine(),
  });
  const progress = ({
    stage,
    done,
    total,
  }: {
    stage: string;
    done: number;
    total: number | null;
  }) => void process.stderr.write(`\r${stage} ${done} of ${total ?? "?"}   `);
  for (const { name, turns } of readLocomo(values.data).slice(0, Number(values.limit)))
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
      { onProgress: progress },
    );
  const started = performance.now();
  const report = await engine.episodes.build({
    mode: values.mode as CompressionMode,
    onProgress: progress,
  });
  const seconds = (performance.now() - started) / 1000;
  await engine.compact();
  const { items } = await engine.episodes.list({ limit: 1000 });
  process.stderr.write("\n");
  console.log(
    `${"members".padStart(8)}${"bytes".padStart(9)}${"gist".padStart(7)}${"stored".padStart(8)}${"ratio".padStart(8)}${"sim".padStart(7)}${"faith".padStart(7)}${"names".padStart(7)}${"numbers".padStart(8)}`,
  );
  const rows = items.map((episode) => ({
    members: episode.memberCount,
    bytes: episode.originalBytes,
    gist: new TextEncoder().encode(episode.gist).length,
    stored: episode.gistBytes,
    ratio: episode.originalBytes / episode.gistBytes,
    ...episode.quality,
  }));
  for (const row of rows)
    console.log(
      `${String(row.members).padStart(8)}${String(row.bytes).padStart(9)}${String(row.gist).padStart(7)}${String(row.stored).padStart(8)}${row.ratio.toFixed(1).padStart(8)}${(row.similarity ?? 0).toFixed(3).padStart(7)}${row.faithfulness.toFixed(2).padStart(7)}${row.entityRecall.toFixed(2).padStart(7)}${row.numberRecall.toFixed(2).padStart(8)}`,
    );
  for (const { title, reason } of report.refused) console.log(`refused: ${title}: ${reason}`);
  const large = rows.filter(({ bytes }) => bytes >= LARGE_BYTES);
  const summary = {
    episodes: rows.length,
    refused: report.refused.length,
    seconds,
    large: {
      count: large.length,
      ratio: mean(large.map(({ ratio }) => ratio)),
      lowestRatio: Math.min(...large.map(({ ratio }) => ratio)),
      similarity: mean(large.map(({ similarity }) => similarity ?? 0)),
      faithfulness: Math.min(...large.map(({ faithfulness }) => faithfulness)),
      entityRecall: mean(large.map(({ entityRecall }) => entityRecall)),
      numberRecall: mean(large.map(({ numberRecall }) => numberRecall)),
    },
  };
  console.log(
    `\n${rows.length} episodes, ${report.refused.length} groups refused, built in ${seconds.toFixed(1)} s; of at least 15 KB: ${large.length}, ratio ${summary.large.ratio.toFixed(1)} (lowest ${summary.large.lowestRatio.toFixed(1)}), similarity ${summary.large.similarity.toFixed(3)}, names ${summary.large.entityRecall.toFixed(2)}, numbers ${summary.large.numberRecall.toFixed(2)}`,
  );
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ ...summary, rows }, null, 2));
  await engine.close();
}

await main(process.argv.slice(2));
