/** The same pipeline with exact stages: every vector compared in float32. What approximations are held against. */

import { dequantizeVector } from "../../src/model/vector.ts";
import { recall, type RecallContext } from "../../src/search/recall.ts";
import { topPlaces } from "../../src/search/top-places.ts";
import type { VectorPool } from "../../src/search/vector-pool.ts";
import type { CorpusText } from "./corpus.ts";
import type { QueryVectors } from "./index.ts";
import type { Measured } from "./measured-store.ts";
import type { BenchQuery } from "./queries.ts";

const DIMENSIONS = 384;
/** Queries compared: each is a pass over every vector. */
const SAMPLE = 150;

export interface ExactAnswers {
  vectors: Float32Array;
  ordinals: Int32Array;
  /** Mean share of the exact first ten in given answers. */
  recallOf(answers: readonly (readonly string[])[]): number;
}

export async function exactAnswers(
  measured: Measured,
  texts: readonly CorpusText[],
  queries: readonly BenchQuery[],
  queryVectors: QueryVectors,
): Promise<ExactAnswers> {
  const { vectors: index } = measured.context;
  const ordinals = new Int32Array(texts.length);
  const vectors = new Float32Array(texts.length * DIMENSIONS);
  let count = 0;
  for (const { ordinal } of measured.context.store.catalog.entries()) {
    const vector = index.get(ordinal);
    if (vector === null || count === texts.length) continue;
    vectors.set(dequantizeVector(vector), count * DIMENSIONS);
    ordinals[count++] = ordinal;
  }
  const scores = new Float32Array(count);
  const nearest: VectorPool["nearest"] = (query, { limit, allow }) => {
    scanPlain(vectors, query, scores);
    if (allow !== undefined)
      for (let i = 0; i < count; i++) if (!allow.has(ordinals[i]!)) scores[i] = -Infinity;
    const places = topPlaces(scores, ordinals, count, limit);
    return {
      count: places.length,
      ordinals: Int32Array.from(places, (place) => ordinals[place]!),
      scores: Float32Array.from(places, (place) => scores[place]!),
    };
  };
  const context: RecallContext = {
    ...measured.context,
    vectorPool: { working: 0, nearest } as unknown as VectorPool,
  };
  const step = Math.max(1, Math.floor(queries.length / SAMPLE));
  const truth = new Map<number, string[]>();
  for (let i = 0; i < queries.length; i += step) {
    const { hits } = await recall(
      context,
      { ...queries[i]!, topK: 10 },
      {
        embedQuery: (text) => Promise.resolve(queryVectors.of(text)),
        spread: measured.spread,
      },
    );
    truth.set(
      i,
      hits.map((hit) => hit.memory.id),
    );
  }
  return {
    vectors: vectors.subarray(0, count * DIMENSIONS),
    ordinals: ordinals.subarray(0, count),
    recallOf(answers) {
      let sum = 0;
      for (const [i, ids] of truth) {
        const found = new Set(answers[i]);
        sum += ids.length === 0 ? 1 : ids.filter((id) => found.has(id)).length / ids.length;
      }
      return sum / truth.size;
    },
  };
}

/** Dot products of every vector with the query. */
export function scanPlain(vectors: Float32Array, query: Float32Array, scores: Float32Array): void {
  for (let row = 0; row < scores.length; row++) {
    const at = row * DIMENSIONS;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < DIMENSIONS; i += 4) {
      a += vectors[at + i]! * query[i]!;
      b += vectors[at + i + 1]! * query[i + 1]!;
      c += vectors[at + i + 2]! * query[i + 2]!;
      d += vectors[at + i + 3]! * query[i + 3]!;
    }
    scores[row] = a + b + c + d;
  }
}
