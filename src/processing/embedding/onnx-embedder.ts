/**
 * The embedder: tokenise, batch by length, run the network, pool. The same code in Node and in the
 * browser's worker; see `onnx-session.ts` for what runs underneath.
 *
 * Sentence-BERT with all-MiniLM-L6-v2: windows of 256 tokens, mean pooling, unit length.
 */

import { AppError, throwIfAborted } from "../../errors.ts";
import type { EmbedOptions, Embedder, EmbedderInfo } from "../../ports/embedder.ts";
import { type BatchLimits, packBatch, planBatches } from "./batching.ts";
import { nextTask } from "../../next-turn.ts";
import type { OnnxSession } from "./onnx-session.ts";
import { meanPool } from "./pooling.ts";
import type { TextTokenizer } from "./tokenizer.ts";

/** Measured with `npm run bench -- embedder`: larger batches are no faster, and a query waits for one. */
export const DEFAULT_BATCH_LIMITS: BatchLimits = { maxTokens: 256, maxRows: 32 };

/** Texts tokenised between two turns of the event loop. */
const TOKENIZE_STRIDE = 64;

export interface OnnxEmbedderParts {
  session: OnnxSession;
  tokenizer: TextTokenizer;
  info: EmbedderInfo;
  limits?: BatchLimits;
}

export class OnnxEmbedder implements Embedder {
  readonly info: EmbedderInfo;
  readonly #session: OnnxSession;
  readonly #tokenizer: TextTokenizer;
  readonly #limits: BatchLimits;
  /** Tail of the queue of batches: the session takes one at a time, calls take turns per batch. */
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;
  #calls = 0;
  #running = 0;

  constructor(parts: OnnxEmbedderParts) {
    this.info = parts.info;
    this.#session = parts.session;
    this.#tokenizer = parts.tokenizer;
    this.#limits = parts.limits ?? DEFAULT_BATCH_LIMITS;
  }

  /** Calls of `embed` so far, and whether one is running: tells a background task when it may work. */
  get activity(): { calls: number; idle: boolean; closed: boolean } {
    return { calls: this.#calls, idle: this.#running === 0, closed: this.#closed };
  }

  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    this.#calls += 1;
    this.#running += 1;
    try {
      return await this.#embed(texts, options);
    } finally {
      this.#running -= 1;
    }
  }

  async #embed(texts: readonly string[], options: EmbedOptions): Promise<Float32Array[]> {
    this.#assertOpen();
    throwIfAborted(options.signal);
    const sequences = await this.#tokenize(texts, options.signal);
    const lengths = sequences.map((sequence) => sequence.length);
    const results = new Array<Float32Array>(texts.length);
    let done = 0;
    lengths.forEach((length, index) => {
      if (length > 0) return;
      results[index] = new Float32Array(this.info.dimensions);
      done += 1;
    });
    if (done > 0) options.onProgress?.(done);
    for (const indices of planBatches(lengths, this.#limits)) {
      const batch = packBatch(indices.map((index) => sequences[index]!));
      const hidden = await this.#enqueue(async () => {
        throwIfAborted(options.signal);
        this.#assertOpen();
        return this.#session.run(batch);
      });
      const vectors = meanPool(hidden, batch.lengths, batch.columns, this.info.dimensions);
      indices.forEach((index, row) => (results[index] = checkFinite(vectors[row]!)));
      done += indices.length;
      options.onProgress?.(done);
      await nextTask();
    }
    throwIfAborted(options.signal);
    return results;
  }

  countTokens(text: string): number {
    return this.#tokenizer.countTokens(text);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    await this.#session.release();
  }

  async #tokenize(texts: readonly string[], signal?: AbortSignal): Promise<Int32Array[]> {
    const sequences: Int32Array[] = [];
    for (const text of texts) {
      sequences.push(this.#tokenizer.encode(text, this.info.maxTokens));
      if (sequences.length % TOKENIZE_STRIDE === 0) {
        await nextTask();
        throwIfAborted(signal);
      }
    }
    return sequences;
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #assertOpen(): void {
    if (this.#closed) throw new AppError("closed", "The embedder was closed.");
  }
}

/** A network that overflowed must not reach an index as a vector. */
function checkFinite(vector: Float32Array): Float32Array {
  if (!vector.every(Number.isFinite))
    throw new AppError("model_failed", "The embedding model gave a vector that is not finite.", {
      hint: "Reload; if it stays, install the embedding model again.",
      retryable: true,
    });
  return vector;
}
