import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planQuery } from "../../../src/search/query-plan.ts";
import { makeSnippet as snippetOf, type Snippet } from "../../../src/search/snippet.ts";
import { TermFinder } from "../../../src/search/term-finder.ts";
import { stemOf } from "../../../src/search/text-analysis.ts";

function makeSnippet(text: string, { words, phrases }: ReturnType<typeof planQuery>): Snippet {
  return snippetOf(text, new TermFinder(words), phrases);
}

const marked = (text: string, query: string, prefix = false): string[] => {
  const { text: shown, highlights } = makeSnippet(text, planQuery(query, { prefix }));
  return highlights.map(([start, end]) => shown.slice(start, end));
};

describe("makeSnippet", () => {
  it("shows the place where most words of the query stand together", () => {
    const filler = "Nothing of note happened on that day. ".repeat(40);
    const text = `A bridge. ${filler} The bridge over the river was closed. ${filler}`;
    const { text: shown } = makeSnippet(text, planQuery("closed bridge"));
    expect(shown).toContain("The bridge over the river was closed.");
    expect(shown.startsWith("…")).toBe(true);
    expect(shown.endsWith("…")).toBe(true);
    expect(shown.length).toBeLessThan(260);
  });

  it("keeps nothing of the text but what it shows", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const plan = planQuery("closed bridge");
    const bytes = new TextEncoder().encode(
      "The bridge was closed. " + "Nothing of note happened on that day. ".repeat(20_000),
    );
    collect();
    const before = process.memoryUsage().heapUsed;
    const shown = Array.from(
      { length: 100 },
      () => makeSnippet(new TextDecoder().decode(bytes), plan).text,
    );
    collect();
    expect(shown.length).toBe(100);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10 * bytes.length);
  });

  it.each([
    ["He was happy and full of happiness.", "happy", ["happy", "happiness"]],
    ["Studies show that studying helps.", "study", ["Studies", "studying"]],
    ["Le Café était fermé.", "cafe", ["Café"]],
    ["我昨天在东京都买了书", "东京都", ["东京都"]],
    ["The lighthouse keeper", "light", []],
    ["A naïve approach", "naive", ["naïve"]],
    ["She said “café” — not Cafés.", "cafe", ["café", "Cafés"]],
    ["Мы читали книги о книге", "книга книги", ["книги"]],
    ["Das iPhone手机 und das iPhone", "iphone", ["iPhone", "iPhone"]],
    ["手机iPhone", "iphone 手机", ["手机iPhone"]],
    ["Don't stop", "don't stop", ["Don", "stop"]],
  ])("highlights in %j what %j matches", (text, query, expected) => {
    expect(marked(text, query)).toEqual(expected);
  });

  it("shows a quoted phrase rather than the same words apart", () => {
    const filler = "Nothing of note happened on that day. ".repeat(20);
    const text = `The river and the bridge. ${filler} A bridge over the river. ${filler} Then the river, the bridge.`;
    const { text: shown } = makeSnippet(text, planQuery('"bridge over the river"'));
    expect(shown).toContain("A bridge over the river.");
  });

  it("highlights a prefix that is being typed whatever its accents", () => {
    expect(marked("Le Café était fermé", "caf", true)).toEqual(["Café"]);
    expect(marked("Le cafetier", "Café", true)).toEqual(["cafetier"]);
  });

  it("highlights the whole word of a prefix that is being typed", () => {
    expect(marked("The lighthouse keeper", "light", true)).toEqual(["lighthouse"]);
  });

  it("keeps offsets inside the text, ordered and apart, and never cuts a surrogate pair (property)", () => {
    const piece = fc.constantFrom("river ", "bridge\n", "😀", "東京", "naïve ", "x", "\0", " ");
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 300 }),
        fc.constantFrom("river bridge", "東京", "naive 😀", ""),
        (pieces, query) => {
          const { text, highlights } = makeSnippet(pieces.join(""), planQuery(query));
          expect(text.isWellFormed()).toBe(true);
          let last = -1;
          for (const [start, end] of highlights) {
            expect(start).toBeGreaterThan(last);
            expect(end).toBeGreaterThan(start);
            expect(end).toBeLessThanOrEqual(text.length);
            last = end;
          }
        },
      ),
    );
  });
});

describe("TermFinder", () => {
  it("finds the words beyond ASCII that a search by letters, digits and marks finds (property)", () => {
    // Every run that holds a character outside ASCII; those of scripts without spaces are cut elsewhere.
    const words = /[\p{L}\p{N}\p{Co}\p{M}]*(?![\0-\x7f])[\p{L}\p{N}\p{Co}\p{M}]+/gu;
    const terms = planQuery("café naïve über Ärger").words;
    const stems = new Set(terms.map(({ stem }) => stem));
    const piece = fc.oneof(
      fc.constantFrom(
        "Café",
        "cafés",
        "x“naïve”",
        "über-",
        "3ärger",
        "Ärger’s",
        "cafe\u0301",
        "🙂",
        "𝒜",
      ),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.constantFrom(" ", "", "—"),
        (pieces, gap) => {
          const text = pieces.join(gap);
          fc.pre(
            !/[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u.test(
              text,
            ),
          );
          const wide = [...text.matchAll(words)]
            .filter(([word]) => stems.has(stemOf(word)))
            .map(({ index, 0: word }) => [index, index + word.length]);
          const found = new TermFinder(terms)
            .find(text)
            .filter(({ start, end }) => /[^\0-\x7f]/.test(text.slice(start, end)))
            .map(({ start, end }) => [start, end]);
          expect(found).toEqual(wide);
        },
      ),
      { numRuns: 500 },
    );
  });
});
