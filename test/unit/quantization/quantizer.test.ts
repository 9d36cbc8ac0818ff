import { beforeAll, describe, expect, it } from "vitest";
import * as ort from "onnxruntime-web";
import { readParquet, Table } from "parquet-wasm";
import { tableFromIPC } from "apache-arrow";
import { OrtGraphRuntime } from "../../../src/platform/onnx/ort-graph-runtime.ts";
import {
  factorInputs,
  quantizeWithGptq,
  type InputStatistics,
} from "../../../src/quantization/gptq.ts";
import { AppError } from "../../../src/errors.ts";
import type { PackedTensor } from "../../../src/quantization/package/package-writer.ts";
import { openPackage, unpackTensor } from "../../../src/quantization/package/package-reader.ts";
import type { QuantizeSettings } from "../../../src/quantization/quantize-settings.ts";
import { quantize } from "../../../src/quantization/quantizer.ts";
import { referenceKernels } from "../../../src/quantization/kernels/reference-kernels.ts";
import { dequantizeTensor, quantizeTensor } from "../../../src/quantization/round-to-nearest.ts";
import { reportMarkdown } from "../../../src/quantization/report.ts";
import { bytesSource } from "../../../src/quantization/tensors/byte-source.ts";
import { compareVectors, embedSequences } from "../../../src/quantization/validation.ts";
import { loadZstd, type Zstd } from "../../../src/storage/zstd.ts";
import { openTinyBert, seeded, TINY_CONFIG, tinySequences } from "./support/tiny-bert.ts";

let zstd: Zstd;
let runtime: OrtGraphRuntime;
beforeAll(async () => {
  zstd = await loadZstd();
  ort.env.wasm.numThreads = 1;
  runtime = new OrtGraphRuntime(ort);
});

const settings = (change: Partial<QuantizeSettings> = {}): QuantizeSettings => ({
  model: "tiny",
  bits: 8,
  group: 32,
  ...change,
});

async function readAll(bytes: Uint8Array): Promise<PackedTensor[]> {
  const found: PackedTensor[] = [];
  for await (const tensor of (
    await openPackage(bytesSource("weights.parquet", bytes), zstd)
  ).tensors())
    found.push(tensor);
  return found;
}

