/**
 * Vectors of texts seen lately, so that a repeated query or line isn't computed twice. Bounded in
 * bytes; keyed by SHA-256, so that no text is kept alive (or readable) by the cache.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { LRUCache } from "lru-cache";

/** Key, entry and list overhead beside the vector itself. */
const ENTRY_OVERHEAD_BYTES = 250;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

export interface VectorCacheStatus {
  entries: number;
  hits: number;
  misses: number;
}

export class VectorCache {
  readonly #entries: LRUCache<string, Float32Array>;
  #hits = 0;
  #misses = 0;

  /** @param maxBytes vectors and their overhead; default 16 MiB, about 9,000 vectors of 384 dimensions */
  constructor(maxBytes: number = DEFAULT_MAX_BYTES) {
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (vector) => vector.byteLength + ENTRY_OVERHEAD_BYTES,
    });
  }

  static keyOf(text: string): string {
    return bytesToHex(sha256(new TextEncoder().encode(text)));
  }

  /** A copy, so that a caller may change or transfer it. */
  get(key: string): Float32Array | null {
    const vector = this.#entries.get(key);
    if (vector) this.#hits += 1;
    else this.#misses += 1;
    return vector?.slice() ?? null;
  }

  set(key: string, vector: Float32Array): void {
    this.#entries.set(key, vector.slice());
  }

  /** Forgets everything: called when memories are erased. */
  clear(): void {
    this.#entries.clear();
  }

  get status(): VectorCacheStatus {
    return { entries: this.#entries.size, hits: this.#hits, misses: this.#misses };
  }
}
