/** The quantization kernels on WebGPU, in the kind of worker that they live in, held against the reference. */

import { webGpu } from "../../src/platform/browser/webgpu-device.ts";
import { GpuKernels } from "../../src/quantization/kernels/gpu-kernels.ts";
import { GPU_FEATURES } from "../../src/quantization/kernels/gpu-runner.ts";
import { referenceKernels } from "../../src/quantization/kernels/reference-kernels.ts";
import { ResilientKernels } from "../../src/quantization/kernels/resilient-kernels.ts";
import type { QuantizationScheme } from "../../src/quantization/quantized-tensor.ts";
import { createReport, type Report } from "./report.ts";

function randomFloats(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    if (i % 41 === 0) return 0;
    if (i % 43 === 0) return 1e-39;
    return (state / 2 ** 32 - 0.5) * (i % 37 === 0 ? 20 : 1);
  });
}

const SHAPES = [
  [1, 1],
  [3, 5],
  [7, 130],
  [70, 65],
  [33, 384],
] as const;
const SCHEMES: QuantizationScheme[] = (["tensor", "channel", 32, 7] as const).flatMap((group) =>
  ([2, 4, 8] as const).flatMap((bits) =>
    [true, false].map((symmetric) => ({ bits, symmetric, group })),
  ),
);

/** Largest difference, as a share of the sum of the products' magnitudes. */
function furthest(got: Float32Array, expected: Float32Array, magnitudes: Float32Array): number {
  return got.reduce(
    (most, value, i) =>
      Math.max(most, Math.abs(value - expected[i]!) / Math.max(1e-30, magnitudes[i]!)),
    0,
  );
}

export async function runQuantizationKernelCases(): Promise<Report> {
  const { report, check, equal, holds } = createReport();
  const open = async (features: readonly GPUFeatureName[], maxBytes?: number) => {
    const got = await webGpu.request(features);
    if ("unavailable" in got) throw new Error(got.unavailable);
    return {
      ...got,
      kernels: await GpuKernels.create(got.device, {
        name: got.name,
        cpu: referenceKernels,
        ...(maxBytes !== undefined && { maxBytes }),
      }),
    };
  };
  const plain = await open([]);
  const featured = await open(GPU_FEATURES);
  // So small that every matrix above a few rows goes through in parts.
  const narrow = await open([], 4096);
  const all = { plain, featured, narrow };

  await check("what the adapter has is used, and named", async () => {
    const { description } = featured.kernels;
    holds(description.includes(featured.name), description);
    for (const feature of GPU_FEATURES)
      equal(description.includes(feature), featured.device.features.has(feature));
    await Promise.resolve();
  });
  for (const [name, { kernels }] of Object.entries(all)) {
    await check(`codes and values are the reference's, bit for bit (${name})`, async () => {
      for (const [rows, columns] of SHAPES) {
        const values = randomFloats(rows * columns, rows + columns);
        for (const scheme of SCHEMES) {
          const expected = referenceKernels.quantize(values, rows, columns, scheme);
          const label = `${rows} x ${columns}, ${JSON.stringify(scheme)}`;
          equal(
            { label, ...(await kernels.quantize(values, rows, columns, scheme)) },
            { label, ...expected },
          );
          const columnFactors = randomFloats(columns, 3).map((value) => Math.abs(value) + 0.5);
          for (const tensor of [expected, { ...expected, columnFactors }])
            equal(await kernels.dequantize(tensor), referenceKernels.dequantize(tensor));
        }
        const searched = { clipSearch: true };
        const scheme = { bits: 2, symmetric: false, group: 32 } as const;
        equal(
          await kernels.quantize(values, rows, columns, scheme, searched),
          referenceKernels.quantize(values, rows, columns, scheme, searched),
        );
        for (const bits of [2, 4, 8] as const) {
          const codes = Uint8Array.from(
            values,
            (value) => Math.floor(Math.abs(value) * 50) % 2 ** bits,
          );
          equal(await kernels.pack(codes, rows, bits), referenceKernels.pack(codes, rows, bits));
        }
      }
    });
    await check(`products are within rounding of the reference's (${name})`, async () => {
      for (const [rows, columns] of SHAPES) {
        const count = rows + 2;
        const inputs = randomFloats(count * columns, 5);
        const weights = randomFloats(rows * columns, 6);
        const scheme = { bits: 4, symmetric: false, group: 32 } as const;
        const tensor = {
          ...referenceKernels.quantize(weights, rows, columns, scheme),
          columnFactors: randomFloats(columns, 7),
        };
        const sizesOf = (matrix: Float32Array): Float32Array => matrix.map(Math.abs);
        const magnitudes = new Float32Array(count * rows);
        const values = sizesOf(referenceKernels.dequantize(tensor));
        for (let i = 0; i < count; i++)
          for (let row = 0; row < rows; row++)
            for (let column = 0; column < columns; column++)
              magnitudes[i * rows + row]! +=
                Math.abs(inputs[i * columns + column]!) * values[row * columns + column]!;
        const far = furthest(
          await kernels.multiply(inputs, count, tensor),
          referenceKernels.multiply(inputs, count, tensor),
          magnitudes,
        );
        holds(far <= columns * 2 ** -23, `multiply ${count} x ${rows} x ${columns}: ${far}`);

        const other = randomFloats(count * rows, 8);
        for (const [right, n] of [
          [other, rows],
          [inputs, columns],
        ] as const) {
          const sizes = { k: count, m: columns, n };
          const off = furthest(
            await kernels.crossProduct(inputs, right, sizes),
            referenceKernels.crossProduct(inputs, right, sizes),
            referenceKernels.crossProduct(sizesOf(inputs), sizesOf(right), sizes),
          );
          holds(off <= count * 2 ** -23, `cross product ${count} x ${columns} x ${n}: ${off}`);
        }
      }
    });
  }
  await check("damaged weights and codes are named", async () => {
    const values = new Float32Array(600).fill(0.5);
    values[431] = NaN;
    const refused = async (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "nothing was refused",
        (error: Error) => error.message,
      );
    const scheme = { bits: 4, symmetric: false, group: 32 } as const;
    equal(
      await refused(plain.kernels.quantize(values, 6, 100, scheme)),
      "The weight at 431 is NaN.",
    );
    equal(
      await refused(plain.kernels.pack(Uint8Array.of(1, 4), 1, 2)),
      "Code 4 at 1 does not fit in 2 bits.",
    );
    holds(
      (await refused(narrow.kernels.quantize(new Float32Array(2000), 1, 2000, scheme))).includes("too large"), // prettier-ignore
      "a row beyond a buffer",
    );
  });
  await check("a device that is lost between two matrices costs nothing but speed", async () => {
    const { device, kernels } = await open([]);
    const resilient = new ResilientKernels(kernels, referenceKernels);
    const values = randomFloats(64 * 64, 9);
    const scheme = { bits: 2, symmetric: false, group: 32 } as const;
    const expected = referenceKernels.quantize(values, 64, 64, scheme);
    equal(await resilient.quantize(values, 64, 64, scheme), expected);
    equal(resilient.name, "webgpu");
    const underWay = resilient.quantize(values, 64, 64, scheme);
    device.destroy();
    equal(await underWay, expected);
    equal(await resilient.quantize(values, 64, 64, scheme), expected);
    equal(resilient.name, "reference");
    holds(resilient.description.includes("then scalar code"), resilient.description);
    // Alone it says so.
    const error = await kernels.quantize(values, 64, 64, scheme).catch((one: unknown) => one);
    equal((error as { code: string }).code, "device_lost");
  });
  return report;
}
