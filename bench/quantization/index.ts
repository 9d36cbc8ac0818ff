/**
 * What quantization does to all-MiniLM-L6-v2: sizes, vectors and retrieval beside float32 on text that
 * calibration hasn't seen, naive rounding and GPTQ side by side. Calibration: sentences of addresses
 * before 1960, of the first half of a novel, and of mails; held out: later addresses, the novel's second half, other mails.
 *
 * `npm run bench -- quantization [--json FILE] [--samples N] [--held-out N] [--only PART/PART…]`
 */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { defaultModelsDirectory } from "../../src/platform/node/ort-embedder.ts";
import { weightsAccess } from "../../src/platform/node/weights-folder.ts";
import { buildEncoder } from "../../src/quantization/bert/bert-graph.ts";
import { BertWeights, parseBertConfig } from "../../src/quantization/bert/bert-model.ts";
import type { QuantizeSettings } from "../../src/quantization/quantize-settings.ts";
import { quantize } from "../../src/quantization/quantizer.ts";
import { referenceOf } from "../../src/quantization/validation.ts";
import { loadZstd } from "../../src/storage/zstd.ts";
import { calibrationTexts } from "./texts.ts";
import { roundingSpeed } from "./rounding-speed.ts";

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    samples: { type: "string", default: "512" },
    "held-out": { type: "string", default: "300" },
    only: { type: "string" },
  },
});

type Variant = Omit<QuantizeSettings, "model">;
const VARIANTS: Record<string, Variant> = {
  "int8 channel, rounded": { bits: 8, group: "channel" },
  "int8 g128, rounded": { bits: 8, group: 128 },
  "int8 products": { bits: 8, group: "channel", arithmetic: "int8" },
  "int8 products, smoothed": { bits: 8, group: "channel", arithmetic: "int8", smooth: true },
  "int4 g128, rounded": { bits: 4, group: 128, clipSearch: false },
  "int4 g128, GPTQ": { bits: 4, group: 128, gptq: true },
  "int2 g32, rounded": { bits: 2, group: 32, clipSearch: false },
  "int2 g32, rounded, clipped": { bits: 2, group: 32 },
  "int2 g32, GPTQ": { bits: 2, group: 32, gptq: true },
  "2 and 4 bits, 2.7 a weight, table 4 bits, GPTQ": {
    bits: 4,
    group: 64,
    gptq: true,
    tableBits: 4,
    mixed: { bitsPerWeight: 2.7 },
  },
  "2 and 4 bits, 3.3 a weight, GPTQ": {
    bits: 4,
    group: 64,
    gptq: true,
    mixed: { bitsPerWeight: 3.3 },
  },
};

const folder = join(defaultModelsDirectory(), "all-MiniLM-L6-v2");
const path = join(folder, "model.safetensors");
if (!existsSync(path)) {
  console.error(
    "The float32 weights are missing: node scripts/fetch-weights.mjs --model all-MiniLM-L6-v2",
  );
  process.exit(1);
}
const json = async (name: string): Promise<unknown> =>
  JSON.parse(new TextDecoder().decode(await weightsAccess.readBeside(path, name)));
const config = await json("config.json");
const tokenizer = weightsAccess.tokenizer(await json("tokenizer.json"));
const file = await weightsAccess.open(path);
const runtime = await weightsAccess.runtime();
const codec = await loadZstd();
const texts = calibrationTexts(Number(flags.samples), Number(flags["held-out"]));
const encode = (list: readonly string[]): Int32Array[] =>
  list.map((text) => tokenizer.encode(text, 128));
const calibration = encode(texts.calibration);
const heldOut = encode(texts.heldOut);
const tokens = calibration.reduce((sum, { length }) => sum + length, 0);
console.log(
  `${calibration.length} calibration texts (${tokens} tokens), ${heldOut.length} held out; ${cpus()[0]?.model ?? "?"}, load ${loadavg()[0]!.toFixed(1)}`,
);
const encoder = BertWeights.open(file, parseBertConfig(config));
const reference = await referenceOf(runtime, await buildEncoder(encoder), heldOut);

const only = flags.only?.split("/");
const rows = [];
for (const [name, { gptq = false, ...settings }] of Object.entries(VARIANTS)) {
  if (only && !only.some((part) => name.includes(part))) continue;
  const needsText = gptq || settings.smooth === true;
  const started = process.cpuUsage();
  const result = await quantize(
    file,
    { model: "all-MiniLM-L6-v2", gptq, ...settings },
    { codec, config, runtime, heldOut, reference, ...(needsText ? { calibration } : {}) },
  );
  const used = process.cpuUsage(started);
  const { sizes, quality, retrieval, elapsedMs } = result.report;
  const row = {
    name,
    bitsPerWeight: result.report.bitsPerWeight,
    packedMB: sizes.packedBytes / 1e6,
    packageMB: sizes.packageBytes / 1e6,
    networkMB: (sizes.networkBytes ?? 0) / 1e6,
    timesSmallerThanHalf: sizes.halfPrecisionBytes / sizes.packedBytes,
    cosineMean: quality!.cosineMean,
    cosineP5: quality!.cosineP5,
    top10Overlap: quality!.top10Overlap!,
    recall1: retrieval!.quantized.recall1,
    recall10: retrieval!.quantized.recall10,
    recall1Loss: 1 - retrieval!.quantized.recall1 / retrieval!.original.recall1,
    recall10Loss: 1 - retrieval!.quantized.recall10 / retrieval!.original.recall10,
    seconds: elapsedMs / 1000,
    cpuSeconds: (used.user + used.system) / 1e6,
  };
  rows.push(row);
  console.log(
    `${name}: cosine ${row.cosineMean.toFixed(4)}, p5 ${row.cosineP5.toFixed(4)}, top ten ${row.top10Overlap.toFixed(3)}, ${row.seconds.toFixed(1)} s`,
  );
}
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
console.log(
  `float32: recall@1 ${reference.recall.recall1.toFixed(3)}, recall@10 ${reference.recall.recall10.toFixed(3)} of ${reference.split.first.length} halved texts`,
);
console.table(
  rows.map((row) => ({
    weights: row.name,
    "bits/weight": row.bitsPerWeight?.toFixed(2) ?? "–",
    "packed MB": row.packedMB.toFixed(1),
    "package MB": row.packageMB.toFixed(1),
    "ONNX MB": row.networkMB.toFixed(1),
    "x fp16": row.timesSmallerThanHalf.toFixed(2),
    cosine: row.cosineMean.toFixed(4),
    p5: row.cosineP5.toFixed(4),
    "top 10": row.top10Overlap.toFixed(3),
    "recall@1 loss": percent(row.recall1Loss),
    "recall@10 loss": percent(row.recall10Loss),
    s: row.seconds.toFixed(1),
    "CPU s": row.cpuSeconds.toFixed(1),
  })),
);
const speed = await roundingSpeed(encoder);
console.table(speed);
if (flags.json)
  writeFileSync(flags.json, JSON.stringify({ rows, reference: reference.recall, speed }, null, 2));
// The runtime's threads would keep the process.
process.exit(0);
