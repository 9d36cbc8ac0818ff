import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENTITY_TYPES } from "../../../../src/model/memory.ts";
import type { CompressedMemory } from "../../../../src/model/compressed-memory.ts";
import { LLMCompressor } from "../../../../src/processing/compression/compressor.ts";
import {
  decodeContainer,
  encodeContainer,
} from "../../../../src/processing/compression/container.ts";
import { encodeResidual } from "../../../../src/processing/compression/residual.ts";
import { crc32c } from "../../../../src/storage/bytes.ts";
import { loadZstd } from "../../../../src/storage/zstd.ts";
import { address, mailBodies, opening } from "./texts.ts";

const compressor = new LLMCompressor({ embedder: null });

function withChecksum(bytes: Uint8Array): Uint8Array {
  const result = bytes.slice();
  new DataView(result.buffer).setUint32(result.length - 4, crc32c(result.subarray(0, -4)), true);
  return result;
}

const share = fc.integer({ min: 0, max: 10_000 }).map((steps) => steps / 10_000);
const arbitraryMemory = fc.record({
  text: fc.string({ unit: "binary", maxLength: 400 }).map((text) => text.toWellFormed()),
  summary: fc.string({ unit: "grapheme", maxLength: 100 }).map((text) => text.toWellFormed()),
  model: fc.constantFrom("extractive", "verbatim", "some-model-1b", ""),
  mode: fc.constantFrom("fast", "balanced", "high"),
  exact: fc.boolean(),
  keepReason: fc.option(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }), {
    nil: undefined,
  }),
  entities: fc.array(
    fc.record({
      text: fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => text.toWellFormed()),
      type: fc.constantFrom(...ENTITY_TYPES),
      confidence: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
    }),
    { maxLength: 6 },
  ),
  quality: fc.record({
    similarity: fc.option(share),
    coverage: fc.option(share),
    entityRecall: share,
    numberRecall: share,
    faithfulness: share,
  }),
  context: fc.integer({ min: 0, max: 100_000 }).map((hundredths) => hundredths / 100),
});

async function toMemory(
  value: typeof arbitraryMemory extends fc.Arbitrary<infer T> ? T : never,
): Promise<CompressedMemory> {
  const { frame, contentSha256, originalBytes } = await encodeResidual(value.text);
  const { summary, model, mode, entities, quality, keepReason } = value;
  return {
    version: 1,
    keep: value.exact ? "exact" : "summary",
    mode: mode as CompressedMemory["mode"],
    model,
    summary,
    entities,
    quality,
    ...(keepReason !== undefined && { keepReason }),
    residual: value.exact ? frame : null,
    contentSha256,
    ratios: {
      originalBytes,
      storedBytes: 1,
      storedRatio: 1,
      totalRatio: 1,
      contextRatio: value.context,
    },
  };
}

