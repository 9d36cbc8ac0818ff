import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesSource } from "../../../../src/quantization/tensors/byte-source.ts";
import { openSafetensors } from "../../../../src/quantization/tensors/safetensors.ts";
import { TINY_CONFIG, tinyBertBytes } from "../../quantization/support/tiny-bert.ts";
import { runInProcess } from "./in-process.ts";

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "llmc-weights-"));
  await writeFile(join(cwd, "model.safetensors"), tinyBertBytes());
  await writeFile(join(cwd, "config.json"), JSON.stringify(TINY_CONFIG));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

describe("weights on the command line", () => {
  it("are quantized, inspected and written back", async () => {
    const made = await runInProcess(cwd, [
      "quantize",
      "-i",
      "model.safetensors",
      "-o",
      "int8",
      "--group-size",
      "32",
      "--json",
    ]);
    expect(made.stderr).toBe("");
    expect(made.code).toBe(0);
    const report = JSON.parse(made.text) as {
      sizes: { packageBytes: number; networkBytes: number };
    };
    expect((await readFile(join(cwd, "int8", "weights.parquet"))).length).toBe(
      report.sizes.packageBytes,
    );
    expect((await readFile(join(cwd, "int8", "model.onnx"))).length).toBe(
      report.sizes.networkBytes,
    );
    expect(await readFile(join(cwd, "int8", "report.md"), "utf8")).toContain("round-to-nearest");

    const shown = await runInProcess(cwd, ["inspect", "int8/weights.parquet"]);
    expect(shown.text).toMatch(
      /encoder\.layer\.1\.output\.dense\.weight\s+F32\s+\[64, 128\].*8 bits, 32/,
    );
    const onnx = await runInProcess(cwd, ["inspect", "int8/model.onnx", "--json"]);
    expect(onnx.code).toBe(0);
    expect(onnx.text).toContain('"format":"onnx"');

    const back = await runInProcess(cwd, [
      "dequantize",
      "-i",
      "int8/weights.parquet",
      "-o",
      "back.safetensors",
    ]);
    expect(back.code).toBe(0);
    const file = await openSafetensors(
      bytesSource("back", await readFile(join(cwd, "back.safetensors"))),
    );
    const original = await openSafetensors(bytesSource("model", tinyBertBytes()));
    const name = "encoder.layer.0.intermediate.dense.weight";
    const [values, wanted] = [await file.readFloats(name), await original.readFloats(name)];
    expect(Math.max(...values.map((value, i) => Math.abs(value - wanted[i]!)))).toBeLessThan(0.01);
  });

  it("say what is wrong with them and leave nothing half done", async () => {
    const run = (...args: string[]) => runInProcess(cwd, ["quantize", "-o", "out", ...args]);
    expect(await run("-i", "model.safetensors", "--gptq")).toMatchObject({ code: 2 });
    expect(await run("-i", "model.safetensors", "--bits", "3")).toMatchObject({ code: 2 });
    expect(await run("-i", "missing.safetensors")).toMatchObject({ code: 4 });
    await writeFile(join(cwd, "cut.safetensors"), tinyBertBytes().subarray(0, 5000));
    expect(await run("-i", "cut.safetensors")).toMatchObject({ code: 5 });
    await writeFile(join(cwd, "texts.txt"), "One text.\n".repeat(20));
    const without = await run("-i", "model.safetensors", "--calibration", "texts.txt", "--gptq");
    expect(without.code).toBe(4);
    expect(without.stderr).toContain("tokenizer.json");
    await expect(readFile(join(cwd, "out", "report.json"))).rejects.toThrow();
  });
});
