/**
 * `npm run bench -- browser [--count 100000] [--queries 400] [--rounds 5] [--seconds 5] [--profile FOLDER]
 * [--store FOLDER] [--json FILE]`: the whole engine in Chromium. Recalls over real sentences with the
 * installed model, from one caller and from many (`--profile` keeps the store for the next run); with
 * `--store` a folder that Node made (`bench -- store --gigabytes G --words --keep FOLDER`) is opened and
 * asked there instead. How soon a page answers after it was opened: `bench -- start-up`.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { printRows } from "../search/rows.ts";
import { askLargeStore } from "./large-store.ts";
import { recallRows } from "./recalls.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    queries: { type: "string", default: "400" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    profile: { type: "string" },
    store: { type: "string" },
    json: { type: "string" },
  },
});

async function run(): Promise<object> {
  if (values.store !== undefined) {
    const report = await askLargeStore(values.store);
    console.table(report);
    return report;
  }
  const rows = await recallRows({
    count: Number(values.count),
    queries: Number(values.queries),
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    profile: values.profile,
  });
  printRows(rows);
  return { rows };
}

const result = await run();
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(result, null, 2));
