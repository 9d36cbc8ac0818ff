/**
 * The kernels of quantization: scalar code, WebAssembly SIMD and, with `--browser`, both WebAssembly and
 * WebGPU in Chromium, beside a plain copy of the same bytes in the same run.
 *
 * `npm run bench -- kernels [--browser] [--rounds N] [--json FILE]`
 */

import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { cpuKernels } from "../../src/quantization/kernels/cpu-kernels.ts";
import { referenceKernels } from "../../src/quantization/kernels/reference-kernels.ts";
import { browserRows } from "./browser.ts";
import { measureKernels } from "./measure.ts";

const { values: flags } = parseArgs({
  options: {
    browser: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    json: { type: "string" },
  },
});
const rounds = Number(flags.rounds);
console.log(`${cpus()[0]?.model ?? "?"}, load ${loadavg()[0]!.toFixed(1)}, one thread`);
const rows = [
  ...(await measureKernels(referenceKernels, Math.min(rounds, 3))),
  ...(await measureKernels(await cpuKernels(), rounds)),
  ...(flags.browser ? await browserRows(rounds) : []),
];
console.table(
  rows.map((row) => ({
    system: row.system,
    kernel: row.kernel,
    ms: row.ms.toFixed(2),
    "GB/s": row.gigabytesPerSecond?.toFixed(2) ?? "–",
    "share of a copy": row.shareOfCopy === null ? "–" : `${(100 * row.shareOfCopy).toFixed(1)} %`,
    "G products/s": row.gigaproductsPerSecond?.toFixed(2) ?? "–",
  })),
);
if (flags.json) writeFileSync(flags.json, JSON.stringify({ rows }, null, 2));
