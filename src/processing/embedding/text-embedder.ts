/**
 * What the pipeline and the search embed through: an `Embedder` with a cache in front, which also
 * computes equal texts of one call once.
 */

import { throwIfAborted } from "../../errors.ts";
import type { EmbedOptions, Embedder, EmbedderInfo } from "../../ports/embedder.ts";
import { VectorCache, type VectorCacheStatus } from "./cache.ts";

export interface TextEmbedderStatus extends VectorCacheStatus {
  /** Texts that went through the network. */
  embeddedTexts: number;
  /** Texts of a call that another text of the same call answered. */
  dedupedTexts: number;
}

export class TextEmbedder implements Embedder {
  readonly #embedder: Embedder;
  readonly #cache: VectorCache;
  #embeddedTexts = 0;
  #dedupedTexts = 0;
  #clearings = 0;

  constructor(embedder: Embedder, options: { cacheBytes?: number } = {}) {
    this.#embedder = embedder;
    this.#cache = new VectorCache(options.cacheBytes);
  }

  get info(): EmbedderInfo {
    return this.#embedder.info;
  }

  get status(): TextEmbedderStatus {
    return {
      ...this.#cache.status,
      embeddedTexts: this.#embeddedTexts,
      dedupedTexts: this.#dedupedTexts,
    };
  }

  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    throwIfAborted(options.signal);
    const results = new Array<Float32Array>(texts.length);
    /** Key → the places that wait for its vector. */
    const missing = new Map<string, number[]>();
    let done = 0;
    texts.forEach((text, index) => {
      const key = VectorCache.keyOf(text);
      const waiting = missing.get(key);
      if (waiting) {
        waiting.push(index);
        this.#dedupedTexts += 1;
        return;
      }
      const cached = this.#cache.get(key);
      if (cached) {
        results[index] = cached;
        done += 1;
      } else missing.set(key, [index]);
    });
    if (done > 0) options.onProgress?.(done);
    if (missing.size === 0) return results;

    const places = [...missing.values()];
    const clearings = this.#clearings;
    const vectors = await this.#embedder.embed(
      places.map(([first]) => texts[first!]!),
      {
        ...options,
        ...(options.onProgress && {
          onProgress: (count: number) =>
            options.onProgress?.(
              done + Math.round((count / places.length) * (texts.length - done)),
            ),
        }),
      },
    );
    this.#embeddedTexts += vectors.length;
    [...missing].forEach(([key, indices], order) => {
      const vector = vectors[order]!;
      // What was erased meanwhile doesn't come back.
      if (clearings === this.#clearings) this.#cache.set(key, vector);
      indices.forEach((index, copy) => (results[index] = copy === 0 ? vector : vector.slice()));
    });
    return results;
  }

  countTokens(text: string): number | Promise<number> {
    return this.#embedder.countTokens(text);
  }

  /** Drops every cached vector: called when memories are erased. */
  clearCache(): void {
    this.#clearings++;
    this.#cache.clear();
  }

  close(): Promise<void> {
    this.#cache.clear();
    return this.#embedder.close();
  }
}