describe("quantizing a model", () => {
  it("writes a package whose values are those of the reference, checked and readable elsewhere", async () => {
    const file = await openTinyBert();
    const { package: bytes, report } = await quantize(file, settings({ bits: 4 }), {
      codec: zstd,
    });
    const opened = await openPackage(bytesSource("weights.parquet", bytes), zstd);
    expect(opened.info).toMatchObject({ model: "tiny", tensorCount: file.tensors.size });
    for await (const tensor of opened.tensors()) {
      const original = await file.readFloats(tensor.name);
      const [rows, ...rest] = tensor.shape as [number, ...number[]];
      const expected =
        tensor.values.kind === "float32"
          ? original
          : dequantizeTensor(
              quantizeTensor(
                original,
                rows,
                rest.reduce((a, b) => a * b, 1),
                tensor.values.tensor.scheme,
                {
                  clipSearch: tensor.values.tensor.scheme.bits < 8,
                },
              ),
            );
      expect(unpackTensor(tensor)).toEqual(expected);
    }
    const table = tableFromIPC((readParquet(bytes) as Table).intoIPCStream());
    expect(table.numRows).toBe(file.tensors.size);
    expect(report.networkReason).toMatch(/config/);
    expect(report.sizes.packageBytes).toBe(bytes.length);

    const whole = await readAll(bytes);
    for (let at = 3; at < bytes.length; at += Math.ceil(bytes.length / 150)) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << (at & 7);
      // What a flipped bit doesn't change is the same; all else is refused.
      const read = await readAll(damaged).catch((error: unknown) => error as AppError);
      if (read instanceof AppError)
        expect(["corrupt_data", "unsupported_version"]).toContain(read.code);
      else expect(read).toEqual(whole);
    }
    await expect(readAll(bytes.slice(0, -9))).rejects.toMatchObject({ code: "corrupt_data" });
  });

  it("builds a network that gives nearly the original's vectors, more nearly with more bits", async () => {
    const file = await openTinyBert("bert.");
    const texts = tinySequences(40, 3);
    const heldOut = { codec: zstd, config: TINY_CONFIG, runtime, heldOut: texts };
    const cosine = async (change: Partial<QuantizeSettings>): Promise<number> => {
      const { report, network } = await quantize(file, settings(change), heldOut);
      expect(network).not.toBeNull();
      return report.quality!.cosineMean;
    };
    expect(await cosine({ bits: 32 })).toBeGreaterThan(0.999999);
    expect(await cosine({ bits: 8 })).toBeGreaterThan(0.999);
    expect(await cosine({ bits: 8, group: "channel", arithmetic: "int8" })).toBeGreaterThan(0.99);
    const four = await cosine({ bits: 4 });
    expect(four).toBeGreaterThan(0.9);
    expect(await cosine({ bits: 2 })).toBeLessThan(four);
  });

  it("loses less with GPTQ than with rounding at two bits", async () => {
    const file = await openTinyBert();
    const options = { codec: zstd, config: TINY_CONFIG, runtime, heldOut: tinySequences(60, 5) };
    const rounded = await quantize(file, settings({ bits: 2 }), options);
    const fitted = await quantize(file, settings({ bits: 2, gptq: true }), {
      ...options,
      calibration: tinySequences(200, 11),
    });
    expect(fitted.report.quality!.cosineMean).toBeGreaterThan(rounded.report.quality!.cosineMean);
    expect(fitted.report.tensors.filter(({ method }) => method === "gptq")).toHaveLength(12);
    // Corrected biases are what the package holds, too.
    const biases = [];
    for await (const tensor of (
      await openPackage(bytesSource("p", fitted.package), zstd)
    ).tensors())
      if (tensor.name.endsWith("query.bias")) biases.push(unpackTensor(tensor));
    expect(biases[0]).not.toEqual(
      await file.readFloats("encoder.layer.0.attention.self.query.bias"),
    );
    expect(reportMarkdown(fitted.report)).toContain("gptq");
  });

  it("smooths inputs with outliers, so that INT8 products lose less; the package gives the weights back", async () => {
    const file = await openTinyBert();
    const options = {
      codec: zstd,
      config: TINY_CONFIG,
      runtime,
      heldOut: tinySequences(60, 5),
      calibration: tinySequences(100, 11),
    };
    const plain = settings({ bits: 8, group: "channel", arithmetic: "int8" });
    const rough = await quantize(file, plain, options);
    const smooth = await quantize(file, { ...plain, smooth: true }, options);
    expect(smooth.report.quality!.cosineMean).toBeGreaterThanOrEqual(
      rough.report.quality!.cosineMean,
    );
    const name = "encoder.layer.0.attention.self.query.weight";
    const original = await file.readFloats(name);
    let smoothed = 0;
    for await (const tensor of (
      await openPackage(bytesSource("p", smooth.package), zstd)
    ).tensors()) {
      if (tensor.values.kind === "affine" && tensor.values.tensor.columnFactors) smoothed++;
      if (tensor.name !== name) continue;
      const values = unpackTensor(tensor);
      const largest = Math.max(...original.map(Math.abs));
      expect(Math.max(...values.map((value, i) => Math.abs(value - original[i]!)))).toBeLessThan(
        largest / 40,
      );
    }
    expect(smoothed).toBeGreaterThan(0);
  });

  it("mixes bits under a size, the better the more of it there is", async () => {
    const file = await openTinyBert();
    const options = { codec: zstd, config: TINY_CONFIG, runtime, heldOut: tinySequences(60, 5) };
    const mix = (bitsPerWeight: number) =>
      quantize(file, settings({ bits: 4, mixed: { bitsPerWeight } }), {
        ...options,
        calibration: tinySequences(60, 11),
      });
    const [small, large] = [await mix(3.8), await mix(6)];
    expect(small.report.bitsPerWeight).toBeLessThanOrEqual(3.8);
    expect(large.report.bitsPerWeight).toBeLessThanOrEqual(6);
    expect(large.report.quality!.cosineMean).toBeGreaterThan(small.report.quality!.cosineMean);
    const used = new Set(small.report.tensors.map(({ scheme }) => scheme?.bits));
    expect(used.size).toBeGreaterThan(2);
    await expect(mix(1)).rejects.toMatchObject({ code: "invalid_input" });
  });

  it("says what doesn't go together", async () => {
    const file = await openTinyBert();
    for (const change of [
      { bits: 8, arithmetic: "int8", gptq: true },
      { bits: 8, smooth: true },
      { bits: 32, mixed: { bitsPerWeight: 4 } },
      { bits: 4, gptq: true },
    ] as const)
      await expect(
        quantize(file, settings(change), { codec: zstd, config: TINY_CONFIG, runtime }),
      ).rejects.toMatchObject({ code: "invalid_input" });
    // Without a config nobody knows which layers there are to mix.
    await expect(
      quantize(file, settings({ bits: 4, mixed: { bitsPerWeight: 4 } }), { codec: zstd }),
    ).rejects.toMatchObject({ code: "invalid_input" });
    await expect(
      quantize(file, settings({ bits: 4, arithmetic: "int8" }), { codec: zstd }),
    ).rejects.toMatchObject({ code: "invalid_input" });
    await expect(
      quantize(file, settings(), { codec: zstd, config: { ...TINY_CONFIG, hidden_size: 32 } }),
    ).rejects.toMatchObject({ code: "corrupt_data" });
    await expect(
      quantize(file, settings({ bits: 4, gptq: true }), {
        codec: zstd,
        config: TINY_CONFIG,
        runtime,
        calibration: [Int32Array.of(5000)],
      }),
    ).rejects.toMatchObject({ code: "invalid_input" });
    const other = await quantize(file, settings(), {
      codec: zstd,
      config: { model_type: "t5" },
    });
    expect(other.network).toBeNull();
    expect(other.report.networkReason).toMatch(/BERT/);
    const controller = new AbortController();
    controller.abort();
    await expect(
      quantize(file, settings(), { codec: zstd, signal: controller.signal }),
    ).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("GPTQ", () => {
  it("loses less of the output than rounding, where inputs go together", () => {
    const next = seeded(3);
    const [rows, columns, count] = [16, 32, 400];
    const weights = Float32Array.from({ length: rows * columns }, () => next() - 0.5);
    const inputs = Array.from({ length: count }, () => {
      const shared = next() * 4 - 2;
      return Float64Array.from(
        { length: columns },
        (_, i) => shared * ((i % 3) + 1) + next() - 0.5,
      );
    });
    const gram = new Float64Array(columns * columns);
    for (const x of inputs)
      for (let i = 0; i < columns; i++)
        for (let j = 0; j < columns; j++) gram[i * columns + j]! += x[i]! * x[j]!;
    const statistics: InputStatistics = { count, gram };
    const lost = (values: Float32Array): number => {
      let sum = 0;
      for (const x of inputs)
        for (let row = 0; row < rows; row++) {
          let error = 0;
          for (let i = 0; i < columns; i++)
            error += (weights[row * columns + i]! - values[row * columns + i]!) * x[i]!;
          sum += error * error;
        }
      return sum;
    };
    for (const bits of [2, 4] as const)
      for (const activationOrder of [true, false]) {
        const scheme = { bits, symmetric: false, group: 16 } as const;
        const fitted = quantizeWithGptq(
          weights,
          rows,
          scheme,
          factorInputs(statistics, columns, referenceKernels, { activationOrder }),
          referenceKernels,
        );
        const rounded = quantizeTensor(weights, rows, columns, scheme, { clipSearch: true });
        expect(lost(dequantizeTensor(fitted))).toBeLessThan(lost(dequantizeTensor(rounded)) / 2);
      }
  });

  it("refuses statistics without text", () => {
    expect(() =>
      factorInputs({ count: 0, gram: new Float64Array(4) }, 2, referenceKernels),
    ).toThrow(/no text/);
  });
});

describe("validation", () => {
  it("finds the same network the same", async () => {
    const file = await openTinyBert();
    const { network } = await quantize(file, settings({ bits: 32 }), {
      codec: zstd,
      config: TINY_CONFIG,
    });
    const vectors = await embedSequences(runtime, network!, tinySequences(20, 9));
    expect(compareVectors(vectors, vectors)).toMatchObject({ count: 20, top10Overlap: 1 });
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });
});
