/** What every `Embedder` must do, run over each real adapter. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAbortError } from "../../src/errors.ts";
import { cosineSimilarity, dotProduct } from "../../src/model/vector.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import {
  KNOWN_SENTENCE,
  KNOWN_VECTOR_MIN_COSINE,
  knownVector,
} from "../../src/processing/embedding/known-vector.ts";
import { readSotuSentences } from "./sotu-sentences.ts";

export function describeEmbedder(name: string, open: () => Promise<Embedder>): void {
  describe(`${name} as an embedder`, () => {
    let embedder: Embedder;
    beforeAll(async () => {
      embedder = await open();
    });
    afterAll(() => embedder?.close());

    const maxDifference = (a: Float32Array, b: Float32Array) =>
      a.reduce((max, value, index) => Math.max(max, Math.abs(value - b[index]!)), 0);

    it("says which model it is, how long its window and how wide its vectors are", () => {
      expect(embedder.info.id).toMatch(/^[\w.-]+@[0-9a-f]{8}$/);
      expect(embedder.info.dimensions).toBe(384);
      expect(embedder.info.maxTokens).toBe(256);
      expect(embedder.info.threads).toBeGreaterThanOrEqual(1);
    });

    it("makes the reference runtime's vector of a known sentence", async () => {
      const [vector] = await embedder.embed([KNOWN_SENTENCE]);
      expect(cosineSimilarity(vector!, knownVector())).toBeGreaterThan(KNOWN_VECTOR_MIN_COSINE);
    });

    it("gives one unit vector per text, in the order of the texts, whatever their lengths", async () => {
      const texts = readSotuSentences(12);
      const vectors = await embedder.embed(texts);
      expect(vectors).toHaveLength(texts.length);
      for (const vector of vectors) {
        expect(vector).toBeInstanceOf(Float32Array);
        expect(vector).toHaveLength(384);
        expect(dotProduct(vector, vector)).toBeCloseTo(1, 5);
      }
      const reversed = await embedder.embed([...texts].reverse());
      reversed.reverse().forEach((vector, index) => {
        expect(maxDifference(vector, vectors[index]!)).toBeLessThan(1e-3);
      });
    });

    it("gives a text the same vector alone and beside others", async () => {
      const texts = readSotuSentences(9);
      const together = await embedder.embed(texts);
      for (const index of [0, 4, 8]) {
        const [alone] = await embedder.embed([texts[index]!]);
        expect(maxDifference(alone!, together[index]!)).toBeLessThan(1e-3);
      }
    });

    it("puts sentences of one meaning nearer than sentences that share words", async () => {
      const [cat, kitten, bank, river, deposit] = await embedder.embed([
        "Our cat had three kittens last night.",
        "The kitty gave birth yesterday evening.",
        "She opened an account at the bank.",
        "They sat on the bank of the river.",
        "She deposited her savings with a lender.",
      ]);
      expect(cosineSimilarity(cat!, kitten!)).toBeGreaterThan(cosineSimilarity(cat!, bank!) + 0.2);
      expect(cosineSimilarity(bank!, deposit!)).toBeGreaterThan(cosineSimilarity(river!, deposit!));
    });

    it("cuts a text that is longer than its window, also 10 MB in one line", async () => {
      const page = readSotuSentences(60).join(" ");
      const line = page.repeat(Math.ceil(1e7 / page.length));
      const [long, start] = await embedder.embed([line, page]);
      expect(maxDifference(long!, start!)).toBeLessThan(1e-3);
    });

    it("gives a zero vector for an empty text and for one without any token", async () => {
      const vectors = await embedder.embed(["", " \n\t ", "\0\0", "word"]);
      expect(vectors.map((vector) => vector.some((value) => value !== 0))).toEqual([
        false,
        false,
        false,
        true,
      ]);
      expect(vectors.every((vector) => vector.length === 384)).toBe(true);
      expect(await embedder.embed([])).toEqual([]);
    });

    it("takes NULs, lone surrogates, emoji and right-to-left text", async () => {
      const vectors = await embedder.embed([
        "a\0b",
        "lone \ud83d here",
        "\udc00",
        "😀😀",
        "שלום עולם",
      ]);
      for (const vector of vectors) expect(vector.every(Number.isFinite)).toBe(true);
    });

    it("counts tokens, start and end included", async () => {
      expect(await embedder.countTokens("Hello, world!")).toBe(6);
      expect(await embedder.countTokens("")).toBe(0);
      const many = await embedder.countTokens("ferry ".repeat(20_000));
      expect(many).toBe(20_002);
    });

    it("tells how far it is", async () => {
      const seen: number[] = [];
      await embedder.embed(["", ...readSotuSentences(12)], {
        onProgress: (done) => seen.push(done),
      });
      expect(seen.at(-1)).toBe(13);
      expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    });

    it("stops between batches when cancelled and stays usable", async () => {
      const abort = new AbortController();
      const work = embedder.embed(readSotuSentences(60), {
        signal: abort.signal,
        onProgress: () => abort.abort(),
      });
      await expect(work).rejects.toSatisfy(isAbortError);
      await expect(embedder.embed(["x"], { signal: AbortSignal.abort() })).rejects.toSatisfy(
        isAbortError,
      );
      expect(await embedder.embed(["still there"])).toHaveLength(1);
    });

    it("lets a short call pass between the batches of a long one", async () => {
      let longDone = 0;
      const long = embedder.embed(readSotuSentences(30), {
        onProgress: (done) => (longDone = done),
      });
      await embedder.embed(["where is the ferry"]);
      expect(longDone).toBeLessThan(30);
      await long;
      expect(longDone).toBe(30);
    });
  });
}
