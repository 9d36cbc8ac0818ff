/** What the pipeline keeps must pass when anybody judges it from the texts alone, as it is read. */
import { describe, expect, it } from "vitest";
import type { ContentKind } from "../../../../src/model/memory.ts";
import {
  LLMCompressor,
  type CompressionResult,
} from "../../../../src/processing/compression/compressor.ts";
import { reconstructText } from "../../../../src/processing/compression/reconstructor.ts";
import { SUMMARIZED } from "../../../fixtures/summaries/honest-summaries.ts";
import { chat } from "./chats.ts";
import { loadEmbedder } from "./embedder.ts";
import { mailBodies } from "./texts.ts";

const embedder = await loadEmbedder();
const items: { text: string; kind: ContentKind }[] = [
  ...[1, 2, 3].map((seed) => ({ text: chat(seed), kind: "chat" as const })),
  ...mailBodies(4, 1000, 1800).map((text) => ({ text, kind: "mail" as const })),
  ...SUMMARIZED.slice(0, 7).map(({ text, kind }) => ({ text, kind })),
];

describe.skipIf(!embedder)("stored summaries", { timeout: 240_000 }, () => {
  it("pass the gate alone with their entities, and as they are read", async () => {
    const compressor = new LLMCompressor({ embedder });
    const results = (await compressor.compressAll(items, {
      keep: "summary",
    })) as CompressionResult[];
    let kept = 0;
    for (const [index, { keep, summary, entities }] of results.entries()) {
      if (keep !== "summary") continue;
      kept++;
      const { text: original, kind } = items[index]!;
      const stored = { original, kind, mode: "fast" as const };
      const alone = await compressor.inspectSummary({ ...stored, summary, entities });
      expect(alone.reasons, summary).toEqual([]);
      const text = reconstructText(summary, entities);
      const read = await compressor.inspectSummary({ ...stored, summary: text });
      expect(read.reasons, text).toEqual([]);
    }
    expect(kept).toBeGreaterThanOrEqual(items.length / 2);
  });
});
