/**
 * WebLLM as a language runtime: one `MLCEngine` on WebGPU inside a language worker. The unmodified
 * package reads everything from its own cache in the private file system, where
 * webllm-files.ts put it: nothing is fetched while a model loads.
 */

import type {
  AppConfig,
  ChatCompletionChunk,
  ChatCompletionRequestStreaming,
  InitProgressReport,
} from "@mlc-ai/web-llm";
import { AppError, createAbortError, isAbortError, throwIfAborted } from "../../../errors.ts";
import type { GenerateResult, TokenUsage } from "../../../ports/language-model.ts";
import { checkJsonAnswer } from "./json-answer.ts";
import type { LoadedInfo, LoadSpec, WireRequest } from "./language-protocol.ts";
import type { LanguageRuntime, LoadOptions } from "./language-runtime.ts";
import { runtimeError } from "./runtime-error.ts";
import { ThinkingFilter } from "./thinking-filter.ts";

export type WebLlmSpec = Extract<LoadSpec, { runtime: "webllm" }>;

/** The part of `MLCEngine` that is used; tests stand in for the engine here. */
export interface WebLlmEngine {
  reload(modelId: string): Promise<void>;
  chatCompletion(
    request: ChatCompletionRequestStreaming,
  ): Promise<AsyncIterable<ChatCompletionChunk>>;
  interruptGenerate(): Promise<void> | void;
  unload(): Promise<void>;
}

export interface WebLlmEngineConfig {
  appConfig: AppConfig;
  initProgressCallback: (report: InitProgressReport) => void;
}

export type CreateWebLlmEngine = (config: WebLlmEngineConfig) => Promise<WebLlmEngine>;

const createMlcEngine: CreateWebLlmEngine = async (config) => {
  const { MLCEngine } = await import("@mlc-ai/web-llm");
  return new MLCEngine({ ...config, logLevel: "SILENT" });
};

/** The package's configuration of one installed model. */
export function toAppConfig(spec: WebLlmSpec): AppConfig {
  return {
    cacheBackend: "opfs",
    model_list: [
      {
        model: spec.modelUrl,
        model_id: spec.name,
        model_lib: spec.libraryUrl,
        overrides: spec.overrides,
        ...(spec.shaderF16 && { required_features: ["shader-f16"] }),
      },
    ],
  };
}

/** Loads an installed model onto the GPU: `model_failed` (retryable) with WebLLM's own reason. */
export async function loadWebLlm(
  spec: WebLlmSpec,
  options: LoadOptions,
  createEngine: CreateWebLlmEngine = createMlcEngine,
): Promise<LanguageRuntime> {
  const lost = watchDeviceLoss();
  let engine: WebLlmEngine | null = null;
  let libraryRuns = false;
  try {
    engine = await createEngine({
      appConfig: toAppConfig(spec),
      initProgressCallback: (report) => {
        // The first news is of the weights: the library was instantiated by then.
        libraryRuns = true;
        options.onProgress(report.progress);
      },
    });
    throwIfAborted(options.signal);
    await Promise.race([engine.reload(spec.name), whenAborted(options.signal), lost]);
    return new WebLlmRuntime(engine, spec, lost);
  } catch (error) {
    await engine?.unload().catch(() => undefined);
    if (isAbortError(error)) throw error;
    throw explainLoad(spec, error, libraryRuns);
  }
}

function explainLoad(spec: WebLlmSpec, error: unknown, libraryRuns: boolean): Error {
  const name = (error as { name?: string }).name;
  if (name === "ShaderF16SupportError" || name === "FeatureSupportError")
    return new AppError(
      "model_failed",
      `${spec.title} needs what this graphics processor doesn't have (shader-f16).`,
      { hint: "Take the model's f32 variant.", cause: error },
    );
  // What the package throws for a module that lacks the exports it builds on is a plain TypeError.
  const lacksExports = error instanceof TypeError && !libraryRuns && !/fetch/i.test(error.message);
  if (
    error instanceof WebAssembly.CompileError ||
    error instanceof WebAssembly.LinkError ||
    lacksExports
  )
    return new AppError(
      "model_failed",
      `The library of ${spec.title} is no library that WebLLM 0.2.86 can use: ${error.message}`,
      {
        hint: "Compile it for this version of WebLLM (v0_2_86), or give the address of one that is; then remove the model and add it again.",
        retryable: true,
        cause: error,
      },
    );
  return runtimeError(spec.title, error);
}

class WebLlmRuntime implements LanguageRuntime {
  readonly info: LoadedInfo;
  readonly #engine: WebLlmEngine;
  readonly #spec: WebLlmSpec;
  readonly #lost: Promise<never>;

  constructor(engine: WebLlmEngine, spec: WebLlmSpec, lost: Promise<never>) {
    this.#engine = engine;
    this.#spec = spec;
    this.#lost = lost;
    this.info = { contextTokens: spec.contextTokens, backend: "WebGPU" };
  }

