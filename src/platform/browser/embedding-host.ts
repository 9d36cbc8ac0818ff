/**
 * The embedding worker's side: loads the installed model once and runs batches for the engine's
 * worker. Replies are data, so that error codes survive Comlink.
 */

import { expose, transfer } from "comlink";
import { AppError, toWireError, type WireError } from "../../errors.ts";
import type { Embedder, EmbedderInfo } from "../../ports/embedder.ts";
import { loadBrowserEmbedder } from "./ort-embedder.ts";
import { holdPulse } from "./worker-pulse.ts";
import type { WorkerScope } from "./worker-scope.ts";

type EmbedReply<T> = { ok: true; value: T } | { ok: false; error: WireError };

export interface EmbeddingHostApi {
  /** Holds the lock by which the other side learns that this worker ended. */
  hold(lockName: string): Promise<void>;
  load(): Promise<EmbedReply<EmbedderInfo>>;
  /** All vectors in one buffer, row-major [texts, dimensions]; transferred. */
  embed(callId: string, texts: string[]): Promise<EmbedReply<Float32Array<ArrayBuffer>>>;
  cancel(callId: string): void;
  countTokens(text: string): Promise<EmbedReply<number>>;
}

export function serveEmbedder(scope: WorkerScope): void {
  let loading: Promise<Embedder> | null = null;
  const running = new Map<string, AbortController>();

  const load = (): Promise<Embedder> =>
    (loading ??= loadBrowserEmbedder().catch((error: unknown) => {
      loading = null; // the next call tries again
      throw error;
    }));
  const reply = async <T>(work: () => Promise<T>): Promise<EmbedReply<T>> => {
    try {
      return { ok: true, value: await work() };
    } catch (error) {
      return { ok: false, error: toWireError(error) };
    }
  };

  const api: EmbeddingHostApi = {
    hold: holdPulse,
    load: () => reply(async () => (await load()).info),
    embed: async (callId, texts) => {
      const embedded = await reply(async () => {
        const controller = new AbortController();
        running.set(callId, controller);
        try {
          const embedder = await load();
          const vectors = await embedder.embed(texts, { signal: controller.signal });
          return joinVectors(vectors, embedder.info.dimensions);
        } finally {
          running.delete(callId);
        }
      });
      return embedded.ok ? transfer(embedded, [embedded.value.buffer]) : embedded;
    },
    cancel: (callId) => running.get(callId)?.abort(),
    countTokens: (text) => reply(async () => (await load()).countTokens(text)),
  };
  expose(api, scope);
}

function joinVectors(
  vectors: readonly Float32Array[],
  dimensions: number,
): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(vectors.length * dimensions);
  vectors.forEach((vector, row) => {
    if (vector.length !== dimensions)
      throw new AppError(
        "model_failed",
        `The model gave ${vector.length} values, not ${dimensions}.`,
      );
    joined.set(vector, row * dimensions);
  });
  return joined;
}
