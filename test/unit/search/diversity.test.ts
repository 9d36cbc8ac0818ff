import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diversify } from "../../../src/search/diversity.ts";

const NOTHING_ALIKE = { similarities: () => [] as number[] };

describe("diversify", () => {
  it("keeps the order of relevance at 0", () => {
    expect(diversify([0.9, 0.8, 0.7], { strength: 0, limit: 3, ...NOTHING_ALIKE })).toEqual([
      0, 1, 2,
    ]);
  });

  it("puts what repeats the first behind what is new", () => {
    // 1 says what 0 says; 2 is something else.
    const likeness = [
      [1, 0.98, 0.1],
      [0.98, 1, 0.1],
      [0.1, 0.1, 1],
    ];
    const similarities = (item: number): number[] => likeness[item]!;
    expect(diversify([1, 0.95, 0.8], { strength: 0.3, limit: 3, similarities })).toEqual([0, 2, 1]);
    expect(diversify([1, 0.95, 0.8], { strength: 0.3, limit: 2, similarities })).toEqual([0, 2]);
  });

  it("gives distinct places, the best first, whatever the similarities", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (scores, strength, limit, stream) => {
          const relevance = scores.sort((a, b) => b - a);
          const chosen = diversify(relevance, {
            strength,
            limit,
            similarities: () => relevance.map(() => stream.next().value),
          });
          expect(chosen[0]).toBe(0);
          expect(new Set(chosen).size).toBe(chosen.length);
          expect(chosen).toHaveLength(Math.min(limit, relevance.length));
        },
      ),
    );
  });
});
