/** Packages and networks as other programs read them: pyarrow and Python's ONNX Runtime. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as ort from "onnxruntime-web";
import { OrtGraphRuntime } from "../../../src/platform/onnx/ort-graph-runtime.ts";
import { openPackage, unpackTensor } from "../../../src/quantization/package/package-reader.ts";
import type { QuantizeSettings } from "../../../src/quantization/quantize-settings.ts";
import { quantize } from "../../../src/quantization/quantizer.ts";
import { bytesSource } from "../../../src/quantization/tensors/byte-source.ts";
import { embedSequences } from "../../../src/quantization/validation.ts";
import { loadZstd } from "../../../src/storage/zstd.ts";
import { openTinyBert, TINY_CONFIG, tinySequences } from "./support/tiny-bert.ts";

const PYTHON = ".cache/python-quantization";
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantized-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** With one text a batch: INT8 products depend on what else is in it. */
async function writeResult(settings: Omit<QuantizeSettings, "model">): Promise<void> {
  const codec = await loadZstd();
  const runtime = new OrtGraphRuntime(ort);
  const result = await quantize(
    await openTinyBert(),
    { model: "tiny", ...settings },
    { codec, config: TINY_CONFIG, runtime, calibration: tinySequences(60, 3) },
  );
  const sequences = tinySequences(6, 21);
  const vectors = [];
  for (const sequence of sequences)
    vectors.push(...(await embedSequences(runtime, result.network!, [sequence])));
  const tensors: Record<string, number[]> = {};
  for await (const tensor of (
    await openPackage(bytesSource("package", result.package), codec)
  ).tensors())
    if (/layer\.1|word_embeddings/.test(tensor.name))
      tensors[tensor.name] = Array.from(unpackTensor(tensor));
  await writeFile(join(folder, "weights.parquet"), result.package);
  await writeFile(join(folder, "model.onnx"), result.network!);
  await writeFile(
    join(folder, "expected.json"),
    JSON.stringify({
      sequences: sequences.map((one) => Array.from(one)),
      vectors: vectors.map((one) => Array.from(one)),
      tensors,
    }),
  );
}

describe("what is written is read the same by pyarrow and Python's ONNX Runtime", () => {
  it.for<[string, Omit<QuantizeSettings, "model">]>([
    ["4 bits in groups", { bits: 4, group: 32 }],
    ["2 bits, GPTQ", { bits: 2, group: 32, gptq: true }],
    ["8 bits a row, symmetric", { bits: 8, group: "channel", symmetric: true }],
    ["INT8 products, smoothed", { bits: 8, group: "channel", arithmetic: "int8", smooth: true }],
  ])("%s", { timeout: 320_000 }, async ([, settings], { skip }) => {
    await writeResult(settings);
    const run = () =>
      spawnSync("python3", ["scripts/check-quantized.py", folder], {
        encoding: "utf8",
        timeout: 60_000,
      });
    let result = run();
    if (result.status === 3 && !existsSync(join(PYTHON, "onnxruntime"))) {
      spawnSync(
        "python3",
        ["-m", "pip", "install", "--quiet", "--target", PYTHON, "pyarrow", "onnxruntime"],
        { encoding: "utf8", timeout: 240_000 },
      );
      result = run();
    }
    if (result.error || result.status === 3) {
      const reason = `SKIPPED: pyarrow and onnxruntime can't be had here (${result.error?.message ?? result.stderr})`;
      console.warn(reason);
      skip(reason);
    }
    expect(result.stderr.replace(/^.*\[W:.*\n/gm, "")).toBe("");
    expect(result.stdout).toContain("the same bit for bit");
    expect(result.stdout).toContain("network: 6 vectors");
  });
});
