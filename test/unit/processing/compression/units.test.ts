import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rankUnits, fitBudget } from "../../../../src/processing/compression/selection.ts";
import {
  cutPieces,
  MAX_PIECE_CHARS,
  planUnits,
} from "../../../../src/processing/compression/units.ts";
import { address, opening } from "./texts.ts";

describe("sentence units", () => {
  it("is one sentence each, with greetings and fragments beside it but not embedded", () => {
    const units = planUnits(
      "Hey Jon! I lost my job as a banker yesterday. Too bad. Now I will open a dance studio.",
    );
    expect(units.map((unit) => unit.text)).toEqual([
      "Hey Jon! I lost my job as a banker yesterday. Too bad.",
      "Now I will open a dance studio.",
    ]);
    expect(units[0]!.pieces).toEqual(["I lost my job as a banker yesterday."]);
  });

  it("keeps fragments where there is nothing else", () => {
    expect(planUnits("Milk. Eggs.").map((unit) => unit.text)).toEqual(["Milk. Eggs."]);
  });

  it("leaves excluded parts out", () => {
    const text = "This sentence is quoted from elsewhere. This one is the author's own.";
    expect(planUnits(text, [{ start: 0, end: 40 }]).map((unit) => unit.text)).toEqual([
      "This one is the author's own.",
    ]);
  });

  it("cuts long sentences into pieces that together hold all their words", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z🙂,;]{1,40}$/u), { maxLength: 300 }),
        (words) => {
          const text = words.join(" ").trim();
          const pieces = cutPieces(text);
          expect(pieces.join("").replace(/ /g, "")).toBe(text.replace(/ /g, ""));
          for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(MAX_PIECE_CHARS);
        },
      ),
    );
  });
});

describe("choice of units", () => {
  const units = planUnits(opening(address(1865), 8000));
  const facts = units.map(() => new Set<string>());

  it("orders every unit, the same each time", () => {
    const order = rankUnits({ units, vectors: null, facts });
    expect(order.toSorted((a, b) => a - b)).toEqual(units.map((_, index) => index));
    expect(rankUnits({ units, vectors: null, facts })).toEqual(order);
  });

  it("doesn't say the same thing twice", () => {
    const twice = planUnits(
      "The harbour bridge will be closed in May. The harbour bridge will be closed in May. Tickets for the concert are sold out already.",
    );
    const order = rankUnits({ units: twice, vectors: null, facts: twice.map(() => new Set()) });
    expect(new Set(order.slice(0, 2).map((index) => twice[index]!.text)).size).toBe(2);
  });

  it("prefers what names more, when it covers the same", () => {
    const pair = planUnits(
      "The committee met the visitors in the town hall. The committee met the visitors in the town hall.",
    );
    const named = [new Set<string>(), new Set(["ann lee", "1845"])];
    expect(rankUnits({ units: pair, vectors: null, facts: named })[0]).toBe(1);
  });

  it("stays within the budget, except for a first unit that is larger", () => {
    const order = rankUnits({ units, vectors: null, facts });
    for (const budget of [300, 800, 2000]) {
      const chosen = fitBudget(units, order, budget);
      const bytes = chosen.reduce((sum, index) => sum + units[index]!.text.length + 1, -1);
      if (chosen.length > 1) expect(bytes).toBeLessThanOrEqual(budget);
      expect(chosen).toEqual(chosen.toSorted((a, b) => a - b));
    }
  });
});
