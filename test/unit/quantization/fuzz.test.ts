/**
 * Damaged weights files end in an error of ours, never in another one, and never in a wait. A short run
 * here; `FUZZ_RUNS=1000000 npx vitest run test/unit/quantization/fuzz.test.ts` for a long one.
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { GraphBuilder } from "../../../src/quantization/onnx/graph-builder.ts";
import { ELEMENT } from "../../../src/quantization/onnx/onnx-model.ts";
import { bytesSource } from "../../../src/quantization/tensors/byte-source.ts";
import { isFloatDtype } from "../../../src/quantization/tensors/float-formats.ts";
import { openOnnxTensors } from "../../../src/quantization/tensors/onnx-tensors.ts";
import { openSafetensors } from "../../../src/quantization/tensors/safetensors.ts";
import { encodeSafetensors } from "../../../src/quantization/tensors/safetensors-writer.ts";
import type { TensorFile } from "../../../src/quantization/tensors/tensor-file.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 3_000);

const matrix = (rows: number, columns: number): Float32Array =>
  Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i) / 3);

function onnxBytes(): Uint8Array {
  const builder = new GraphBuilder("fuzzed");
  const input = builder.input("input", ELEMENT.float, ["batch", 4]);
  const product = builder.node("MatMul", [input, builder.constant("w", [4, 6], matrix(4, 6))]);
  builder.node(
    "Add",
    [product, builder.constant("b", [6], matrix(1, 6))],
    {},
    { outputs: ["sum"] },
  );
  builder.output("sum", ELEMENT.float, ["batch", 6]);
  return builder.build({ note: "seeded" });
}

const safetensorsBytes = (): Uint8Array =>
  encodeSafetensors(
    [
      { name: "encoder.weight", shape: [4, 6], values: matrix(4, 6) },
      { name: "encoder.bias", shape: [6], values: matrix(1, 6) },
    ],
    { note: "seeded" },
  );

/** Everything that a quantization would read of it. */
async function readAll(file: TensorFile): Promise<void> {
  for (const { name, dtype } of file.tensors.values())
    if (isFloatDtype(dtype)) await file.readFloats(name);
}

it.each([
  [
    "safetensors",
    safetensorsBytes(),
    (bytes: Uint8Array) => openSafetensors(bytesSource("f", bytes)),
  ],
  [
    "ONNX",
    onnxBytes(),
    (bytes: Uint8Array) =>
      openOnnxTensors(bytesSource("f", bytes), (name) =>
        Promise.reject(new AppError("not_found", `There is no ${name}.`)),
      ),
  ],
] as const)(
  "%s that is damaged anywhere",
  { timeout: RUNS * 20 + 10_000 },
  async (_format, whole, open) => {
    await readAll(await open(whole));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.oneof(
          { weight: 3, arbitrary: fc.constant(whole.length) },
          { weight: 1, arbitrary: fc.nat(whole.length) },
        ),
        fc.uint8Array({ maxLength: 12 }),
        fc.nat(whole.length),
        async (changes, length, inserted, at) => {
          const bytes = new Uint8Array(length + inserted.length);
          const cut = Math.min(at, length);
          bytes.set(whole.subarray(0, cut));
          bytes.set(inserted, cut);
          bytes.set(whole.subarray(cut, length), cut + inserted.length);
          for (const [place, value] of changes) if (place < bytes.length) bytes[place] = value;
          try {
            await readAll(await open(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
          }
        },
      ),
      { numRuns: RUNS },
    );
  },
);
