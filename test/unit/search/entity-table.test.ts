import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entity } from "../../../src/model/memory.ts";
import { EntityTable, entityKey } from "../../../src/search/entity-table.ts";

const NAMES = ["Ann Lee", "ann  lee", "ANKARA", "Ankara", "Ｂｏｂ", "bob", "Çelik"];
const named = (texts: readonly string[]): Entity[] =>
  texts.map((text) => ({ text, type: "person", confidence: 1 }));

describe("EntityTable", () => {
  it("knows who names what, whatever was added, replaced and removed (property)", () => {
    const step = fc.record({
      ordinal: fc.integer({ min: 0, max: 20 }),
      names: fc.option(fc.array(fc.constantFrom(...NAMES), { maxLength: 4 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new EntityTable();
        const truth = new Map<number, Set<string>>();
        for (const { ordinal, names } of steps)
          if (names === null) {
            table.remove(ordinal);
            truth.delete(ordinal);
          } else {
            table.add(ordinal, named(names));
            truth.set(ordinal, new Set(names.map(entityKey)));
          }
        for (const name of NAMES) {
          const expected = [...truth]
            .filter(([, keys]) => keys.has(entityKey(name)))
            .map(([ordinal]) => ordinal)
            .sort((a, b) => a - b);
          expect([...table.ordinalsOf(name)]).toEqual(expected);
          for (const ordinal of truth.keys())
            expect(table.ordinalsOf(name).has(ordinal)).toBe(expected.includes(ordinal));
        }
        for (const [ordinal, keys] of truth)
          expect(table.namesOf(ordinal).map(({ text }) => entityKey(text))).toEqual([...keys]);
        expect(table.size).toBe(new Set([...truth.values()].flatMap((keys) => [...keys])).size);
      }),
    );
  });

  it("leaves names that too many share, and numbers, out of what connects", () => {
    const table = new EntityTable();
    for (let ordinal = 0; ordinal < 5; ordinal++) table.add(ordinal, named(["Ann"]));
    table.add(5, [...named(["Ann", "Bob"]), { text: "42", type: "number", confidence: 1 }]);
    expect(table.namesOf(5, 3).map(({ text }) => text)).toEqual(["Bob"]);
    expect(table.namesOf(5).map(({ text }) => text)).toEqual(["Ann", "Bob"]);
  });
});
