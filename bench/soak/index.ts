/**
 * `npm run bench -- soak [--minutes 10] [--rounds N] [--seed N] [--no-model] [--json FILE]`: stores
 * that are written, searched, compacted, forgotten from and erased by real commands which are killed
 * (SIGKILL) at random moments, held against a model of what was acknowledged. Prints what was
 * checked; a broken promise is printed with the seed and the steps that led to it, and ends with 1.
 * The seed repeats the choices; where in its work a process is when it is killed, no seed decides.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildOnce, ROOT } from "../../test/cli/support/build.ts";
import { runSoak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    rounds: { type: "string" },
    seed: { type: "string" },
    "no-model": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    json: { type: "string" },
  },
});

const models = join(ROOT, ".cache/models");
const hasModel = existsSync(join(models, "all-MiniLM-L6-v2-int8/model.onnx"));
const folder = mkdtempSync(join(tmpdir(), "llmc-soak-"));
const report = await runSoak({
  build: await buildOnce(),
  folder,
  seed: values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed),
  minutes: Number(values.minutes),
  rounds: values.rounds === undefined ? Infinity : Number(values.rounds),
  models: hasModel && !values["no-model"] ? models : null,
  ...(values.verbose ? { onRound: (line) => console.error(line) } : {}),
});

console.log(
  `seed ${report.seed}: ${report.rounds} rounds on ${report.stores} stores in ${(report.elapsedMs / 60_000).toFixed(1)} min, ${report.kills} kills`,
);
console.table(report.commands);
console.table([
  {
    "memories acknowledged": report.acknowledged,
    verifications: report.verifications,
    "memories checked": report.memoriesChecked,
    "deleted ones checked": report.deletedChecked,
    "index comparisons": report.indexComparisons,
    violations: report.violation ? 1 : 0,
  },
]);
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
if (report.violation) {
  console.error(`Broken promise (--seed ${report.seed}); the store is kept in ${folder}:`);
  console.error(report.violation);
  process.exitCode = 1;
} else rmSync(folder, { recursive: true, force: true });
