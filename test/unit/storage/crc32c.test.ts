import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../../src/storage/bytes.ts";

/** Bit by bit, as RFC 3720 defines it. */
function defined(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  it("gives the examples of RFC 3720, appendix B.4", () => {
    const bytes = (value: (i: number) => number) =>
      Uint8Array.from({ length: 32 }, (_, i) => value(i));
    expect(crc32c(bytes(() => 0))).toBe(0x8a9136aa);
    expect(crc32c(bytes(() => 0xff))).toBe(0x62a8ab43);
    expect(crc32c(bytes((i) => i))).toBe(0x46dd794e);
    expect(crc32c(bytes((i) => 31 - i))).toBe(0x113fdb5c);
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  });

  it("is that of the definition at any length and address, in one piece or several", () => {
    const buffer = new Uint8Array(400_000);
    let state = 7;
    for (let i = 0; i < buffer.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      buffer[i] = state >>> 24;
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 16_000, max: 300_000 })),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (from, length, share) => {
          const bytes = buffer.subarray(from, from + length);
          const expected = defined(bytes);
          expect(crc32c(bytes)).toBe(expected);
          const cut = Math.floor(share * length);
          expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(expected);
        },
      ),
      { numRuns: 60 },
    );
  });
});
