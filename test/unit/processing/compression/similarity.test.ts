import { describe, expect, it } from "vitest";
import { compareUnits, partsOf } from "../../../../src/processing/compression/similarity.ts";
import { planUnits, type TextUnit } from "../../../../src/processing/compression/units.ts";

const TOLD = [
  "The ferry to Hedda Island sails twice a day from the old quarry harbour.",
  "Tickets for bicycles must be bought at the kiosk before nine in the morning.",
  "The baker on the island closes on Wednesdays and during the herring weeks.",
  "Campers pitch their tents behind the lighthouse, where the ground is dry.",
  "Fresh water comes from the pump beside the school, which freezes in January.",
  "The museum shows whale bones and letters of the first lighthouse keeper.",
];
const SMALL_TALK = [
  "Thank you so much, that sounds really great!",
  "You are so welcome, take care and see you soon!",
  "I hope you have a really lovely time, bye!",
];
const unitsOf = (sentences: readonly string[]): TextUnit[] => planUnits(sentences.join("\n\n"));

/** Every sentence has a direction of its own, so it is covered by itself alone. */
function vectorsOf(units: readonly TextUnit[], all: readonly TextUnit[]): Float32Array[] {
  return units.map(({ core }) => {
    const vector = new Float32Array(16);
    vector[all.findIndex((one) => one.core.text === core.text)] = 1;
    return vector;
  });
}

function evennessOf(kept: readonly string[], source: readonly string[]): number {
  const all = unitsOf(source);
  const some = unitsOf(kept);
  return compareUnits(
    { units: all, vectors: vectorsOf(all, all) },
    { units: some, vectors: vectorsOf(some, all) },
  ).evenness;
}

describe("evenness", () => {
  it("doesn't ask for the small talk that a text ends in", () => {
    expect(evennessOf(TOLD, [...TOLD, ...SMALL_TALK])).toBe(1);
  });

  it("asks for the second half, whatever small talk is around it", () => {
    const source = [...SMALL_TALK, ...TOLD, ...SMALL_TALK];
    expect(evennessOf([...SMALL_TALK, ...TOLD.slice(0, 3)], source)).toBe(0);
  });

  it("counts small talk where a text is nothing else", () => {
    const { partOf, partCount } = partsOf(unitsOf(SMALL_TALK));
    expect(partCount).toBe(1);
    expect([...partOf]).toEqual([0, 0, 0]);
  });
});
