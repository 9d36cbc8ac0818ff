import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { topPlaces } from "../../../src/search/top-places.ts";

describe("topPlaces", () => {
  it("is the beginning of the sorted places, ties by ordinal, without -Infinity (property)", () => {
    const value = fc.oneof(fc.constant(-Infinity), fc.integer({ min: 0, max: 20 }));
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 200 }),
        fc.integer({ min: 0, max: 220 }),
        (values, limit) => {
          const ordinals = values.map((_, i) => (i * 7919) % 1009);
          const sorted = values
            .map((_, place) => place)
            .filter((place) => values[place] !== -Infinity)
            .sort((a, b) => values[b]! - values[a]! || ordinals[a]! - ordinals[b]!);
          expect(topPlaces(values, ordinals, values.length, limit)).toEqual(sorted.slice(0, limit));
        },
      ),
    );
  });
});
