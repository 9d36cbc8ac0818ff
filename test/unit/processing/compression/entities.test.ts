import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EntityExtractor } from "../../../../src/processing/compression/entities.ts";
import { address, mailBodies, opening } from "./texts.ts";

const extractor = new EntityExtractor();
const found = (text: string): string[] =>
  extractor.extract(text).map(({ type, text: value }) => `${type}: ${value}`);

describe("entities", () => {
  it("names people, places, organisations, dates, times and amounts", () => {
    expect(
      found(
        "Lawrence Murphy of Microsoft wrote to Hal DeVore in Seattle on 12 March 2002 at 3:30 pm about $3,500.50 and 12% of it.",
      ),
    ).toEqual([
      "person: Lawrence Murphy",
      "organization: Microsoft",
      "person: Hal DeVore",
      "place: Seattle",
      "date: 12 March 2002",
      "time: 3:30 pm",
      "amount: $3,500.50",
      "amount: 12%",
    ]);
  });

  it("names addresses, URLs, phone numbers and code", () => {
    expect(
      found("Call +1 (415) 555-2671 or mail bob.smith@example.com, see http://www.foo.org/a?b=1 ."),
    ).toEqual([
      "phone: +1 (415) 555-2671",
      "email: bob.smith@example.com",
      "url: http://www.foo.org/a?b=1",
    ]);
    expect(
      found("The run() method in parse_mail.py calls getHeader() of v1.2.3 with 0x1F."),
    ).toEqual([
      "code: run()",
      "code: parse_mail.py",
      "code: getHeader()",
      "code: v1.2.3",
      "code: 0x1F",
    ]);
  });

  it("leaves out mail headers, reply prefixes, shouting and single initials", () => {
    expect(
      found(
        "From: Bob Miller\nSubject: Re: Money\n\nTHIS IS A FREE OFFER FROM NIGERIA, ACT NOW!\n\nJ.\nplease read it.",
      ),
    ).toEqual([]);
  });

  it("lists each once, in order of first mention, more certain when repeated", () => {
    const once = extractor.extract("We met Maria Lopez there.");
    const often = extractor.extract(
      "We met Maria Lopez there. Then Maria Lopez left, and Maria spoke for Maria Lopez's team in Berlin.",
    );
    expect(often.map((entity) => entity.text)).toEqual(["Maria Lopez", "Berlin"]);
    expect(often[0]!.confidence).toBeGreaterThan(once[0]!.confidence);
  });

  it("knows where each mention stands", () => {
    for (const text of [opening(address(1865), 5000), ...mailBodies(10)]) {
      let end = 0;
      for (const mention of extractor.locate(text)) {
        expect(text.slice(mention.start, mention.end).replace(/\s/g, " ")).toBe(
          mention.text.replace(/\s/g, " "),
        );
        expect(mention.start).toBeGreaterThanOrEqual(end);
        end = mention.end;
        expect(mention.confidence).toBeGreaterThan(0);
        expect(mention.confidence).toBeLessThanOrEqual(1);
      }
    }
  });

  it("finds the names of long sentences, wherever they stand in them", () => {
    const text =
      "After many weeks in which nothing was written down by any of those who had been there,\n" +
      "the report of Maria Lopez reached the office in Berlin, where for most of that long and quiet " +
      "afternoon nobody had the time to open it, until at last Hal DeVore did.";
    expect(found(text).filter((entity) => !entity.startsWith("time"))).toEqual([
      "person: Maria Lopez",
      "place: Berlin",
      "person: Hal DeVore",
    ]);
    expect(found("In the end, the seller said that he would not. Ann Miller did.")).toEqual([
      "person: Ann Miller",
    ]);
  });

  it("finds quantities of any sentence, however far apart they stand", () => {
    const filler = "Nobody there had said anything about it. ";
    const text = `They paid two hundred dollars. ${filler.repeat(200)}It was late in March. ${filler}Then forty came.`;
    for (const { type, start, end, text: value } of extractor.locate(text)) {
      expect(text.slice(start, end)).toBe(value);
      expect(["amount", "date", "number"]).toContain(type);
    }
    expect(found(text).map((entity) => entity.replace(/^\w+: /, ""))).toEqual([
      "two hundred dollars",
      "March",
      "forty",
    ]);
  });

  it("takes any string", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => {
        for (const { start, end } of extractor.locate(text)) expect(end).toBeGreaterThan(start);
      }),
      { numRuns: 60 },
    );
  });

  it("comes to an end on 400 KB of quote marks, digits, dots and one long line", () => {
    // Quadratic time took minutes here: the suite's own limit would end it.
    for (const pattern of ["> > > >\n", "1 ", "a@b.c.d.", "x,", "f().", "On 1 a ", " \n"]) {
      const text = pattern.repeat(400_000 / pattern.length);
      for (const { end } of extractor.locate(text)) expect(end).toBeLessThanOrEqual(text.length);
    }
  });
});
