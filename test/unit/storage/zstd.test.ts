import fc from "fast-check";
import * as fzstd from "fzstd";
import { beforeAll, describe, expect, it } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { loadZstd, type Zstd } from "../../../src/storage/zstd.ts";

let zstd: Zstd;
beforeAll(async () => {
  zstd = await loadZstd();
});

const utf8 = new TextEncoder();
const text = (n: number) =>
  utf8.encode(
    Array.from(
      { length: n },
      (_, i) => `${i}: The ferry left Piraeus at ${i % 24}:15, late again.`,
    ).join("\n"),
  );
const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as AppError).code;
  }
  return "none";
};
/** Bytes with enough repetition that matches occur. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 5000 }),
  fc
    .array(fc.constantFrom(...["alpha ", "beta ", "日本", "\u0000", "🙂"]), { maxLength: 2000 })
    .map((p) => utf8.encode(p.join(""))),
);

describe("zstd", () => {
  it("gives back any bytes at any level, and an independent decoder agrees", () => {
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(-5, 1, 3, 9, 19, 22), (bytes, level) => {
        const frame = zstd.compress(bytes, level);
        expect(zstd.decompress(frame, { maxBytes: bytes.length })).toEqual(bytes);
        expect(fzstd.decompress(frame)).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  it("gives back any bytes with a dictionary, and uses it", () => {
    const dictionary = text(40);
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(3, 19), (bytes, level) => {
        const frame = zstd.compress(bytes, level, dictionary);
        expect(zstd.decompress(frame, { maxBytes: bytes.length, dictionary })).toEqual(bytes);
      }),
      { numRuns: 40 },
    );
    const sample = text(41).subarray(-60);
    expect(zstd.compress(sample, 19, dictionary).length).toBeLessThan(
      zstd.compress(sample, 19).length / 2,
    );
  });

  it("refuses a frame over the limit before decoding it", () => {
    const bomb = zstd.compress(new Uint8Array(50_000_000), 1);
    expect(bomb.length).toBeLessThan(10_000);
    expect(codeOf(() => zstd.decompress(bomb, { maxBytes: 1_000_000 }))).toBe("too_large");
  });

  it("refuses every truncation and trailing bytes", () => {
    const frame = zstd.compress(text(30), 9);
    for (let cut = 0; cut < frame.length; cut++)
      expect(codeOf(() => zstd.decompress(frame.subarray(0, cut), { maxBytes: 1e6 }))).toBe(
        "corrupt_data",
      );
    const longer = new Uint8Array(frame.length + 3);
    longer.set(frame);
    expect(codeOf(() => zstd.decompress(longer, { maxBytes: 1e6 }))).toBe("corrupt_data");
  });

  it("refuses frames without a declared size and bytes that are no frame", () => {
    // Header of a streamed frame (no single segment, no size), then an empty last block.
    const streamed = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x01, 0x00, 0x00);
    expect(codeOf(() => zstd.decompress(streamed, { maxBytes: 1e6 }))).toBe("corrupt_data");
    expect(codeOf(() => zstd.decompress(text(3), { maxBytes: 1e6 }))).toBe("corrupt_data");
    expect(codeOf(() => zstd.decompress(new Uint8Array(), { maxBytes: 1e6 }))).toBe("corrupt_data");
  });

  it("answers damage with an AppError or other bytes of the declared size, and stays usable", () => {
    const bytes = text(200);
    const frame = zstd.compress(bytes, 9);
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = frame.slice();
        damaged[at]! ^= mask;
        expect(["corrupt_data", "too_large", "none"]).toContain(
          codeOf(() => zstd.decompress(damaged, { maxBytes: 1e6 })),
        );
      }),
      { numRuns: 300 },
    );
    expect(zstd.decompress(frame, { maxBytes: 1e6 })).toEqual(bytes);
  });

  it("doesn't grow without end over many calls with dictionaries", () => {
    const dictionary = text(500);
    const bytes = text(20);
    // 500 leaked contexts at level 19 would exceed the 2 GB heap and fail.
    for (let i = 0; i < 500; i++) {
      const frame = zstd.compress(bytes, 19, dictionary);
      expect(zstd.decompress(frame, { maxBytes: 1e6, dictionary }).length).toBe(bytes.length);
    }
  });

  it("names wrong levels and dictionaries", () => {
    expect(codeOf(() => zstd.compress(text(1), 23))).toBe("invalid_input");
    expect(codeOf(() => zstd.compress(text(1), 3, Uint8Array.of(1, 2, 3)))).toBe("invalid_input");
  });
});
