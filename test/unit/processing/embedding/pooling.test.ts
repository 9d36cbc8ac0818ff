import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dotProduct } from "../../../../src/model/vector.ts";
import { meanPool } from "../../../../src/processing/embedding/pooling.ts";

describe("meanPool", () => {
  it("averages the real tokens only and scales to length 1", () => {
    // Two rows, two columns, two dimensions; the second row's second token is padding.
    const hidden = Float32Array.of(1, 0, 3, 4, 0, 2, 100, 100);
    const [first, second] = meanPool(hidden, [2, 1], 2, 2);
    expect([...first!].map((value) => value.toFixed(4))).toEqual(["0.7071", "0.7071"]);
    expect([...second!]).toEqual([0, 1]);
  });

  it("gives zeros for a row without tokens", () => {
    expect([...meanPool(Float32Array.of(5, 5), [0], 1, 2)[0]!]).toEqual([0, 0]);
  });

  it("gives unit vectors whatever the padding holds", () => {
    const value = fc.float({ min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 12, maxLength: 12 }),
        fc.array(value, { minLength: 12, maxLength: 12 }),
        (real, padding) => {
          const [clean] = meanPool(Float32Array.from(real), [4], 4, 3);
          const [padded] = meanPool(Float32Array.from([...real, ...padding]), [4], 8, 3);
          expect([...padded!]).toEqual([...clean!]);
          const squared = dotProduct(clean!, clean!);
          expect(squared === 0 || Math.abs(squared - 1) < 1e-5).toBe(true);
        },
      ),
    );
  });

  it("refuses a network output of another shape", () => {
    expect(() => meanPool(new Float32Array(7), [2], 2, 2)).toThrow(RangeError);
  });
});
