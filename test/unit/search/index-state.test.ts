import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENTITY_TYPES, type Entity } from "../../../src/model/memory.ts";
import { EntityTable } from "../../../src/search/entity-table.ts";
import {
  decodeIndexState,
  encodeIndexState,
  type IndexState,
} from "../../../src/search/index-state.ts";
import { OrdinalSet } from "../../../src/search/ordinal-set.ts";

const LIMIT = 60;

function stateOf(named: readonly (readonly Entity[])[], asking: readonly number[]): IndexState {
  const entities = new EntityTable();
  named.forEach((list, ordinal) => entities.add(ordinal, list));
  return {
    marks: Uint32Array.from({ length: LIMIT }, (_, i) => (i % 3 === 0 ? 0 : 0xffff_ffff - i)),
    asks: OrdinalSet.of(LIMIT, asking),
    entities,
  };
}

const entity = fc.record({
  text: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
  type: fc.constantFrom(...ENTITY_TYPES),
  confidence: fc.constant(1),
});
const state = fc
  .tuple(
    fc.array(fc.array(entity, { maxLength: 4 }), { maxLength: LIMIT }),
    fc.array(fc.integer({ min: 0, max: LIMIT - 1 })),
  )
  .map(([named, asking]) => ({ named, built: stateOf(named, asking) }));

describe("the state of search as bytes", () => {
  it("comes back as it was (property)", () => {
    fc.assert(
      fc.property(state, ({ named, built }) => {
        const back = decodeIndexState(encodeIndexState(built))!;
        expect(back.marks).toEqual(built.marks);
        expect([...back.asks]).toEqual([...built.asks]);
        expect(back.entities.size).toBe(built.entities.size);
        named.forEach((_, ordinal) => {
          const names = (table: EntityTable): string[] =>
            table
              .namesOf(ordinal)
              .map(({ text, ordinals }) => `${text}: ${[...ordinals].join()}`)
              .sort();
          expect(names(back.entities)).toEqual(names(built.entities));
        });
      }),
    );
  });

  it("is nothing, and no error, when bytes are missing or wrong (property)", () => {
    fc.assert(
      fc.property(state, fc.nat(), fc.nat(255), ({ built }, at, value) => {
        const bytes = encodeIndexState(built);
        expect(decodeIndexState(bytes.subarray(0, at % bytes.length))).toBeNull();
        const damaged = bytes.slice();
        damaged[at % 10] = value;
        expect(() => decodeIndexState(damaged)).not.toThrow();
      }),
    );
  });
});
