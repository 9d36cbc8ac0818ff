import { describe, expect, it } from "vitest";
import { packedTextBytes } from "../../../src/storage/text-size.ts";

const summary = (i: number) =>
  `On day ${i} the ferry left Mallaig at ${6 + i}:15 with ${20 + i * 7} passengers and a van of seed potatoes.`;

describe("bytes of texts that are packed together", () => {
  it("are less than each by itself, and are shared by size", async () => {
    const texts = Array.from({ length: 12 }, (_, i) => ({ summary: summary(i), entities: [] }));
    const together = await packedTextBytes(texts);
    const alone = await packedTextBytes([texts[0]!]);
    expect(together).toHaveLength(12);
    expect(together[0]).toBeLessThan(alone[0]! / 2);
    const [short, long] = await packedTextBytes([
      { summary: "Short.", entities: [] },
      { summary: summary(1) + summary(2), entities: [] },
    ]);
    expect(long).toBeGreaterThan(short! * 10);
  });

  it("count entities, too; nothing takes nothing", async () => {
    const [bare] = await packedTextBytes([{ summary: summary(1), entities: [] }]);
    const [named] = await packedTextBytes([
      { summary: summary(1), entities: [{ text: "Mallaig", type: "place", confidence: 1 }] },
    ]);
    expect(named).toBeGreaterThan(bare!);
    expect(await packedTextBytes([])).toEqual([]);
    expect(await packedTextBytes([{ summary: "", entities: [] }])).toEqual([0]);
  });
});
