import { describe, expect, it } from "vitest";
import { choosePassage, sentencesOf } from "../../../src/search/passage.ts";
import { planQuery } from "../../../src/search/query-plan.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { InMemoryStore } from "./in-memory-store.ts";

const count = (text: string): number => Math.ceil(text.length / 4);
const DAY_MS = 86_400_000;

const LETTER = `The committee met on Tuesday. ${"Nothing of note was said about the weather. ".repeat(12)}Dr. Okafor proposed to move the archive to Leeds in 3.5 months. The vote was seven to two. ${"Then there was tea and a long talk about bicycles. ".repeat(14)}`;

async function service(): Promise<SearchService> {
  const store = new InMemoryStore();
  const say = (day: number, speaker: string, text: string) => ({
    text,
    timestamp: Date.UTC(2023, 0, 1) + day * DAY_MS,
    metadata: { speaker },
  });
  await store.add(
    say(1, "Ada", "The archive moves to Leeds in spring."),
    say(0, "Ben", "Who keeps the key of the archive?"),
    say(1, "Ben", "I had soup."),
    say(2, "Ada", LETTER),
  );
  return SearchService.open(store);
}

describe("a context within a budget", () => {
  it("is in the order of time, with dates, speakers and a mark for each memory", async () => {
    const search = await service();
    const { context } = await search.recall({ query: "archive Leeds key", contextTokens: 400 });
    const { text, parts, tokens } = context!;
    expect(tokens).toBeLessThanOrEqual(400);
    expect(text.indexOf("2023-01-01\n[1] Ben: Who keeps the key")).toBe(0);
    expect(text).toContain("2023-01-02\n[2] Ada: The archive moves to Leeds in spring.");
    expect(parts.map(({ timestamp }) => timestamp)).toEqual(
      parts.map(({ timestamp }) => timestamp).sort((a, b) => a - b),
    );
    expect(context!.contextRatio).toBeGreaterThan(1);
    await search.close();
  });

  it("never exceeds its budget and never cuts a sentence", async () => {
    const search = await service();
    for (let budget = 16; budget < 400; budget += 12) {
      const { context } = await search.recall({
        query: "archive Leeds vote",
        contextTokens: budget,
      });
      expect(count(context!.text)).toBeLessThanOrEqual(budget);
      expect(context!.tokens).toBe(count(context!.text));
      for (const part of context!.parts) expect(part.text).toMatch(/[.?]$/);
    }
    await search.close();
  });

  it("is absent when it isn't asked for", async () => {
    const search = await service();
    expect((await search.recall({ query: "archive" })).context).toBeUndefined();
    await search.close();
  });
});

describe("a passage", () => {
  it("is whole sentences around the query's words, gaps marked", () => {
    const { words } = planQuery("Okafor archive vote", { prefix: false });
    const passage = choosePassage(LETTER, words, 40, count)!;
    expect(passage).toContain("Okafor proposed to move the archive to Leeds in 3.5 months.");
    expect(count(passage)).toBeLessThanOrEqual(45);
    expect(
      choosePassage("One sentence that is far too long to fit in there.", words, 3, count),
    ).toBeNull();
  });

  it("cuts where sentences end, and loses no word", () => {
    const text = "First one. Version 3.5 is out! 中文也可以。最后。\nNo dot at the end";
    const sentences = sentencesOf(text).map(({ start, end }) => text.slice(start, end));
    expect(sentences).toContain("Version 3.5 is out!");
    expect(sentences.at(-1)).toBe("No dot at the end");
    expect(sentences.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
  });
});
