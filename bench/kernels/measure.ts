/** Times each kernel of quantization on matrices of MiniLM's shapes, what goes in and out of a device included. */

import type { QuantizationKernels } from "../../src/quantization/kernels/kernels.ts";
import type { QuantizationBits } from "../../src/quantization/quantized-tensor.ts";

export interface KernelRow {
  system: string;
  kernel: string;
  ms: number;
  /** Float32 bytes that go through, by time; null for products. */
  gigabytesPerSecond: number | null;
  /** Multiplications by time, in thousands of millions; null for the others. */
  gigaproductsPerSecond: number | null;
  /** Of the speed of a plain copy of the same bytes in this run. */
  shareOfCopy: number | null;
}

const ROWS = 1536;
const COLUMNS = 384;
const TOKENS = 256;
const GROUPS: Record<QuantizationBits, number> = { 8: 128, 4: 128, 2: 32 };

function randomFloats(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

async function medianMs(rounds: number, work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[rounds >> 1]!;
}

export async function measureKernels(
  kernels: QuantizationKernels,
  rounds: number,
): Promise<KernelRow[]> {
  const values = randomFloats(ROWS * COLUMNS);
  const inputs = randomFloats(TOKENS * COLUMNS);
  const target = new Float32Array(values.length);
  // So many at once that a coarse clock can tell.
  const copies = 32;
  const copyMs =
    (await medianMs(9, () => {
      for (let i = 0; i < copies; i++) target.set(values);
    })) / copies;
  const rows: KernelRow[] = [];
  const add = async (kernel: string, products: number | null, work: () => unknown) => {
    const ms = await medianMs(rounds, work);
    rows.push({
      system: kernels.description,
      kernel,
      ms,
      gigabytesPerSecond: products === null ? values.byteLength / ms / 1e6 : null,
      gigaproductsPerSecond: products === null ? null : products / ms / 1e6,
      shareOfCopy: products === null ? copyMs / ms : null,
    });
  };
  for (const bits of [8, 4, 2] as const) {
    const scheme = { bits, symmetric: false, group: GROUPS[bits] };
    const label = `${bits} bits, groups of ${GROUPS[bits]}`;
    const tensor = await kernels.quantize(values, ROWS, COLUMNS, scheme);
    const codes = Uint8Array.from(values, (_, i) => (i * 7) % 2 ** bits);
    await add(`quantize, ${label}`, null, () => kernels.quantize(values, ROWS, COLUMNS, scheme));
    await add(`pack, ${bits} bits`, null, () => kernels.pack(codes, ROWS, bits));
    await add(`dequantize, ${label}`, null, () => kernels.dequantize(tensor));
    await add(`multiply ${TOKENS} tokens, ${label}`, TOKENS * ROWS * COLUMNS, () =>
      kernels.multiply(inputs, TOKENS, tensor),
    );
  }
  const searched = { bits: 2, symmetric: false, group: 32 } as const;
  await add("quantize with search, 2 bits, groups of 32", null, () =>
    kernels.quantize(values, ROWS, COLUMNS, searched, { clipSearch: true }),
  );
  await add(`XᵀX of ${ROWS} tokens`, (ROWS * COLUMNS * COLUMNS) / 2, () =>
    kernels.crossProduct(values, values, { k: ROWS, m: COLUMNS, n: COLUMNS }),
  );
  return rows;
}
