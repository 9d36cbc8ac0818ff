/**
 * Real embeddings for benchmarks, made once and kept under `.cache/bench`, so that a run measures
 * search and not the model. Records: 16 bytes of the text's SHA-256, then 384 float32.
 */

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EMBEDDING_DIMENSIONS } from "../../src/model/vector.ts";
import { NodeEmbedderProvider } from "../../src/platform/node/ort-embedder.ts";
import type { Embedder } from "../../src/ports/embedder.ts";

const DIRECTORY = join(".cache", "bench");
const KEY_BYTES = 16;
const RECORD_BYTES = KEY_BYTES + EMBEDDING_DIMENSIONS * 4;
const BATCH = 32;

export class EmbeddingCache {
  readonly embedder: Embedder;
  readonly #file: string;
  #vectors = new Map<string, Float32Array>();

  private constructor(embedder: Embedder, file: string) {
    this.embedder = embedder;
    this.#file = file;
  }

  /** Throws with the next step when the weights are not installed. */
  static async open(threads?: number): Promise<EmbeddingCache> {
    const provider = new NodeEmbedderProvider(threads === undefined ? {} : { threads });
    const embedder = await provider.load();
    if (embedder === null)
      throw new Error("The embedding model is not installed: run `npm run setup` first.");
    mkdirSync(DIRECTORY, { recursive: true });
    const name = embedder.info.id.replace(/[^\w.-]/g, "_");
    const cache = new EmbeddingCache(embedder, join(DIRECTORY, `embeddings-${name}.bin`));
    if (existsSync(cache.#file)) cache.#load(readFileSync(cache.#file));
    return cache;
  }

  /** The vectors of texts, in order; embeds what is missing, shortest first, and says how far it is. */
  async embed(texts: readonly string[], budget = Infinity): Promise<(Float32Array | undefined)[]> {
    const missing = [...new Set(texts.filter((text) => !this.#vectors.has(keyOf(text))))]
      .sort((a, b) => a.length - b.length)
      .slice(0, budget);
    for (let start = 0; start < missing.length; start += BATCH) {
      const batch = missing.slice(start, start + BATCH);
      const vectors = await this.embedder.embed(batch);
      const bytes = Buffer.concat(
        batch.flatMap((text, i) => [
          Buffer.from(keyOf(text), "hex"),
          Buffer.from(vectors[i]!.buffer, vectors[i]!.byteOffset, vectors[i]!.byteLength),
        ]),
      );
      appendFileSync(this.#file, bytes);
      batch.forEach((text, i) => this.#vectors.set(keyOf(text), vectors[i]!.slice()));
      if (process.stderr.isTTY)
        process.stderr.write(`\rembedding ${start + batch.length} of ${missing.length} `);
    }
    if (missing.length > 0) process.stderr.write("\n");
    return texts.map((text) => this.#vectors.get(keyOf(text)));
  }

  /** The vectors of texts that are there already. */
  known(texts: readonly string[]): (Float32Array | undefined)[] {
    return texts.map((text) => this.#vectors.get(keyOf(text)));
  }

  /** Every vector that is there. */
  all(): Float32Array[] {
    return [...this.#vectors.values()];
  }

  close(): Promise<void> {
    return this.embedder.close();
  }

  #load(bytes: Uint8Array): void {
    for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
      const key = Buffer.from(bytes.subarray(at, at + KEY_BYTES)).toString("hex");
      const raw = new Uint8Array(bytes.subarray(at + KEY_BYTES, at + RECORD_BYTES));
      this.#vectors.set(key, new Float32Array(raw.buffer));
    }
  }
}

function keyOf(text: string): string {
  return createHash("sha256")
    .update(text)
    .digest("hex")
    .slice(0, KEY_BYTES * 2);
}
