import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ByteSink } from "../../../../src/search/lexical/byte-sink.ts";
import { emptyList, encodeList, growList } from "../../../../src/search/lexical/posting-codec.ts";
import { RecentDocuments } from "../../../../src/search/lexical/recent-documents.ts";
import { ScalarScorer, type NumberedList } from "../../../../src/search/lexical/scorer.ts";
import type { Span, TermEntry } from "../../../../src/search/lexical/segment.ts";
import { WasmScorer } from "../../../../src/search/lexical/wasm-scorer.ts";
import { OrdinalSet } from "../../../../src/search/ordinal-set.ts";

const DOCUMENTS = 3000;
const scalar = new ScalarScorer();
let wasm: WasmScorer;
beforeAll(async () => {
  wasm = (await WasmScorer.create())!;
});

/** A list of documents below `DOCUMENTS`, their frequencies from the numbers' digits. */
const list = fc
  .record({
    docs: fc.uniqueArray(fc.nat(DOCUMENTS - 500), { minLength: 1, maxLength: 500 }),
    plain: fc.boolean(),
    base: fc.nat(400),
  })
  .map(({ docs, plain, base }): NumberedList => {
    const postings = emptyList();
    growList(postings, docs.length, docs.length);
    docs
      .sort((a, b) => a - b)
      .forEach((doc, i) => {
        postings.docs[i] = doc;
        postings.frequencies[i] = plain ? 2 : 1 + (doc % 255);
        postings.positions[i] = 1;
        postings.positionEnds[i] = i + 1;
      });
    postings.count = docs.length;
    const sink = new ByteSink();
    const docBytes = encodeList(postings, sink);
    return {
      span: { bytes: sink.copy(), at: 0 },
      count: docs.length,
      docBytes,
      positionBytes: sink.size - docBytes,
      base,
    };
  });

const step = fc.record({
  what: fc.constantFrom("add", "addScored", "addTo", "group"),
  list,
  weight: fc.double({ min: 0.01, max: 12, noNaN: true }),
});

describe("the kernel and its specification in TypeScript", () => {
  it("give the same documents with the same scores, bit for bit (property)", () => {
    let revision = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 700 }),
        fc.option(fc.nat(5)),
        fc.integer({ min: 1, max: 300 }),
        (steps, limit, filter, averageLength) => {
          const norms = Uint8Array.from({ length: DOCUMENTS }, (_, doc) => (doc * 31) % 256);
          const ordinalOfDoc = Int32Array.from({ length: DOCUMENTS }, (_, doc) =>
            doc % 17 === 0 ? -1 : DOCUMENTS - doc,
          );
          const over = {
            documents: DOCUMENTS,
            norms,
            ordinalOfDoc,
            averageLength,
            revision: ++revision,
          };
          const allow =
            filter === null
              ? undefined
              : OrdinalSet.of(
                  DOCUMENTS,
                  Array.from({ length: DOCUMENTS / 2 }, (_, i) => i).filter(
                    (i) => i % 6 !== filter,
                  ),
                );
          const results = [scalar, wasm].map((scorer) => {
            scorer.begin(over);
            for (const { what, list: one, weight } of steps) {
              if (what === "group") {
                scorer.count(one);
                scorer.count(one);
                scorer.countOne(5, 3);
                scorer.addGroup(weight);
              } else if (what === "addTo") {
                scorer.addTo(scorer.best(100, allow).docs.slice().sort(), one, weight);
              } else scorer.add(one, weight, what === "addScored");
            }
            const { docs, scores } = scorer.best(limit, allow);
            return { touched: scorer.touched, docs: [...docs], scores: [...scores] };
          });
          expect(results[1]).toEqual(results[0]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("find the same phrases as often (property)", () => {
    const words = ["ash", "bay", "elm"];
    const text = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 1, maxLength: 300 }),
        fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }),
        (texts, phrase) => {
          const recent = new RecentDocuments();
          texts.forEach((content, ordinal) =>
            recent.add({
              ordinal,
              summary: "",
              entities: "",
              topics: "",
              content: content.join(" "),
            }),
          );
          const segment = recent.freeze();
          const entries = phrase.map((word) => segment.find(word) as TermEntry | null);
          if (entries.includes(null)) return;
          const lists = entries.map((entry): NumberedList => {
            const { at, count, docBytes, positionBytes } = entry!;
            const span = segment.source.span(at, docBytes + positionBytes) as Span;
            return { span, count, docBytes, positionBytes, base: 0 };
          });
          const ordinalOfDoc = Int32Array.from(texts, (_, doc) => doc);
          const over = {
            documents: texts.length,
            norms: segment.norms,
            ordinalOfDoc,
            averageLength: 6,
            revision: -1 - texts.length,
          };
          const expected = texts.flatMap((words, doc) => {
            const times = words.filter((_, at) =>
              phrase.every((word, i) => words[at + i] === word),
            );
            return times.length === 0 ? [] : [[doc, 2 * times.length]];
          });
          for (const scorer of [scalar, wasm]) {
            scorer.begin(over);
            scorer.countPhrase(lists);
            const { docs, frequencies } = scorer.takeGroup();
            expect(Array.from(docs, (doc, i) => [doc, frequencies[i]])).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
