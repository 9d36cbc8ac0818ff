/**
 * The language worker's side: holds one loaded model and answers the engine's worker. Started with
 * nothing loaded; which engine (llama.cpp in WASM, WebLLM) comes with the first `load`.
 */

import { expose } from "comlink";
import { AppError, throwIfAborted, toWireError } from "../../../errors.ts";
import { holdPulse } from "../worker-pulse.ts";
import type { WorkerScope } from "../worker-scope.ts";
import {
  wrapNews,
  type LanguageHostApi,
  type LoadSpec,
  type WorkerNews,
} from "./language-protocol.ts";
import type { StoppableReply } from "../worker-session.ts";
import type { LanguageRuntime, LoadOptions, LoadRuntime } from "./language-runtime.ts";

/** The engines, loaded when one is asked for: WebLLM alone is 6 MB of code. */
const loadRuntime: LoadRuntime = async (spec: LoadSpec, options: LoadOptions) => {
  if (spec.runtime === "wllama")
    return (await import("./wllama-runtime.ts")).loadWllama(spec, options);
  return (await import("./webllm-runtime.ts")).loadWebLlm(spec, options);
};

export function serveLanguageModels(scope: WorkerScope, load: LoadRuntime = loadRuntime): void {
  const running = new Map<string, AbortController>();
  let runtime: LanguageRuntime | null = null;
  const tell = (news: WorkerNews) => scope.postMessage(wrapNews(news));

  const run = async <T>(
    callId: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<StoppableReply<T>> => {
    const controller = new AbortController();
    running.set(callId, controller);
    try {
      return { ok: true, value: await work(controller.signal) };
    } catch (error) {
      // After a crash inside the engine nothing in this worker can be trusted any more.
      const fatal = error instanceof AppError && error.code === "model_failed" && error.retryable;
      return { ok: false, error: toWireError(error), fatal };
    } finally {
      running.delete(callId);
    }
  };

  const api: LanguageHostApi = {
    hold: holdPulse,
    load: (callId, spec) =>
      run(callId, async (signal) => {
        await runtime?.close();
        runtime = null;
        const loaded = await load(spec, {
          signal,
          onProgress: (share) =>
            tell({ kind: "progress", callId, progress: { doneBytes: share, totalBytes: 1 } }),
        });
        if (signal.aborted) {
          await loaded.close();
          throwIfAborted(signal);
        }
        runtime = loaded;
        return loaded.info;
      }),
    generate: (callId, request) =>
      run(callId, async (signal) => {
        if (!runtime)
          throw new AppError("model_failed", "No model is loaded in this worker.", {
            retryable: true,
          });
        const answer = runtime.stream(request, signal);
        for (;;) {
          const next = await answer.next();
          if (next.done) return next.value;
          if (next.value !== "") tell({ kind: "delta", callId, text: next.value });
        }
      }),
    cancel: (callId) => running.get(callId)?.abort(),
  };
  expose(api, scope);
}