describe(".llmc container", () => {
  it("gives back every field of any memory, with the ratios of its own length", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryMemory, async (value) => {
        const memory = await toMemory(value);
        const bytes = await encodeContainer(memory);
        const decoded = await decodeContainer(bytes);
        const { ratios, ...fields } = decoded;
        const { ratios: given, ...expected } = memory;
        expect(fields).toEqual(expected);
        expect(ratios.storedBytes).toBe(bytes.length);
        expect(ratios.storedRatio).toBe(given.originalBytes / bytes.length);
        expect(ratios.contextRatio).toBe(given.contextRatio);
      }),
      { numRuns: 60 },
    );
  });

  it("writes the same bytes for the same text", async () => {
    const text = mailBodies(1)[0]!;
    const first = await encodeContainer(await compressor.compressToMemory(text));
    const second = await encodeContainer(await compressor.compressToMemory(text));
    expect(first).toEqual(second);
  });

  it("restores real texts bit by bit and says what their file costs", async () => {
    for (const text of [address(1790), ...mailBodies(4)]) {
      const memory = await compressor.compressToMemory(text);
      const bytes = await encodeContainer(memory);
      expect(bytes.length).toBe(memory.ratios.storedBytes);
      const restored = await compressor.decompress(await decodeContainer(bytes));
      expect(restored.text).toBe(text);
      expect(restored.reconstructed).toBe(false);
    }
  });

  it("adds at most 80 bytes to a tiny text", async () => {
    const text = "Milk.";
    const bytes = await encodeContainer(await compressor.compressToMemory(text));
    expect(bytes.length).toBeLessThan(text.length + 80);
  });

  it("refuses every truncation and every flipped byte, or reads the very same memory", async () => {
    const bytes = await encodeContainer(
      await compressor.compressToMemory(opening(mailBodies(1)[0]!, 700)),
    );
    for (let length = 0; length < bytes.length; length++)
      await expect(decodeContainer(bytes.slice(0, length))).rejects.toMatchObject({
        name: "AppError",
      });
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 1 << (at % 8);
      await expect(decodeContainer(changed)).rejects.toMatchObject({ name: "AppError" });
    }
  });

  it("survives damage under a valid checksum: an AppError, or a text that has its hash", async () => {
    const bytes = await encodeContainer(
      await compressor.compressToMemory(opening(mailBodies(1)[0]!, 700)),
    );
    for (let at = 5; at < bytes.length - 4; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 0xff;
      try {
        await compressor.decompress(
          await decodeContainer(withChecksum(changed), { maxBytes: 1 << 20 }),
          { maxBytes: 1 << 20 },
        );
      } catch (error) {
        expect(error).toMatchObject({ name: "AppError" });
      }
    }
  });

  it("says that a file is not one, is newer, or was cut", async () => {
    await expect(
      decodeContainer(new TextEncoder().encode("PK\x03\x04 a zip")),
    ).rejects.toMatchObject({ code: "corrupt_data" });
    const bytes = await encodeContainer(await compressor.compressToMemory("Short."));
    const newer = bytes.slice();
    newer[4] = 9;
    await expect(decodeContainer(newer)).rejects.toMatchObject({ code: "unsupported_version" });
    await expect(decodeContainer(bytes.slice(0, 20))).rejects.toMatchObject({
      code: "corrupt_data",
    });
  });

  it("doesn't decode a bomb: declared sizes are held against the limit first", async () => {
    const bomb = "A".repeat(4_000_000);
    const { frame, contentSha256, originalBytes } = await encodeResidual(bomb);
    const memory: CompressedMemory = {
      version: 1,
      keep: "exact",
      mode: "fast",
      model: "extractive",
      summary: "",
      entities: [],
      residual: frame,
      contentSha256,
      quality: {
        similarity: null,
        coverage: null,
        entityRecall: 1,
        numberRecall: 1,
        faithfulness: 1,
      },
      ratios: { originalBytes, storedBytes: 1, storedRatio: 1, totalRatio: 1, contextRatio: 1 },
    };
    const bytes = await encodeContainer(memory);
    expect(bytes.length).toBeLessThan(5_000);
    await expect(decodeContainer(bytes, { maxBytes: 1_000_000 })).rejects.toMatchObject({
      code: "too_large",
    });
    // A liar about its size is caught by the frame's own header.
    const liar = await encodeContainer({
      ...memory,
      ratios: { ...memory.ratios, originalBytes: 10 },
    });
    await expect(decodeContainer(liar, { maxBytes: 1_000_000 })).rejects.toMatchObject({
      code: "too_large",
    });
  });

  it("refuses to write what it could not read", async () => {
    const memory = await compressor.compressToMemory("Short.");
    await expect(encodeContainer({ ...memory, residual: null })).rejects.toMatchObject({
      code: "invalid_input",
    });
    await expect(encodeContainer({ ...memory, contentSha256: "xyz" })).rejects.toMatchObject({
      code: "invalid_input",
    });
    await expect(
      encodeContainer({ ...memory, quality: { ...memory.quality, faithfulness: 2 } }),
    ).rejects.toMatchObject({ code: "invalid_input" });
    await expect(encodeContainer({ ...memory, summary: "half \ud83d" })).rejects.toMatchObject({
      code: "invalid_input",
    });
  });

  it("holds a residual that any ZSTD decoder reads", async () => {
    const { decompress } = await import("fzstd");
    const text = opening(address(1865), 5000);
    const memory = await compressor.compressToMemory(text);
    expect(new TextDecoder().decode(decompress(memory.residual!))).toBe(text);
    expect((await loadZstd()).decompress(memory.residual!, { maxBytes: 1 << 20 }).length).toBe(
      memory.ratios.originalBytes,
    );
  });
});
