import { describe, expect, it } from "vitest";
import { timeWords, wayWords } from "../../../src/application/explain.ts";

const rankOf = (id: string): number | undefined => ({ a: 1, b: 2 })[id];

describe("wayWords", () => {
  it("says what links a result with the one that led to it", () => {
    const way = (links: Parameters<typeof wayWords>[0]["links"], from = "a"): string =>
      wayWords({ path: [from, ...links!.map((_link, i) => `m${i}`)], links: links! }, rankOf);
    expect(way([{ kind: "next" }])).toBe("follows result 1");
    expect(way([{ kind: "previous" }], "b")).toBe("comes before result 2");
    expect(way([{ kind: "entity", via: "Ada" }, { kind: "next" }])).toBe(
      "follows what names “Ada” like result 1",
    );
    expect(way([{ kind: "thread" }], "z")).toBe("is in one conversation with a match further down");
    expect(wayWords({}, rankOf)).toBe("");
  });
});

describe("timeWords", () => {
  it("says how a time was read, to the last day in it", () => {
    const [from, to] = [Date.UTC(2024, 2, 1), Date.UTC(2024, 5, 1)];
    expect(timeWords({ text: "last spring", from, to })).toBe(
      "“last spring” read as 2024-03-01 to 2024-05-31",
    );
    expect(timeWords({ text: "since March", from, to: null })).toContain("from 2024-03-01 on");
    expect(timeWords({ text: "in May", from: null, to: null })).toContain("of any year");
    expect(timeWords({ text: "before we moved", from: null, to, memoryId: "x" })).toBe(
      "“before we moved” read as up to 2024-05-31, by a memory of it",
    );
  });
});
