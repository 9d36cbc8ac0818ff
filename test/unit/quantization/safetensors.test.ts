import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/quantization/tensors/byte-source.ts";
import { decodeFloats, halfToNumber } from "../../../src/quantization/tensors/float-formats.ts";
import { openSafetensors } from "../../../src/quantization/tensors/safetensors.ts";
import { encodeSafetensors } from "../../../src/quantization/tensors/safetensors-writer.ts";
import { openSharded } from "../../../src/quantization/tensors/sharded.ts";
import { AppError } from "../../../src/errors.ts";

const open = (bytes: Uint8Array) => openSafetensors(bytesSource("weights.safetensors", bytes));

/** A file with a header of any kind in front of `dataBytes` zeros. */
function withHeader(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setUint32(0, json.length, true);
  file.set(json, 8);
  return file;
}

describe("safetensors", () => {
  it("gives back what was written, whole or by rows", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 4 })), {
          maxLength: 5,
        }),
        async (shapes) => {
          const tensors = shapes.map(([rows, columns], i) => ({
            name: `tensor.${i}`,
            shape: [rows, columns],
            values: Float32Array.from({ length: rows * columns }, (_, j) => i + j / 7),
          }));
          const file = await open(encodeSafetensors(tensors, { made: "here" }));
          expect(file.metadata).toEqual({ made: "here" });
          for (const { name, shape, values } of tensors) {
            expect(await file.readFloats(name)).toEqual(values);
            const [rows, columns] = shape as [number, number];
            if (rows > 1)
              expect(await file.readFloats(name, { firstRow: 1, count: rows - 1 })).toEqual(
                values.slice(columns),
              );
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    [
      "a header larger than the file",
      new Uint8Array([255, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]),
      /claims 255 bytes/,
    ],
    ["a huge header", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 127, 1, 2, 3]), /claims/],
    ["a file of three bytes", new Uint8Array(3), /less than a header/],
    ["a header that isn't JSON", withHeader("{hello", 0), /not JSON/],
    ["a list for a header", withHeader([1], 0), /not an object/],
    [
      "data beyond the end",
      withHeader({ a: { dtype: "F32", shape: [4], data_offsets: [0, 16] } }, 8),
      /outside/,
    ],
    [
      "an end before its beginning",
      withHeader({ a: { dtype: "F32", shape: [4], data_offsets: [16, 0] } }, 16),
      /outside/,
    ],
    [
      "a shape that needs more bytes",
      withHeader({ a: { dtype: "F32", shape: [5], data_offsets: [0, 16] } }, 16),
      /needs 20 bytes/,
    ],
    [
      "a shape beyond counting",
      withHeader({ a: { dtype: "F32", shape: [2 ** 40, 2 ** 40], data_offsets: [0, 16] } }, 16),
      /needs/,
    ],
    [
      "a negative size",
      withHeader({ a: { dtype: "F32", shape: [-4], data_offsets: [0, 16] } }, 16),
      /something else/,
    ],
    [
      "tensors that overlap",
      withHeader(
        {
          a: { dtype: "F32", shape: [4], data_offsets: [0, 16] },
          b: { dtype: "F32", shape: [2], data_offsets: [8, 16] },
        },
        16,
      ),
      /overlaps/,
    ],
    ["a gap", withHeader({ a: { dtype: "F32", shape: [1], data_offsets: [4, 8] } }, 8), /gap/],
    [
      "bytes of no tensor",
      withHeader({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, 8),
      /belong to none/,
    ],
  ])("refuses %s", async (_what, bytes, message) => {
    await expect(open(bytes)).rejects.toMatchObject({
      code: "corrupt_data",
      message: expect.stringMatching(message) as string,
    });
  });

  it("names an unknown type", async () => {
    const bytes = withHeader({ a: { dtype: "F7", shape: [1], data_offsets: [0, 4] } }, 4);
    await expect(open(bytes)).rejects.toMatchObject({ code: "unsupported_input" });
  });

  it("ends in an error of ours for any bytes", async () => {
    const whole = encodeSafetensors([{ name: "a", shape: [2, 3], values: new Float32Array(6) }]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(whole.length),
        async (changes, length) => {
          const bytes = whole.slice(0, length);
          for (const [at, value] of changes) if (at < length) bytes[at] = value;
          try {
            const file = await open(bytes);
            for (const name of file.tensors.keys()) await file.readFloats(name);
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("reads shards by their index and refuses one that points elsewhere", async () => {
    const shard = encodeSafetensors([{ name: "a", shape: [2], values: Float32Array.of(1, 2) }]);
    const index = (map: Record<string, string>) =>
      bytesSource(
        "model.safetensors.index.json",
        new TextEncoder().encode(JSON.stringify({ weight_map: map })),
      );
    const openShard = (name: string) => Promise.resolve(bytesSource(name, shard));
    const file = await openSharded(index({ a: "one.safetensors" }), openShard);
    expect(await file.readFloats("a")).toEqual(Float32Array.of(1, 2));
    await expect(openSharded(index({ a: "../one.safetensors" }), openShard)).rejects.toMatchObject({
      code: "corrupt_data",
    });
    await expect(openSharded(index({ b: "one.safetensors" }), openShard)).rejects.toMatchObject({
      code: "corrupt_data",
    });
  });
});

describe("half-precision floats", () => {
  it("are exact in float32", () => {
    expect([0x0000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00].map(halfToNumber)).toEqual([
      0,
      1,
      -2,
      65504,
      2 ** -24,
      Infinity,
    ]);
    expect(halfToNumber(0x7c01)).toBeNaN();
    expect([...decodeFloats(new Uint8Array([0x00, 0x3c, 0x00, 0xc0]), "F16")]).toEqual([1, -2]);
    expect([...decodeFloats(new Uint8Array([0x80, 0x3f, 0x49, 0x40]), "BF16")]).toEqual([
      1, 3.140625,
    ]);
  });
});
