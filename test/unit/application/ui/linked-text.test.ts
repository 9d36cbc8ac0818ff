import { describe, expect, it } from "vitest";
import fc from "fast-check";
import {
  describeLink,
  linkRanges,
  summaryRuns,
  textRuns,
} from "../../../../src/application/ui/lib/linked-text.ts";
import type { SentenceLink, TextRange } from "../../../../src/model/comparison.ts";

const TEXT = "The boats broke loose. Nobody was hurt. Repairs cost 48,000 kroner.";
const at = (part: string): TextRange => {
  const start = TEXT.indexOf(part);
  return { start, end: start + part.length };
};
const link = (part: Partial<SentenceLink>): SentenceLink => ({
  range: { start: 0, end: 1 },
  sources: [],
  verbatim: false,
  problems: [],
  ...part,
});

describe("the original in runs", () => {
  it("says of each run which sentences stand on it and whether it was dropped", () => {
    const runs = textRuns(TEXT, {
      links: [[at("The boats broke loose.")], [at("Repairs cost 48,000 kroner.")]],
      dropped: [at("Nobody was hurt.")],
    });
    expect(runs.map(({ text, links, dropped }) => ({ text, links, dropped }))).toEqual([
      { text: "The boats broke loose.", links: [0], dropped: false },
      { text: " ", links: [], dropped: false },
      { text: "Nobody was hurt.", links: [], dropped: true },
      { text: " ", links: [], dropped: false },
      { text: "Repairs cost 48,000 kroner.", links: [1], dropped: false },
    ]);
  });

  it("splits where two sentences share a part of their sources", () => {
    const runs = textRuns("abcdef", {
      links: [[{ start: 0, end: 4 }], [{ start: 2, end: 6 }]],
    });
    expect(runs.map((run) => [run.text, run.links])).toEqual([
      ["ab", [0]],
      ["cd", [0, 1]],
      ["ef", [1]],
    ]);
  });

  const ranges = fc.array(
    fc.record({ start: fc.integer({ min: -5, max: 60 }), end: fc.integer({ min: -5, max: 60 }) }),
    { maxLength: 6 },
  );

  it("is the text again, whatever the ranges, and marks exactly what they cover", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 50 }),
        fc.array(ranges, { maxLength: 4 }),
        ranges,
        ranges,
        (text, links, dropped, foreign) => {
          const runs = textRuns(text, { links, dropped, foreign });
          expect(runs.map((run) => run.text).join("")).toBe(text);
          const covers = (list: TextRange[], offset: number): boolean =>
            list.some((range) => range.start <= offset && offset < range.end);
          for (const run of runs)
            for (let offset = run.start; offset < run.end; offset++) {
              expect(run.dropped).toBe(covers(dropped, offset));
              expect(run.foreign).toBe(covers(foreign, offset));
              expect(run.links).toEqual(
                links.flatMap((list, index) => (covers(list, offset) ? [index] : [])),
              );
            }
        },
      ),
    );
  });
});

describe("the summary in sentences", () => {
  it("keeps the text between sentences and the order of links", () => {
    const runs = summaryRuns("One. Two.", [
      link({ range: { start: 0, end: 4 } }),
      link({ range: { start: 5, end: 9 } }),
    ]);
    expect(runs).toEqual([
      { text: "One.", link: 0 },
      { text: " ", link: null },
      { text: "Two.", link: 1 },
    ]);
  });

  it("loses no character, even when ranges overlap or lie outside", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 40 }),
        fc.array(fc.tuple(fc.integer({ min: -3, max: 50 }), fc.integer({ min: -3, max: 50 })), {
          maxLength: 5,
        }),
        (text, pairs) => {
          const links = pairs.map(([start, end]) => link({ range: { start, end } }));
          expect(
            summaryRuns(text, links)
              .map((run) => run.text)
              .join(""),
          ).toBe(text);
        },
      ),
    );
  });

  it("shows the best few sources of a sentence", () => {
    const sources = [0, 1, 2, 3].map((index) => ({
      start: index,
      end: index + 1,
      score: 1 - index / 10,
    }));
    expect(linkRanges([link({ sources })])[0]).toHaveLength(3);
  });

  it("says in words what stands behind a sentence", () => {
    const source = { start: 0, end: 3, score: 0.9 };
    expect(describeLink(link({ sources: [source], verbatim: true }))).toBe(
      "Word for word from one sentence of the original",
    );
    expect(describeLink(link({ sources: [source, source] }))).toBe(
      "From 2 sentences of the original, in other words",
    );
    expect(describeLink(link({}))).toBe("Nothing in the original supports this sentence");
    expect(describeLink(link({ sources: [source], problems: ["it says Friday"] }))).toBe(
      "Not supported: it says Friday",
    );
  });
});
