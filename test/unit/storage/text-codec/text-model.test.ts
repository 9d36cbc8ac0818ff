import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReferenceTextModel } from "../../../../src/storage/text-codec/reference-model.ts";
import { MAX_PIECE_BYTES, MIN_SLOT_BITS, type TextModel } from "../../../../src/storage/text-codec/text-model.ts"; // prettier-ignore
import { WasmTextModel } from "../../../../src/storage/text-codec/wasm-model.ts";
import { mailBodies } from "../sample-memories.ts";

const CAPACITY = 64 * 1024;
const utf8 = new TextEncoder();

async function wasm(): Promise<TextModel> {
  const model = await WasmTextModel.create(MIN_SLOT_BITS, CAPACITY);
  if (model === null) throw new Error("This Node has no WebAssembly SIMD");
  return model;
}

const mails = () => utf8.encode(mailBodies(12).join("\n"));

/** Bytes that look like text, like nothing, and like repetitions. */
const pieces = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ unit: "binary", maxLength: 200 }).map((text) => utf8.encode(text.toWellFormed())),
  fc
    .tuple(fc.string({ maxLength: 20 }), fc.integer({ min: 1, max: 30 }))
    .map(([text, times]) => utf8.encode(text.repeat(times))),
  fc.lorem({ maxCount: 40 }).map((text) => utf8.encode(text)),
);

describe("the text model", () => {
  it("gives the same bytes as its specification, before and after a mark", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(pieces, { maxLength: 4 }),
        fc.array(pieces, { maxLength: 4 }),
        async (prime, blocks) => {
          const models = [await wasm(), new ReferenceTextModel(MIN_SLOT_BITS, CAPACITY)];
          const codes = models.map((model) => {
            const found = prime.map((piece) => model.encode(piece));
            model.mark();
            for (const block of blocks) {
              found.push(model.encode(block));
              model.rewind();
            }
            return found;
          });
          expect(codes[0]).toEqual(codes[1]);
        },
      ),
      { numRuns: 12 },
    );
  });

  it("gives the same bytes as its specification for real mails", async () => {
    const text = mails();
    const models = [await wasm(), new ReferenceTextModel(MIN_SLOT_BITS, CAPACITY)];
    const codes = models.map((model) => {
      const prime = model.encode(text.subarray(0, 6000));
      model.mark();
      const block = model.encode(text.subarray(6000, 9000));
      model.rewind();
      return [prime, block];
    });
    expect(codes[0]).toEqual(codes[1]);
  });

  it("decodes what it coded, in any order of blocks", async () => {
    const prime = mails().subarray(0, 30_000);
    const coder = await wasm();
    const reader = await wasm();
    for (let at = 0; at < prime.length; at += MAX_PIECE_BYTES) {
      const piece = prime.subarray(at, at + MAX_PIECE_BYTES);
      expect(reader.decode(coder.encode(piece), piece.length)).toEqual(piece);
    }
    coder.mark();
    reader.mark();
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { minLength: 1, maxLength: 5 }), (blocks) => {
        const codes = blocks.map((block) => {
          const packed = coder.encode(block);
          coder.rewind();
          return packed;
        });
        for (let i = blocks.length - 1; i >= 0; i--) {
          expect(reader.decode(codes[i]!, blocks[i]!.length)).toEqual(blocks[i]);
          reader.rewind();
        }
        return Promise.resolve();
      }),
      { numRuns: 40 },
    );
  });

  it("comes back to the marked state after the largest block", async () => {
    const model = await wasm();
    const text = mails();
    model.encode(text.subarray(0, 8000));
    model.mark();
    const small = text.subarray(9000, 10_000);
    const before = model.encode(small);
    model.rewind();
    model.encode(text.subarray(10_000, 10_000 + MAX_PIECE_BYTES));
    model.rewind();
    expect(model.encode(small)).toEqual(before);
  });

  it("makes something of any code without leaving its memory", async () => {
    const model = await wasm();
    model.mark();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat({ max: 2000 }), (packed, size) => {
        expect(model.decode(packed, size)).toHaveLength(size);
        model.rewind();
      }),
      { numRuns: 60 },
    );
  });

  it("refuses more than a piece", async () => {
    const model = await wasm();
    expect(() => model.encode(new Uint8Array(MAX_PIECE_BYTES + 1))).toThrow(RangeError);
    expect(() => model.decode(new Uint8Array(8), MAX_PIECE_BYTES + 1)).toThrow(RangeError);
  });

  it("has known bytes for a known text: another version must not change them", async () => {
    const model = await wasm();
    const text = utf8.encode("It was a bright cold day in April, a day as cold as it was bright.");
    expect(Buffer.from(model.encode(text)).toString("hex")).toMatchInlineSnapshot(
      `"d065360dc1273fddc5ed6c7036270e94b6f9800c59ff0d3d488e363b166945461e649e0dc261587a2792e8"`,
    );
  });
});
