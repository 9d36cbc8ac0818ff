import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EntityExtractor } from "../../../../src/processing/compression/entities.ts";
import { foreignSpans } from "../../../../src/processing/compression/foreign-spans.ts";
import { analyzeSource } from "../../../../src/processing/compression/source-analysis.ts";
import { joinParts, ownSegments } from "../../../../src/processing/language/text-parts.ts";
import { estimateTokens } from "../../../../src/processing/language/token-estimate.ts";

const analyze = (text: string, kind?: "mail") =>
  analyzeSource(text, new EntityExtractor(), foreignSpans, kind);
const squeeze = (text: string): string => text.replace(/\s+/gu, "");

describe("the text that a model is shown", () => {
  const mail = [
    "Hi Ada,",
    "",
    "the pump failed on 3 May. Please order a new one.",
    "",
    "> The old pump was from 1998.",
    "> It was loud.",
    "",
    "We need it before the summer.",
  ].join("\n");

  it("is the author's own words, without quotes", () => {
    const own = ownSegments(analyze(mail, "mail")).join("");
    expect(own).toContain("Hi Ada,");
    expect(own).toContain("before the summer");
    expect(own).not.toContain("1998");
  });

  it("is all of a text without quotes, in order", () => {
    const text = "One is here. Two follows it. And a third sentence ends the matter.";
    expect(ownSegments(analyze(text)).join("")).toBe(text);
  });
});

describe("parts", () => {
  it("fit, and lose nothing but white space at their edges", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme", maxLength: 200 }), { maxLength: 30 }),
        fc.integer({ min: 4, max: 200 }),
        (segments, maxTokens) => {
          const parts = joinParts(segments, maxTokens);
          expect(squeeze(parts.join(""))).toBe(squeeze(segments.join("")));
          for (const part of parts) expect(estimateTokens(part)).toBeLessThanOrEqual(maxTokens);
        },
      ),
    );
  });

  it("end between segments where they can", () => {
    const segments = ["The first sentence. ", "The second sentence. ", "The third sentence."];
    expect(joinParts(segments, 11)).toEqual([
      "The first sentence. The second sentence.",
      "The third sentence.",
    ]);
  });
});
