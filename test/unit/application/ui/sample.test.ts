import { describe, expect, it } from "vitest";
import { buildSample, cutPassages } from "../../../../scripts/vite-plugin-sample.ts";

describe("the one-click sample", () => {
  it("cuts at sentence ends and keeps every word up to the limit", () => {
    const text = "We met today. It rained. Nobody minded! Then we left.";
    const passages = cutPassages(text, 20, 10);
    expect(passages.join(" ")).toBe(text);
    expect(passages.every((passage) => /[.!]$/.test(passage))).toBe(true);
    expect(cutPassages(text, 20, 1)).toHaveLength(1);
  });

  it("states figures of what it really holds", () => {
    const { jsonl, info } = buildSample();
    const items = jsonl
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(items).toHaveLength(Number(info.passageCount));
    expect(new TextEncoder().encode(jsonl).length).toBe(info.sizeBytes);
    expect(new Set(items.map((item) => item["thread"])).size).toBe(info.addressCount);
    for (const item of items) {
      expect(item["text"]!.length).toBeGreaterThan(0);
      expect(Number.isNaN(Date.parse(item["timestamp"]!))).toBe(false);
      expect(item["speaker"]).not.toBe("");
    }
  });
});
