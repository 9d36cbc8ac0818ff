/**
 * `npm run bench -- store [--count 100000] [--gigabytes G] [--kilobytes 100] [--words] [--keep FOLDER]
 * [--json FILE]`:
 * how long a store takes to fill, fold and open, and what is resident meanwhile; each step in a
 * process of its own. First `--count` real sentences with seeded vectors: through the whole engine,
 * one by one and in groups, beside SQLite's FTS5 with the vectors as blobs; then opened from the
 * journal alone and from segments with snapshots; with `--gigabytes` a store of that much text, composed of
 * real paragraphs into memories of `--kilobytes`, too (`--words`: with its word index). Everything is
 * made in a temporary folder and removed, but the store of `--gigabytes` where `--keep` names a folder for it
 * (`bench -- browser --store FOLDER` asks it in Chromium).
 */

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runStep, type StepReport } from "./steps.ts";

if (process.argv[2] === "--step") {
  await runStep(process.argv.slice(3));
  process.exit();
}

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    gigabytes: { type: "string" },
    kilobytes: { type: "string", default: "100" },
    words: { type: "boolean", default: false },
    keep: { type: "string" },
    json: { type: "string" },
  },
});

async function run(step: string, ...args: string[]): Promise<StepReport[]> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1]!, "--step", step, ...args],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const line = output.split("\n").find((line) => line.startsWith("@@"));
  if (code !== 0 || line === undefined) throw new Error(`Step ${step} failed.\n${output}`);
  return JSON.parse(line.slice(2)) as StepReport[];
}

const all: { store: string; steps: StepReport[] }[] = [];

async function section(
  store: string,
  steps: [string, ...string[]][],
  kept?: string,
): Promise<void> {
  if (kept !== undefined) mkdirSync(kept, { recursive: true });
  const directory = kept ?? mkdtempSync(join(tmpdir(), "bench-store-"));
  try {
    const reports: StepReport[] = [];
    for (const [step, ...args] of steps) reports.push(...(await run(step, directory, ...args)));
    all.push({ store, steps: reports });
    console.log(`\n${store} (load ${loadavg()[0]!.toFixed(1)})`);
    console.table(
      reports.map(({ step, ms, cpuMs, rssMb, peakRssMb, ...more }) => ({
        step,
        ms,
        "cpu ms": cpuMs,
        "resident MB": rssMb,
        "most MB": peakRssMb,
        more: Object.entries(more)
          .map(([key, value]) => `${key} ${value}`)
          .join(", "),
      })),
    );
  } finally {
    if (kept === undefined) rmSync(directory, { recursive: true });
  }
}

const { count } = values;
if (Number(count) > 0) {
  await section(`Taking in ${count} sentences that bring their vectors`, [
    ["remember", count],
    ["sqlite", count],
  ]);
  await section(`Questions every 50 ms beside writing ${count} sentences`, [["beside", count]]);
  await section(`${count} sentences, journal only`, [["fill-journal", count], ["open"]]);
  await section(`${count} sentences, segments and snapshots`, [["fill-segments", count], ["open"]]);
}
if (values.gigabytes !== undefined) {
  const bytes = String(Number(values.gigabytes) * 1e9);
  const textBytes = String(Number(values.kilobytes) * 1000);
  await section(
    `${values.gigabytes} GB of text`,
    [
      ["fill-big", bytes, textBytes],
      // Made the first time, read from its snapshot the second.
      ...(values.words ? [["open"], ["open"]] : [["open-store"]]),
    ] as [string, ...string[]][],
    values.keep,
  );
}
if (values.json) writeFileSync(values.json, JSON.stringify(all, null, 2));
