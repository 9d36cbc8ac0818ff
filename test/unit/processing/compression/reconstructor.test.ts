import { describe, expect, it } from "vitest";
import type { Entity } from "../../../../src/model/memory.ts";
import { EntityExtractor } from "../../../../src/processing/compression/entities.ts";
import { FaithfulnessChecker } from "../../../../src/processing/compression/faithfulness.ts";
import { reconstructText } from "../../../../src/processing/compression/reconstructor.ts";

const name = (text: string): Entity => ({ text, type: "organization", confidence: 0.8 });

describe("a summary as it is read", () => {
  it("lists what it only holds inside of other words", () => {
    const read = reconstructText("The location of the catalogue is known.", [
      name("CAT"),
      name("location"),
    ]);
    expect(read).toContain("Also mentioned: CAT.");
  });

  it("may list a figure that the source writes with its unit", () => {
    const checker = new FaithfulnessChecker(["We fetched 1366kB in a minute at 17.9kB/s."]);
    expect(checker.check(["Dates, amounts and numbers: 1366; 17.9."]).score).toBe(1);
    expect(checker.check(["Dates, amounts and numbers: 366."]).score).toBeLessThan(1);
    expect(checker.check(["Also mentioned: etched."]).score).toBeLessThan(1);
  });

  it("lists no piece of a longer figure", () => {
    const text = "The build stops at af6_decore.cpp:305: parse error before the end.";
    const numbers = new EntityExtractor().extract(text).map((entity) => entity.text);
    expect(numbers).not.toContain("05");
  });
});
