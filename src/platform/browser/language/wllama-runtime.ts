/**
 * llama.cpp in WebAssembly (wllama) as a language runtime. Lives in a language worker; wllama starts
 * the worker of its own in which the model computes. The GGUF is read in place, as a file of the
 * origin's private file system. On the processor alone: WebGPU is WebLLM's part.
 */

import { Wllama, type ChatCompletionChunk, type ChatCompletionParams } from "@wllama/wllama";
import wasmUrl from "@wllama/wllama/esm/wasm/wllama.wasm?url";
import { AppError, createAbortError, isAbortError, throwIfAborted } from "../../../errors.ts";
import type { GenerateResult, TokenUsage } from "../../../ports/language-model.ts";
import { findModelFolder } from "../model-files.ts";
import { keepForOffline } from "../runtime-parts.ts";
import { checkJsonAnswer } from "./json-answer.ts";
import type { LoadedInfo, LoadSpec, WireRequest } from "./language-protocol.ts";
import type { LanguageRuntime, LoadOptions } from "./language-runtime.ts";
import { runtimeError } from "./runtime-error.ts";

type WllamaSpec = Extract<LoadSpec, { runtime: "wllama" }>;

/** What llama.cpp's server says when the prompt doesn't fit. */
const OVERFLOW = /context|n_ctx|too (?:long|large)|exceed/i;

const silent = { debug() {}, log() {}, warn() {}, error() {} };

/** Loads an installed GGUF: `model_missing` when it isn't there, `model_failed` when it can't run. */
export async function loadWllama(spec: WllamaSpec, options: LoadOptions): Promise<LanguageRuntime> {
  const weights = await openWeights(spec);
  const engine = new Wllama({ default: wasmUrl }, { suppressNativeLog: true, logger: silent });
  // Never a runtime from another host: a browser that needs one can't run these models here.
  engine.setCompat(null);
  const threads = threadCount();
  const stop = () => void engine.exit();
  options.signal.addEventListener("abort", stop, { once: true });
  try {
    throwIfAborted(options.signal);
    await aborted(
      options.signal,
      engine.loadModel([weights], {
        n_ctx: spec.contextTokens,
        n_threads: threads,
        n_gpu_layers: 0,
        n_parallel: 1,
        jinja: true,
        ctx_shift: false,
      }),
    );
    const context = engine.getLoadedContextInfo();
    void keepForOffline([new URL(wasmUrl, location.href).href]);
    return new WllamaRuntime(engine, spec, {
      contextTokens: Math.min(spec.contextTokens, context.n_ctx, context.n_ctx_train),
      backend: `WASM, ${threads} thread${threads === 1 ? "" : "s"}`,
    });
  } catch (error) {
    await engine.exit().catch(() => undefined);
    throwIfAborted(options.signal);
    throw runtimeError(spec.title, error);
  } finally {
    options.signal.removeEventListener("abort", stop);
  }
}

/**
 * Half of the processors: llama.cpp's threads wait for each other spinning, so that one without a
 * processor of its own makes all of them slower than a single one. One without cross-origin isolation.
 */
function threadCount(): number {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.max(1, Math.min(8, Math.floor((navigator.hardwareConcurrency || 1) / 2)));
}

async function openWeights(spec: WllamaSpec): Promise<File> {
  const folder = await findModelFolder(spec.folder);
  try {
    if (!folder) throw new Error("no folder");
    return await (await folder.getFileHandle(spec.file)).getFile();
  } catch (error) {
    throw new AppError("model_missing", `${spec.title} is not installed.`, {
      hint: "Install it on the Models page.",
      cause: error,
    });
  }
}

/** wllama's own calls don't end when its worker is stopped. */
function aborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = () => reject(createAbortError());
    if (signal.aborted) return cancel();
    signal.addEventListener("abort", cancel, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", cancel));
  });
}

class WllamaRuntime implements LanguageRuntime {
  readonly info: LoadedInfo;
  readonly #engine: Wllama;
  readonly #spec: WllamaSpec;

  constructor(engine: Wllama, spec: WllamaSpec, info: LoadedInfo) {
    this.#engine = engine;
    this.#spec = spec;
    this.info = info;
  }

  async *stream(request: WireRequest, signal: AbortSignal): AsyncGenerator<string, GenerateResult> {
    throwIfAborted(signal);
    let text = "";
    let finish: string | null = null;
    let usage: TokenUsage | null = null;
    let chunkCount = 0;
    try {
      const chunks = await this.#engine.createChatCompletion(toParams(request, signal));
      for await (const chunk of chunks) {
        const choice = chunk.choices[0];
        const delta = choice?.delta.content ?? "";
        finish = choice?.finish_reason ?? finish;
        usage = readUsage(chunk) ?? usage;
        if (delta === "") continue;
        chunkCount += 1;
        text += delta;
        yield delta;
      }
    } catch (error) {
      throwIfAborted(signal);
      throw this.#explain(error);
    }
    throwIfAborted(signal);
    checkJsonAnswer(this.#spec.title, request, text, finish === "length");
    return {
      text,
      finishReason: finish === "length" ? "length" : "stop",
      usage: usage ?? {
        inputTokens: Math.ceil(request.messages.reduce((sum, m) => sum + m.content.length, 0) / 4),
        outputTokens: chunkCount,
        estimated: true,
      },
      model: this.#spec.name,
    };
  }

  close(): Promise<void> {
    return this.#engine.exit();
  }

  #explain(error: unknown): Error {
    if (isAbortError(error)) return error as Error;
    const kind = (error as { type?: string }).type;
    const message = error instanceof Error ? error.message : String(error);
    if (kind === "kv_cache_full" || (kind === "inference_error" && OVERFLOW.test(message)))
      return new AppError(
        "too_large",
        `The prompt doesn't fit into the ${this.info.contextTokens} tokens that ${this.#spec.title} can see at once.`,
        { hint: "Give a shorter text, or take a model with a longer context.", cause: error },
      );
    if (kind === "inference_error" && !/failed to start/i.test(message))
      return new AppError("invalid_input", `${this.#spec.title} refused the request: ${message}`, {
        hint: "Check the messages, the stop words and the JSON schema.",
        cause: error,
      });
    return runtimeError(this.#spec.title, error);
  }
}

type StreamParams = ChatCompletionParams & {
  stream: true;
  stop?: string[];
  stream_options: { include_usage: true };
};

function toParams(request: WireRequest, signal: AbortSignal): StreamParams {
  return {
    messages: request.messages,
    stream: true,
    stream_options: { include_usage: true },
    abortSignal: signal,
    // Models that think aloud first are asked not to: their answer is a summary.
    chat_template_kwargs: { enable_thinking: false },
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.maxTokens !== undefined && { max_tokens: request.maxTokens }),
    ...(request.stop?.length && { stop: request.stop }),
    ...(request.json && {
      response_format: request.json.schema
        ? {
            type: "json_schema" as const,
            json_schema: { name: request.json.name ?? "answer", schema: request.json.schema },
          }
        : { type: "json_object" as const },
    }),
  };
}

function readUsage(chunk: ChatCompletionChunk): TokenUsage | null {
  if (chunk.usage)
    return {
      inputTokens: chunk.usage.prompt_tokens,
      outputTokens: chunk.usage.completion_tokens,
    };
  const timings = chunk.timings;
  if (!timings) return null;
  return { inputTokens: timings.cache_n + timings.prompt_n, outputTokens: timings.predicted_n };
}