  async *stream(request: WireRequest, signal: AbortSignal): AsyncGenerator<string, GenerateResult> {
    throwIfAborted(signal);
    const interrupt = () => void this.#engine.interruptGenerate();
    signal.addEventListener("abort", interrupt, { once: true });
    let text = "";
    let finish: string | null = null;
    let usage: TokenUsage | null = null;
    let chunkCount = 0;
    const filter = new ThinkingFilter();
    try {
      const chunks = await Promise.race([
        this.#engine.chatCompletion(toRequest(this.#spec, request)),
        this.#lost,
      ]);
      const iterator = chunks[Symbol.asyncIterator]();
      for (;;) {
        // The engine ends an interrupted answer by itself, after the step that is under way.
        const next = await Promise.race([iterator.next(), this.#lost]);
        if (next.done) break;
        const choice = next.value.choices[0];
        finish = choice?.finish_reason ?? finish;
        if (next.value.usage)
          usage = {
            inputTokens: next.value.usage.prompt_tokens,
            outputTokens: next.value.usage.completion_tokens,
          };
        if (!choice?.delta.content || signal.aborted) continue;
        chunkCount += 1;
        const delta = filter.push(choice.delta.content);
        text += delta;
        if (delta !== "") yield delta;
      }
      const rest = filter.end();
      text += rest;
      if (rest !== "" && !signal.aborted) yield rest;
    } catch (error) {
      throwIfAborted(signal);
      throw this.#explain(error);
    } finally {
      signal.removeEventListener("abort", interrupt);
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
    return this.#engine.unload();
  }

  #explain(error: unknown): Error {
    const name = (error as { name?: string }).name ?? "";
    const message = error instanceof Error ? error.message : String(error);
    if (name === "ContextWindowSizeExceededError")
      return new AppError(
        "too_large",
        `The prompt doesn't fit into the ${this.info.contextTokens} tokens that ${this.#spec.title} can see at once.`,
        { hint: "Give a shorter text, or take a model with a longer context.", cause: error },
      );
    // WebLLM's "RangeError" is a class of its own; the language's means memory or depth.
    if (REFUSALS.has(name) && !(error instanceof RangeError))
      return new AppError("invalid_input", `${this.#spec.title} refused the request: ${message}`, {
        hint: "Check the messages, the stop words and the JSON schema.",
        cause: error,
      });
    return runtimeError(this.#spec.title, error);
  }
}

/** WebLLM's names of errors that are the caller's. */
const REFUSALS = new Set([
  "ConfigValueError",
  "MinValueError",
  "RangeError",
  "NonNegativeError",
  "MessageOrderError",
  "SystemMessageOrderError",
  "InvalidResponseFormatError",
  "GrammarMatcherInitError",
  "UnsupportedFieldsError",
]);

/**
 * WebLLM puts a message into the model's template by `String.replace`, which reads "$&" and its like
 * as patterns: they are written so that they come out as they were.
 */
function insertable(content: string): string {
  return content.replace(/\$(?=[$&`'])/g, "$$$$");
}

function toRequest(spec: WebLlmSpec, request: WireRequest): ChatCompletionRequestStreaming {
  return {
    model: spec.name,
    messages: request.messages.map(({ role, content }) => ({ role, content: insertable(content) })),
    stream: true,
    stream_options: { include_usage: true },
    // Only for models that know it: to all others WebLLM would put an empty thought before the answer.
    ...(spec.thinks && { extra_body: { enable_thinking: false } }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.maxTokens !== undefined && { max_tokens: request.maxTokens }),
    ...(request.stop?.length && { stop: request.stop }),
    ...(request.json && {
      response_format: {
        type: "json_object" as const,
        ...(request.json.schema && { schema: JSON.stringify(request.json.schema) }),
      },
    }),
  };
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(createAbortError());
    else signal.addEventListener("abort", () => reject(createAbortError()), { once: true });
  });
}

interface LosableDevice {
  lost: Promise<{ reason?: string; message?: string }>;
}
interface AdapterPrototype {
  requestDevice(descriptor?: unknown): Promise<LosableDevice>;
}

/**
 * Rejects when a GPU device that this worker asked for from now on is lost. WebLLM only logs it and
 * leaves its callers waiting, and gives no hand on the device; this worker runs nothing else.
 */
export function watchDeviceLoss(): Promise<never> {
  const lost = new Promise<never>((_, reject) => {
    const adapter = (globalThis as { GPUAdapter?: { prototype: AdapterPrototype } }).GPUAdapter;
    if (!adapter) return;
    const { requestDevice } = adapter.prototype;
    adapter.prototype.requestDevice = async function (descriptor?: unknown) {
      const device = await requestDevice.call(this, descriptor);
      void device.lost.then(({ reason, message }) => {
        if (reason !== "destroyed")
          reject(
            new Error(`the graphics processor was lost (${message || reason || "no reason"})`),
          );
      });
      return device;
    };
  });
  lost.catch(() => undefined);
  return lost;
}
