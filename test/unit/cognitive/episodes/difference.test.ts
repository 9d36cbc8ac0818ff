import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differenceFrom } from "../../../../src/cognitive/episodes/difference.ts";

const NOTE = "Ferry at 9. Bring the blue rope.\nCall Marit about the key.";

describe("the difference of a text from its twin", () => {
  it("is the sentences and lines that only one of them has", () => {
    expect(
      differenceFrom(NOTE, "Ferry at 10. Bring the blue rope.\nCall Marit about the key.\nEggs"),
    ).toEqual({ added: ["Ferry at 10.", "Eggs"], missing: ["Ferry at 9."] });
  });

  it("leaves out case, spaces, quote marks and order; counts what is repeated", () => {
    expect(
      differenceFrom(NOTE, "> call marit about the key\n\nBring the BLUE rope!  Ferry at 9"),
    ).toEqual({ added: [], missing: [] });
    expect(differenceFrom("Yes.\nYes.", "Yes.")).toEqual({ added: [], missing: ["Yes."] });
  });

  it("of any text from itself is none, and turned round it is the other way round", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (a, b) => {
        expect(differenceFrom(a, a)).toEqual({ added: [], missing: [] });
        const there = differenceFrom(a, b);
        const back = differenceFrom(b, a);
        expect([there.added, there.missing]).toEqual([back.missing, back.added]);
      }),
    );
  });
});
