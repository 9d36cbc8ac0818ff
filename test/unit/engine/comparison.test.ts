import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { AppError } from "../../../src/errors.ts";
import type { TextRange } from "../../../src/model/comparison.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { NodeEmbedderProvider } from "../../../src/platform/node/ort-embedder.ts";
import { SUMMARIZED } from "../../fixtures/summaries/honest-summaries.ts";

const CHAT = SUMMARIZED[0]!.text;
const QUOTED = `I read the report on the harbour yesterday evening. The crane on the north pier must be repaired before the winter, or the insurance will not pay. Ingrid Solheim wants three offers until 12 March. The cheapest one so far is 48,000 kroner from a firm in Bergen. Please send me the drawings of the old crane, because the firm needs its exact height.

On Mon, Mar 4, 2024, Ole Dahl wrote:
> Did you have time for the report?
> We should decide this week.

-- 
Kari Moen
Harbour office, Stavanger
`;

const embeds = (await new NodeEmbedderProvider({ threads: 1 }).state()).state === "installed";

describe.skipIf(!embeds)("a text beside its summaries", { timeout: 120_000 }, () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({
      fileStore: new MemoryFileStore(new MemoryVolume()),
      embedder: new NodeEmbedderProvider({ threads: 1 }),
      sql: () => Promise.reject(new AppError("internal", "No SQL here.")),
    });
  });
  afterAll(() => engine.close());
  const slice = (text: string, { start, end }: TextRange): string => text.slice(start, end);

  it("shows candidates with their verdicts, and marks the one that would be kept", async () => {
    const comparison = await engine.compare({ text: CHAT }, { keep: "summary" });
    expect(comparison.original).toBe(CHAT);
    const chosen = comparison.candidates.filter((candidate) => candidate.chosen);
    expect(chosen).toHaveLength(1);
    expect(chosen[0]).toMatchObject({ verdict: "pass", reasons: [], model: "extractive" });
    expect(chosen[0]!.bytes).toBe(new TextEncoder().encode(chosen[0]!.text).length);
    for (const candidate of comparison.candidates)
      expect(candidate.reasons.length > 0).toBe(candidate.verdict === "fail");
    expect(comparison.originalBytes).toBe(new TextEncoder().encode(CHAT).length);
    expect(comparison.summaryBytes).toBeGreaterThan(0);
    expect(comparison.summaryBytes).toBeLessThan(comparison.originalBytes);
  });

  it("links every sentence of a summary to where the text says it", async () => {
    const { candidates } = await engine.compare({ text: CHAT }, { keep: "summary" });
    const { text, links } = candidates.find((candidate) => candidate.chosen)!;
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) {
      expect(link.problems).toEqual([]);
      expect(link.sources.length).toBeGreaterThan(0);
      const said = slice(text, link.range).replace(/^\w+: /, "");
      expect(slice(CHAT, link.sources[0]!)).toContain(said.slice(0, 30));
    }
  });

  it("says what was dropped: neither linked nor said in other words", async () => {
    const { candidates, droppedRanges, droppedEntities, entities } = await engine.compare(
      { text: CHAT },
      {
        keep: "summary",
      },
    );
    const { text, links } = candidates.find((candidate) => candidate.chosen)!;
    expect(droppedRanges.length).toBeGreaterThan(0);
    const sources = links.flatMap((link) => link.sources);
    for (const dropped of droppedRanges) {
      expect(slice(CHAT, dropped).trim()).not.toBe("");
      for (const source of sources) {
        const overlap = Math.min(dropped.end, source.end) - Math.max(dropped.start, source.start);
        // The fragments beside a sentence go with it.
        expect(overlap).toBeLessThan((source.end - source.start) / 2);
      }
    }
    for (const entity of droppedEntities) {
      expect(CHAT).toContain(entity.text);
      expect(text).not.toContain(entity.text);
      expect(entities.map((one) => one.text)).not.toContain(entity.text);
    }
  });

  it("sets quotes and signature apart", async () => {
    const { foreignRanges } = await engine.compare({ text: QUOTED }, { keep: "exact" });
    const foreign = foreignRanges.map((range) => slice(QUOTED, range)).join("\n");
    expect(foreign).toContain("We should decide this week.");
    expect(foreign).toContain("Harbour office, Stavanger");
    expect(foreign).not.toContain("the insurance will not pay");
  });

  it("judges people's own summaries, and names what is false in them", async () => {
    const { summaries } = SUMMARIZED[0]!;
    const honest = summaries.map(({ text }) => text).join(" ");
    const judged = await engine.evaluate({ original: CHAT, summary: honest });
    expect(judged.unsupported).toEqual([]);
    expect(judged.quality.faithfulness).toBe(1);
    const lie = honest.replace("850", "580");
    const refused = await engine.evaluate({ original: CHAT, summary: lie });
    expect(refused.verdict).toBe("fail");
    expect(refused.reasons[0]).toContain("580");
  });

  it("refuses an empty text or summary", async () => {
    await expect(engine.compare({ text: " " })).rejects.toMatchObject({ code: "invalid_input" });
    await expect(engine.evaluate({ original: CHAT, summary: "" })).rejects.toMatchObject({
      code: "invalid_input",
    });
  });
});
