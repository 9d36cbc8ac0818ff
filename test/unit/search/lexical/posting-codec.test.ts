import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteSink } from "../../../../src/search/lexical/byte-sink.ts";
import { END, ListCursor } from "../../../../src/search/lexical/list-cursor.ts";
import {
  appendList,
  emptyList,
  encodeList,
  growList,
  type PostingList,
} from "../../../../src/search/lexical/posting-codec.ts";

interface Posting {
  doc: number;
  frequency: number;
  positions: number[];
}

const postings = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(300), fc.nat(200_000)),
      frequency: fc.oneof(fc.constant(2), fc.integer({ min: 1, max: 255 })),
      gaps: fc.array(fc.oneof(fc.nat(5), fc.nat(20_000)), { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 400 },
  )
  .map((rows): Posting[] => {
    let doc = -1;
    return rows.map(({ gap, frequency, gaps }) => {
      let position = -1;
      doc += gap + 1;
      return { doc, frequency, positions: gaps.map((one) => (position += one + 1)) };
    });
  });

function toList(rows: readonly Posting[]): PostingList {
  const list = emptyList();
  const positions = new ByteSink();
  for (const { doc, frequency, positions: own } of rows) {
    own.forEach((position, i) => {
      const gap = position - (own[i - 1] ?? 0);
      positions.varint(gap * 2 + (i === own.length - 1 ? 1 : 0));
    });
    growList(list, list.count + 1, positions.size);
    list.docs[list.count] = doc;
    list.frequencies[list.count] = frequency;
    list.positionEnds[list.count++] = positions.size;
  }
  list.positions = positions.copy();
  return list;
}

/** Encoded behind other bytes, as it lies in a segment. */
function encode(rows: readonly Posting[]): { bytes: Uint8Array; at: number; docBytes: number } {
  const sink = new ByteSink();
  sink.raw(Uint8Array.of(9, 9, 9));
  const docBytes = encodeList(toList(rows), sink);
  return { bytes: sink.copy(), at: 3, docBytes };
}

function readAll(cursor: ListCursor): Posting[] {
  const read: Posting[] = [];
  const out = { at: new Uint32Array(1) };
  for (let doc = cursor.next(); doc !== END; doc = cursor.next()) {
    const count = cursor.positions(out);
    read.push({ doc, frequency: cursor.frequency, positions: [...out.at.subarray(0, count)] });
  }
  return read;
}

describe("a posting list", () => {
  it("comes back as it was (property)", () => {
    fc.assert(
      fc.property(postings, (rows) => {
        const { bytes, at, docBytes } = encode(rows);
        expect(readAll(new ListCursor({ bytes, at }, rows.length, docBytes))).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });

  it("is entered at any document (property)", () => {
    fc.assert(
      fc.property(postings, fc.array(fc.nat(), { maxLength: 20 }), (rows, picks) => {
        const { bytes, at, docBytes } = encode(rows);
        const limit = rows.at(-1)!.doc + 2;
        const targets = picks.map((pick) => pick % limit).sort((a, b) => a - b);
        const cursor = new ListCursor({ bytes, at }, rows.length, docBytes);
        const out = { at: new Uint32Array(1) };
        for (const target of targets) {
          const expected = rows.find(({ doc }) => doc >= target);
          expect(cursor.advance(target)).toBe(expected?.doc ?? END);
          if (expected === undefined) continue;
          expect(cursor.frequency).toBe(expected.frequency);
          const count = cursor.positions(out);
          expect([...out.at.subarray(0, count)]).toEqual(expected.positions);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is joined to another without the documents that are gone (property)", () => {
    fc.assert(
      fc.property(postings, postings, fc.nat(6), (first, second, every) => {
        const list = emptyList();
        const expected: Posting[] = [];
        let next = 0;
        for (const rows of [first, second]) {
          const renumber = new Int32Array(rows.at(-1)!.doc + 1).fill(-1);
          rows.forEach((row, i) => {
            if (every > 0 && i % every === 0) return;
            renumber[row.doc] = next;
            expected.push({ ...row, doc: next++ });
          });
          const { bytes, at, docBytes } = encode(rows);
          appendList(bytes, at, docBytes, rows.length, renumber, list);
        }
        expect(list.count).toBe(expected.length);
        const sink = new ByteSink();
        const docBytes = encodeList(list, sink);
        const cursor = new ListCursor({ bytes: sink.copy(), at: 0 }, list.count, docBytes);
        expect(readAll(cursor)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });
});
