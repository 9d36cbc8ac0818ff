import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../../src/errors.ts";
import { defaultModelsDirectory } from "../../../../src/platform/node/ort-embedder.ts";
import { KNOWN_SENTENCE } from "../../../../src/processing/embedding/known-vector.ts";
import { createTextTokenizer } from "../../../../src/processing/embedding/tokenizer.ts";

const definition: unknown = JSON.parse(
  readFileSync(join(defaultModelsDirectory(), "all-MiniLM-L6-v2-int8", "tokenizer.json"), "utf8"),
);
const tokenizer = createTextTokenizer(definition);
const encode = (text: string, maxTokens = 256) => [...tokenizer.encode(text, maxTokens)];

describe("the tokenizer", () => {
  it("gives the reference tokenizer's ids", () => {
    // From the Rust tokenizer, the reference implementation.
    expect(encode(KNOWN_SENTENCE)).toEqual([
      101, 2006, 9857, 1996, 7440, 2436, 2333, 1996, 7115, 2000, 12674, 2013, 1023, 1024, 2871,
      2000, 2340, 1024, 2321, 1010, 2138, 1997, 9666, 1012, 102,
    ]);
  });

  it("keeps start and end when it cuts at the window", () => {
    const ids = encode("ferry ".repeat(1000), 16);
    expect(ids).toHaveLength(16);
    expect([ids[0], ids.at(-1)]).toEqual([101, 102]);
  });

  it("gives the same ids for the start of a long text as for all of it", () => {
    const words = Array.from({ length: 5000 }, (_, index) => `harbour${index % 97}-office`);
    expect(encode(words.join(" "))).toEqual(encode(words.slice(0, 400).join(" ")));
  });

  it("finds the text behind megabytes of white space and control characters", () => {
    expect(encode(" \n\0\u200b".repeat(500_000) + "ferry")).toEqual(encode("ferry"));
  });

  it("looks at no more of a 10 MB word than it must", () => {
    expect(encode("x".repeat(10_000_000)).length).toBeLessThanOrEqual(256);
  });

  it("gives nothing for texts without a token", () => {
    for (const text of ["", "  ", "\0", "\ud800", "\ufeff"]) expect(encode(text)).toEqual([]);
  });

  it("reads over lone surrogates and keeps whole pairs", () => {
    expect(encode("a\ud83d b")).toEqual(encode("a b"));
    expect(encode("日本 😀")).not.toContain(0);
  });

  it("counts as many tokens as it encodes, start and end included", () => {
    for (const text of [KNOWN_SENTENCE, "", "naïve café", "日本語のテキスト", "a b\0c"])
      expect(tokenizer.countTokens(text)).toBe(tokenizer.encode(text, 10_000).length);
  });

  it("refuses what is no tokenizer of this kind", () => {
    for (const broken of [{}, null, { model: { type: "WordPiece", vocab: {} } }])
      expect(() => createTextTokenizer(broken)).toThrow(AppError);
  });
});
