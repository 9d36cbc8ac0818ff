import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDirectory, encodeDirectory, type CodedBlock } from "../../../../src/storage/text-codec/segment-text.ts"; // prettier-ignore
import {
  BLOCK_BYTES,
  groupTexts,
  planBlocks,
  splitTexts,
} from "../../../../src/storage/text-codec/text-blocks.ts";
import { TextCodec } from "../../../../src/storage/text-codec/text-codec.ts";
import { MAX_PIECE_BYTES, MAX_PRIME_BYTES } from "../../../../src/storage/text-codec/text-model.ts";
import { mailBodies } from "../sample-memories.ts";

const utf8 = new TextEncoder();
const of = { ordinals: [9, 2, 40], coveredBytes: 1234 };

describe("a codec with a prime", () => {
  const bodies = mailBodies(60).filter((body) => body.length < 4000);
  const prime = utf8.encode(bodies.slice(0, 20).join("\0"));

  it("codes and reads blocks, also after it was opened from its file", async () => {
    const { codec, file } = await TextCodec.create(prime, of);
    const opened = await TextCodec.open(file, "prime-1");
    expect(opened.header).toEqual({ sizeBytes: prime.length, coveredBytes: 1234, ordinals: [2, 9, 40] }); // prettier-ignore
    let packedBytes = 0;
    let bytes = 0;
    for (const body of bodies.slice(20, 30)) {
      const text = utf8.encode(body);
      const packed = codec.encodeBlock(text)!;
      expect(opened.decodeBlock(packed, text.length)).toEqual(text);
      expect(opened.encodeBlock(text)).toEqual(packed);
      packedBytes += packed.length;
      bytes += text.length;
    }
    expect(packedBytes).toBeLessThan(bytes / 3);
  });

  it("codes a text that its prime quotes as next to nothing", async () => {
    const { codec } = await TextCodec.create(prime, of);
    const text = utf8.encode(bodies[7]!);
    expect(codec.encodeBlock(text)!.length).toBeLessThan(text.length / 20);
  });

  it("finds every damage of its file", async () => {
    const small = prime.subarray(0, 3000);
    const { file } = await TextCodec.create(small, of);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: file.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const damaged = file.slice();
          damaged[at]! ^= flip;
          const opened = await TextCodec.open(damaged, "prime-1").catch((error: unknown) => error);
          // What names the memories isn't text; the store checks the whole file's CRC first.
          if (opened instanceof TextCodec) expect(at).toBeLessThan(20);
        else expect(["corrupt_data", "unsupported_version"]).toContain((opened as { code: string }).code); // prettier-ignore
        },
      ),
      { numRuns: 40 },
    );
    await expect(TextCodec.open(file.subarray(0, 500), "prime-1")).rejects.toMatchObject({
      code: "corrupt_data",
    });
  });

  it("refuses a prime that is too long", async () => {
    await expect(TextCodec.create(new Uint8Array(MAX_PRIME_BYTES + 1), of)).rejects.toMatchObject({
      code: "too_large",
    });
  });

  it("stops reading a prime when it is cancelled", async () => {
    await expect(
      TextCodec.create(prime, of, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("blocks", () => {
  const texts = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat({ max: 3 * MAX_PIECE_BYTES }).map((length) => new Uint8Array(length).fill(97)),
      fc.lorem({ maxCount: 300 }).map((text) => utf8.encode(text)),
    ),
    { maxLength: 12 },
  );

  it("hold every text once, whole or in parts, and give it back", () => {
    fc.assert(
      fc.property(texts, (all) => {
        const found = new Map<number, number[]>();
        for (const block of planBlocks(all.map((bytes, index) => ({ index, bytes })))) {
          expect(block.bytes.length).toBeLessThanOrEqual(MAX_PIECE_BYTES);
          if (block.indexes.length > 1) expect(block.bytes.length).toBeLessThanOrEqual(BLOCK_BYTES);
          const parts =
            block.kind === "part" ? [block.bytes] : splitTexts(block.bytes, block.indexes.length)!;
          block.indexes.forEach((index, i) =>
            found.set(index, [...(found.get(index) ?? []), ...parts[i]!]),
          );
        }
        all.forEach((bytes, index) => {
          if (bytes.length > 0) expect(found.get(index)).toEqual([...bytes]);
        });
      }),
      { numRuns: 40 },
    );
  });

  it("bring texts together that quote each other or share a thread, and leave the rest in order", () => {
    const note = (text: string, thread: string | null = null) => ({ text, thread });
    const original =
      "We meet on Friday at the old harbour, bring the blue folder and your passport.";
    const items = [
      note(original),
      note("Milk, bread, four eggs and a bag of the small potatoes."),
      note("The first chapter was slow, the second one kept me awake all night.", "t"),
      note("Rent for March is due on the third, the landlord wants a transfer."),
      note(`Fine with me.\n> ${original}\nSee you there.`),
      note("I finished it on the train, what a strange ending.", "t"),
    ];
    const order = groupTexts(items).map((item) => items.indexOf(item));
    expect(order).toEqual([0, 4, 1, 2, 5, 3]);
  });

  it("are described by a directory that refuses what can't be", () => {
    const block: CodedBlock = { kind: "texts", group: 1, rows: [3, 0, 7], offset: 4, packedBytes: 90, sizeBytes: 400 }; // prettier-ignore
    const part: CodedBlock = { kind: "part", group: 0, rows: [1], offset: 94, packedBytes: 8, sizeBytes: 16_384 }; // prettier-ignore
    const bytes = encodeDirectory([block, part]);
    const file = { dataBytes: 200, groupRows: [2, 8] };
    expect(decodeDirectory(bytes, "segments/1.parquet", file)).toEqual([block, part]);
    for (const wrong of [
      { ...file, dataBytes: 100 },
      { ...file, groupRows: [2, 7] },
      { ...file, groupRows: [2] },
    ])
      expect(() => decodeDirectory(bytes, "segments/1.parquet", wrong)).toThrow("directory");
    const large = encodeDirectory([{ ...part, sizeBytes: MAX_PIECE_BYTES + 1 }]);
    expect(() => decodeDirectory(large, "segments/1.parquet", file)).toThrow("directory");
  });
});
