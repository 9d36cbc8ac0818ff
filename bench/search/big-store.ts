/**
 * A store in a folder with many real sentences, their fields, entities and vectors: what the benchmarks
 * at 100,000 memories open. It is kept under `.cache/bench/stores` and made again only when the texts
 * that have a real vector became more.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { META, type Entity } from "../../src/model/memory.ts";
import { normalizeVector } from "../../src/model/vector.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import type { CorpusText } from "./corpus.ts";
import type { EmbeddingCache } from "./embeddings.ts";
import { readSentences } from "./sentences.ts";
import { fillStore } from "./store.ts";

const ROOT = join(".cache", "bench");
/** Raised when what is stored of a sentence changes. */
const LAYOUT = 1;

export interface BigStore {
  directory: string;
  texts: CorpusText[];
  /** Texts with an embedding of the model; the others have a blend of two real ones. */
  realVectors: number;
}

/** @param compacted codes the texts as an explicit `compact()` does; else they are as imports leave them */
export async function prepareBigStore(
  count: number,
  cache: EmbeddingCache,
  options: { compacted?: boolean; fresh?: boolean } = {},
): Promise<BigStore> {
  const texts = await readSentences(count);
  const embedded = cache.known(texts.map((one) => one.text));
  const realVectors = embedded.filter((vector) => vector !== undefined).length;
  const name = `sentences-${texts.length}-${LAYOUT}${options.compacted ? "-compacted" : ""}`;
  const directory = join(ROOT, "stores", name);
  const stamp = join(ROOT, "stores", `${name}.json`);
  const made = existsSync(stamp) ? (JSON.parse(readFileSync(stamp, "utf8")) as BigStore) : null;
  if (
    !options.fresh &&
    made !== null &&
    existsSync(directory) &&
    realVectors < made.realVectors * 1.2 + 1000
  )
    return { directory, texts, realVectors: made.realVectors };
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(ROOT, "stores"), { recursive: true });
  const vectors = fillVectors(embedded);
  const store = await ArrowStorage.open(await FsFileStore.open(directory));
  process.stderr.write(`making a store of ${texts.length} memories …\n`);
  await fillStore(
    store,
    texts.map((one, i) => ({
      text: one.text,
      vector: vectors[i],
      timestamp: one.timestamp,
      entities: namesOf(one.text),
      metadata: {
        [META.source]: one.source,
        [META.title]: one.title,
        [META.speaker]: one.speaker,
        [META.thread]: one.thread,
      },
    })),
    cache.embedder.info.id,
  );
  if (options.compacted) await store.compact();
  await store.close();
  writeFileSync(stamp, JSON.stringify({ realVectors }));
  return { directory, texts, realVectors };
}

/** Gives texts without a vector a blend of two that are real: as clustered as the others, and repeatable. */
export function fillVectors(
  embedded: readonly (Float32Array | undefined)[],
): (Float32Array | undefined)[] {
  const real = embedded.filter((vector) => vector !== undefined);
  if (real.length < 2) return [...embedded];
  let state = 12345;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return embedded.map((vector) => {
    if (vector !== undefined) return vector;
    const a = real[Math.floor(random() * real.length)]!;
    const b = real[Math.floor(random() * real.length)]!;
    const share = 0.6 + 0.3 * random();
    return normalizeVector(a.map((value, i) => share * value + (1 - share) * b[i]!));
  });
}

/**
 * Names as runs of capitalised words inside a sentence: about as many as the product's extractor finds, in
 * a hundredth of the time.
 */
export function namesOf(text: string): Entity[] {
  const names = text.matchAll(/(?<=[\p{Ll},;:] )\p{Lu}[\p{L}’'-]+(?: \p{Lu}[\p{L}’'-]+)*/gu);
  return [...new Set(Array.from(names, ([name]) => name))].map((name) => ({
    text: name,
    type: name.includes(" ") ? "person" : "place",
    confidence: 0.8,
  }));
}
