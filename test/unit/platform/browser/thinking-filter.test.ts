import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ThinkingFilter } from "../../../../src/platform/browser/language/thinking-filter.ts";

function filtered(text: string, cuts: readonly number[]): string {
  const filter = new ThinkingFilter();
  const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
  let start = 0;
  let out = "";
  for (const end of ends) {
    out += filter.push(text.slice(start, end));
    start = end;
  }
  return out + filter.end();
}

describe("ThinkingFilter", () => {
  it("gives the same answer however the stream is cut", () => {
    const texts = fc.constantFrom(
      "The ferry leaves at nine.",
      "<think>\n\n</think>\n\nNine.",
      "\n<think>Let me see: a < b.</think>Nine.",
      "<thin ice>",
      "<",
      "",
      "Say <think> aloud.",
    );
    fc.assert(
      fc.property(texts, fc.array(fc.nat(40), { maxLength: 12 }), (text, cuts) => {
        expect(filtered(text, cuts)).toBe(
          text.trimStart().startsWith("<think>")
            ? text.slice(text.indexOf("</think>") + 8).trimStart()
            : text,
        );
      }),
    );
  });

  it("gives nothing of thoughts that never ended", () => {
    expect(filtered("<think>and then, and then", [3, 9])).toBe("");
  });
});
