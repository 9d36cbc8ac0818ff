/**
 * Peak memory of quantizing a model of about 500 MB: BERT-base's shapes with a vocabulary of 50,000,
 * random weights, written tensor by tensor into a temporary file. Each variant runs in a process of its own.
 *
 * `npm run bench -- large-weights [--json FILE]`
 */

import { spawnSync } from "node:child_process";
import { open, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { weightsAccess } from "../../src/platform/node/weights-folder.ts";
import type { QuantizeSettings } from "../../src/quantization/quantize-settings.ts";
import { quantize } from "../../src/quantization/quantizer.ts";
import { loadZstd } from "../../src/storage/zstd.ts";

const CONFIG = {
  model_type: "bert",
  hidden_act: "gelu",
  hidden_size: 768,
  intermediate_size: 3072,
  num_attention_heads: 12,
  num_hidden_layers: 12,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  vocab_size: 50_000,
  layer_norm_eps: 1e-12,
};
const VARIANTS: Record<string, Omit<QuantizeSettings, "model">> = {
  "int8, a scale a row": { bits: 8, group: "channel" },
  "int4, groups of 128": { bits: 4, group: 128 },
  "int2, groups of 32": { bits: 2, group: 32 },
};

function tensors(): [name: string, shape: number[]][] {
  const { hidden_size: hidden, intermediate_size: wide } = CONFIG;
  const norm = (path: string): [string, number[]][] => [
    [`${path}.weight`, [hidden]],
    [`${path}.bias`, [hidden]],
  ];
  const linear = (path: string, rows: number, columns: number): [string, number[]][] => [
    [`${path}.weight`, [rows, columns]],
    [`${path}.bias`, [rows]],
  ];
  const layers = Array.from({ length: CONFIG.num_hidden_layers }, (_, layer) => {
    const path = `encoder.layer.${layer}`;
    return [
      ...["query", "key", "value"].flatMap((kind) =>
        linear(`${path}.attention.self.${kind}`, hidden, hidden),
      ),
      ...linear(`${path}.attention.output.dense`, hidden, hidden),
      ...norm(`${path}.attention.output.LayerNorm`),
      ...linear(`${path}.intermediate.dense`, wide, hidden),
      ...linear(`${path}.output.dense`, hidden, wide),
      ...norm(`${path}.output.LayerNorm`),
    ];
  }).flat();
  return [
    ["embeddings.word_embeddings.weight", [CONFIG.vocab_size, hidden]],
    ["embeddings.position_embeddings.weight", [CONFIG.max_position_embeddings, hidden]],
    ["embeddings.token_type_embeddings.weight", [CONFIG.type_vocab_size, hidden]],
    ...norm("embeddings.LayerNorm"),
    ...layers,
  ];
}

async function writeModel(path: string): Promise<void> {
  const header: Record<string, unknown> = {};
  let at = 0;
  const sizes = tensors().map(([name, shape]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + 4 * count] };
    at += 4 * count;
    return count;
  });
  const json = JSON.stringify(header);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = await open(path, "w");
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(headerBytes));
  await file.write(head);
  await file.write(json.padEnd(headerBytes));
  let state = 1;
  for (const count of sizes) {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      // About normal: weights aren't spread evenly.
      let sum = 0;
      for (let part = 0; part < 3; part++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        sum += state / 2 ** 32 - 0.5;
      }
      values[i] = 0.05 * sum;
    }
    await file.write(new Uint8Array(values.buffer));
  }
  await file.close();
}

async function measure(path: string, variant: string) {
  const file = await weightsAccess.open(path);
  const codec = await loadZstd();
  const before = process.memoryUsage().rss;
  const { report } = await quantize(
    file,
    { model: "large", ...VARIANTS[variant]! },
    { codec, config: CONFIG },
  );
  return {
    weights: variant,
    sourceMB: file.sizeBytes / 1e6,
    packageMB: report.sizes.packageBytes / 1e6,
    networkMB: report.sizes.networkBytes! / 1e6,
    seconds: report.elapsedMs / 1000,
    startMB: before / 1e6,
    /** `maxRSS` is in kibibytes. */
    peakMB: (process.resourceUsage().maxRSS * 1024) / 1e6,
  };
}

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    // Set by this benchmark for its child processes.
    measure: { type: "string" },
    model: { type: "string" },
  },
});
if (flags.measure !== undefined && flags.model !== undefined) {
  process.stdout.write(JSON.stringify(await measure(flags.model, flags.measure)));
  process.exit(0);
}
const folder = await mkdtemp(join(tmpdir(), "bench-large-weights-"));
try {
  const path = join(folder, "model.safetensors");
  await writeModel(path);
  console.log(`${((await stat(path)).size / 1e6).toFixed(0)} MB of float32 weights`);
  const rows = Object.keys(VARIANTS).map((variant) => {
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), "--measure", variant, "--model", path],
      { encoding: "utf8", maxBuffer: 1e8, stdio: ["ignore", "pipe", "inherit"] },
    );
    if (child.status !== 0) throw new Error(`"${variant}" ended with ${child.status}.`);
    return JSON.parse(child.stdout) as Awaited<ReturnType<typeof measure>>;
  });
  console.table(
    rows.map(({ weights, ...figures }) => ({
      weights,
      ...Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, value.toFixed(0)])),
    })),
  );
  if (flags.json) writeFileSync(flags.json, JSON.stringify({ rows }, null, 2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
