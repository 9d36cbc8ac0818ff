import { describe, expect, it } from "vitest";
import { EntityExtractor } from "../../../../src/processing/compression/entities.ts";
import type { ClaimReport } from "../../../../src/processing/compression/faithfulness.ts";
import { foreignSpans } from "../../../../src/processing/compression/foreign-spans.ts";
import { SourceChecker } from "../../../../src/processing/compression/quality.ts";
import { analyzeSource } from "../../../../src/processing/compression/source-analysis.ts";
import { splitSentences } from "../../../../src/processing/content/segmentation.ts";
import { SUMMARIZED } from "../../../fixtures/summaries/honest-summaries.ts";

const extractor = new EntityExtractor();
const texts = SUMMARIZED.map(({ text, kind, summaries }) => {
  const source = analyzeSource(text, extractor, foreignSpans, kind, { withQuotes: true });
  const checker = new SourceChecker(source);
  const claims = (summary: string): ClaimReport[] =>
    checker.link(splitSentences(summary).map(({ start, end }) => summary.slice(start, end)));
  return { summaries, claims };
});
const hasProblem = ({ problems }: ClaimReport): boolean => problems.length > 0;

describe("summaries as people write them", () => {
  it("accepts nineteen of twenty sentences, and nine of ten summaries whole", () => {
    const reports = texts.flatMap(({ summaries, claims }) =>
      summaries.map(({ text }) => claims(text)),
    );
    const sentences = reports.flat();
    expect(reports.length).toBeGreaterThanOrEqual(25);
    expect(sentences.filter(hasProblem).length / sentences.length).toBeLessThanOrEqual(0.05);
    const refused = reports.filter((report) => report.some(hasProblem)).length;
    expect(refused / reports.length).toBeLessThanOrEqual(0.1);
  });

  it("refuses what was made false in them", () => {
    let made = 0;
    const missed: string[] = [];
    for (const { summaries, claims } of texts)
      for (const { text, lies } of summaries) {
        const honest = new Set(claims(text).map((claim) => claim.text));
        for (const [passage, lie] of lies) {
          expect(text).toContain(passage);
          made++;
          const changed = claims(text.replace(passage, lie)).filter(
            (claim) => !honest.has(claim.text),
          );
          expect(changed.length).toBeGreaterThan(0);
          if (!changed.some(hasProblem)) missed.push(`${passage} → ${lie}`);
        }
      }
    expect(made).toBeGreaterThan(100);
    expect(missed.length / made, missed.join("; ")).toBeLessThanOrEqual(0.03);
  });
});
