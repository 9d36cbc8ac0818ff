import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlaceTable } from "../../../src/search/place-table.ts";

describe("PlaceTable", () => {
  it("gives every ordinal the place that it got first, also after it grew", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x7fff_ffff), { maxLength: 6000 }), (ordinals) => {
        const table = new PlaceTable();
        const expected = new Map<number, number>();
        for (const ordinal of ordinals) {
          const next = expected.size;
          const place = table.findOrPut(ordinal, next);
          if (!expected.has(ordinal)) expected.set(ordinal, next);
          expect(place).toBe(expected.get(ordinal));
        }
        for (const [ordinal, place] of expected) expect(table.find(ordinal)).toBe(place);
      }),
      { numRuns: 20 },
    );
  });

  it("knows nothing of what was there before it was cleared", () => {
    const table = new PlaceTable();
    for (let ordinal = 0; ordinal < 5000; ordinal++) table.findOrPut(ordinal * 7, ordinal);
    table.clear();
    expect(table.find(7)).toBe(-1);
    expect(table.findOrPut(7, 0)).toBe(0);
    expect(table.find(14)).toBe(-1);
  });
});
