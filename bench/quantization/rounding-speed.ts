/** Round-to-nearest over all linear weights, as a share of a plain copy of the same bytes in the same run. */

import { linearLayers, type BertWeights } from "../../src/quantization/bert/bert-model.ts";
import type { QuantizationScheme } from "../../src/quantization/quantized-tensor.ts";
import { cpuKernels } from "../../src/quantization/kernels/cpu-kernels.ts";

const SCHEMES: QuantizationScheme[] = [
  { bits: 8, symmetric: true, group: "channel" },
  { bits: 8, symmetric: false, group: 128 },
  { bits: 4, symmetric: false, group: 128 },
  { bits: 2, symmetric: false, group: 32 },
];
const ROUNDS = 5;

export async function roundingSpeed(encoder: BertWeights): Promise<Record<string, string>[]> {
  const matrices: { values: Float32Array; rows: number; columns: number }[] = [];
  for (const { name, rows, columns } of linearLayers(encoder.config))
    matrices.push({ values: await encoder.read(name), rows, columns });
  const bytes = matrices.reduce((sum, { values }) => sum + values.byteLength, 0);
  const timed = (work: () => void): number => {
    const times = Array.from({ length: ROUNDS }, () => {
      const started = performance.now();
      work();
      return performance.now() - started;
    });
    return times.sort((a, b) => a - b)[ROUNDS >> 1]!;
  };
  const kernels = await cpuKernels();
  const target = new Float32Array(Math.max(...matrices.map(({ values }) => values.length)));
  const copyMs = timed(() => matrices.forEach(({ values }) => target.set(values)));
  return SCHEMES.map((scheme) => {
    const ms = timed(() =>
      matrices.forEach(({ values, rows, columns }) =>
        kernels.quantize(values, rows, columns, scheme),
      ),
    );
    return {
      rounding: `${kernels.name}, ${scheme.bits} bits, ${scheme.group}${scheme.symmetric ? ", symmetric" : ""}`,
      ms: ms.toFixed(0),
      "GB/s": (bytes / ms / 1e6).toFixed(2),
      "copy GB/s": (bytes / copyMs / 1e6).toFixed(2),
      "share of copy": `${((100 * copyMs) / ms).toFixed(1)} %`,
    };
  });
}
