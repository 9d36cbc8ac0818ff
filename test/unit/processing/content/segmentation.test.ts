import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunkText, splitSentences } from "../../../../src/processing/content/segmentation.ts";

const texts = (text: string): string[] =>
  splitSentences(text).map(({ start, end }) => text.slice(start, end));

/** Text made of the parts that cuts depend on, surrogates (paired and lone) and NULs included. */
const roughText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "word ",
        "Mr. Ahab ",
        "$3.50 ",
        ". ",
        "! ",
        "?\n",
        "\n\n",
        "\r\n",
        "# Head\n",
        "- item\n",
        "```\n",
        "    x = 1;\n",
        "> quoted\n",
        "-----\n",
        "…",
        "。",
        "؟ ",
        "👩‍🚀",
        "\ud83d",
        "\ude80",
        "\0",
        "\u3000",
        "\t",
      ),
      fc.string({ unit: "binary", maxLength: 12 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

describe("splitSentences", () => {
  it("does not cut after titles, initials, abbreviations, decimals and inside URLs", () => {
    expect(
      texts(
        "Mr. Smith met J. R. R. Tolkien in Washington, D.C. on Jan. 5. It cost $3.50, e.g. a coffee. See http://a.b/c.d?e=f. Fig. 2 shows it.",
      ),
    ).toEqual([
      "Mr. Smith met J. R. R. Tolkien in Washington, D.C. on Jan. 5.",
      "It cost $3.50, e.g. a coffee.",
      "See http://a.b/c.d?e=f.",
      "Fig. 2 shows it.",
    ]);
  });

  it("cuts after an abbreviation when a new sentence clearly starts", () => {
    expect(texts("We left at 5 p.m. The shop closed. He joined Acme Inc. They paid.")).toEqual([
      "We left at 5 p.m.",
      "The shop closed.",
      "He joined Acme Inc.",
      "They paid.",
    ]);
  });

  it.each([
    ["Acme Inc. announced a merger.", 1],
    ["MCI Inc. CEO Hale resigned.", 1],
    ["Acme, Inc. (Nasdaq: ACM) rose.", 1],
    ["Copyright 2002 Hale Brothers, Inc. All rights reserved.", 2],
    ["Smith & Co. Ltd. in Leeds pays well.", 1],
    ["Yahoo! Inc. said it.", 1],
    ["He works for Apple Inc., Hale Corp. and others.", 1],
    ["Corp. Counsel Jane Hale spoke. It rained.", 2],
    ["Mr. and Mrs. Hale met Dr. Ng, Prof. Oh and Gov. Ruiz.", 1],
    ["Lt. Col. James Hale of Ft. Worth came.", 1],
    ["George W. Bush met J. R. R. Tolkien. It was odd.", 2],
    ["The U.S. Navy sailed. It won.", 2],
    ["He lives in the U.S. He likes it.", 2],
    ["In the U.K. Prime Minister Hale spoke.", 1],
    ["Washington, D.C. Mayor Hale said so.", 1],
    ["At 10 a.m. Tom arrived.", 1],
    ["It was 5 p.m. Everyone left.", 2],
    ["Open 8 a.m. - 5 p.m. EST.", 1],
    ["Leeds vs. Hull is on. Hale v. Ng was decided.", 2],
    ["Fruits, e.g. Apples, are sweet, i.e. Not sour.", 1],
    ["Hale et al. 2001, p. 5, pp. 6-7, vol. 2, say so.", 1],
    ["See No. 5 and Nos. 6 and 7.", 1],
    ["Hale, a.k.a. The Boss, left.", 1],
    ["She has a Ph.D. in physics. He has none.", 2],
    ["It weighs 5 lbs. 3 oz. at most.", 1],
    ["Apples, pears etc. are sold. The rest is not.", 2],
  ])("cuts “%s” into %i", (text, count) => {
    expect(texts(text)).toHaveLength(count);
  });

  it("keeps closing quotes with their sentence and does not cut before 'he said'", () => {
    expect(texts('"Stop!" he said. "I won\'t." She left... and came back.')).toEqual([
      '"Stop!" he said.',
      '"I won\'t."',
      "She left... and came back.",
    ]);
  });

  it("treats headings, list items and lines of code as units", () => {
    const text =
      "# A title\nBody one. Body two.\n\n- first\n- second goes\n  on\n\n```js\nlet a = 1. // x. Y\n```\n";
    expect(texts(text)).toEqual([
      "# A title",
      "Body one.",
      "Body two.",
      "- first",
      "- second goes\n  on",
      "```js",
      "let a = 1. // x. Y",
      "```",
    ]);
  });

  it("joins hard-wrapped lines and cuts at lines that were ended on purpose", () => {
    const wrapped =
      "Some years ago, never mind how long precisely, having little or no\nmoney in my purse, I thought I would sail about. It is a way I have.";
    expect(texts(wrapped)).toHaveLength(2);
    expect(texts("hi there\nHow are you\nFine thanks")).toHaveLength(3);
  });

  it("knows the punctuation of other scripts", () => {
    expect(texts("今日は。元気ですか？はい！")).toEqual(["今日は。", "元気ですか？", "はい！"]);
    expect(texts("مرحبا؟ نعم. لا")).toEqual(["مرحبا؟", "نعم.", "لا"]);
    expect(texts("यह है। वह है।")).toEqual(["यह है।", "वह है।"]);
  });

  it("returns trimmed, ordered spans that leave out only white space and drawn rules", () => {
    fc.assert(
      fc.property(roughText, (text) => {
        let last = 0;
        let outside = "";
        for (const { start, end } of splitSentences(text)) {
          expect(start).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThan(start);
          expect(text.slice(start, end)).toBe(text.slice(start, end).trim());
          outside += text.slice(last, start);
          last = end;
        }
        outside += text.slice(last);
        expect(outside).toMatch(/^[\s\-=*_~+#|<>`]*$/);
      }),
      { numRuns: 500 },
    );
  });

  it("stays linear on a 10 MB line with and without full stops", () => {
    // Quadratic time would take minutes: the suite's own limit ends it.
    for (const text of ["word and more. ".repeat(700_000), "x".repeat(1e7), ".".repeat(1e7)]) {
      expect(splitSentences(text).length).toBeGreaterThan(0);
    }
  });
});

describe("chunkText", () => {
  it("covers the whole text without gap, overlap, oversize or a split surrogate pair", () => {
    fc.assert(
      fc.property(roughText, fc.integer({ min: 2, max: 200 }), (text, maxChars) => {
        const chunks = chunkText(text, { maxChars });
        expect(chunks.map(({ start, end }) => text.slice(start, end)).join("")).toBe(text);
        let last = 0;
        for (const { start, end } of chunks) {
          expect(start).toBe(last);
          expect(end).toBeGreaterThan(start);
          expect(end - start).toBeLessThanOrEqual(maxChars);
          const pair = text.slice(end - 1, end + 1);
          expect(/^[\ud800-\udbff][\udc00-\udfff]$/.test(pair)).toBe(false);
          last = end;
        }
        expect(last).toBe(text.length);
      }),
      { numRuns: 500 },
    );
  });

  it("prefers sections to paragraphs, and paragraphs to sentences", () => {
    const section = `# One\n\n${"A sentence here. ".repeat(4)}\n\n${"Another one there. ".repeat(3)}\n\n`;
    const text = section + section.replace("One", "Two");
    const chunks = chunkText(text, { maxChars: section.length + 30 });
    expect(chunks.map(({ start }) => text.slice(start, start + 5))).toEqual(["# One", "# Two"]);
    const small = chunkText(section, { maxChars: 100 });
    expect(section.slice(small[1]!.start)).toMatch(/^Another/);
  });

  it("does not cut inside a sentence or a code block that fits", () => {
    const code = "```\nlet a = 1;\n\nlet b = 2;\n```";
    const text = `${"The whale swam on and on. ".repeat(9)}\n\n${code}\n\nEnd of it.`;
    for (const { start, end } of chunkText(text, { maxChars: 120 })) {
      const piece = text.slice(start, end);
      expect(piece.includes("let a") === piece.includes("let b")).toBe(true);
      expect(piece.trim()).toMatch(/[.`]$/);
    }
  });

  it("refuses a size that cannot hold a surrogate pair", () => {
    expect(() => chunkText("ab", { maxChars: 1 })).toThrow(/at least 2/);
  });
});
