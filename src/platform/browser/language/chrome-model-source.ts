/**
 * The browser's built-in models as a source. They exist only in windows, so the leading page runs them
 * (built-in-host.ts) and the engine's worker asks over a port.
 */

import { wrap } from "comlink";
import { AppError, createAbortError, isAbortError, throwIfAborted } from "../../../errors.ts";
import type { LanguageModelInfo, LanguageModelState } from "../../../model/language-model.ts";
import type {
  GenerateRequest,
  GenerateResult,
  InstallProgress,
  LanguageModel,
  LanguageModelSource,
} from "../../../ports/language-model.ts";
import type { RemoteApi } from "../worker-scope.ts";
import { unwrapReply, type StoppableReply } from "../worker-session.ts";
import type {
  Availability,
  BuiltInHostApi,
  BuiltInModel,
  BuiltInState,
} from "./built-in-protocol.ts";
import { unwrapNews } from "./language-protocol.ts";
import { WorkerLanguageModel } from "./worker-language-model.ts";

const MODELS: Record<
  BuiltInModel,
  { title: string; contextTokens: number; interfaceName: string }
> = {
  // The browser says how much really fits when it is asked; a longer prompt is refused then.
  prompt: {
    title: "Built-in model (Prompt API)",
    contextTokens: 4096,
    interfaceName: "Prompt API",
  },
  summarizer: {
    title: "Built-in summarizer (Summarizer API)",
    contextTokens: 4096,
    interfaceName: "Summarizer API",
  },
};

const STATES: Record<Availability, { state: LanguageModelState; reason?: string }> = {
  absent: { state: "unavailable" },
  unavailable: {
    state: "unavailable",
    reason:
      "This browser has it, but can't run it on this device (it wants much free disk space and memory).",
  },
  downloadable: { state: "missing" },
  downloading: { state: "partial", reason: "The browser is downloading it." },
  available: { state: "ready" },
};

const STATES_FRESH_MS = 60_000;

interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: InstallProgress) => void;
}

export class ChromeModelSource implements LanguageModelSource {
  readonly provider = "chrome";
  readonly #port: MessagePort | null;
  readonly #host: RemoteApi<BuiltInHostApi> | null;
  #known: Promise<BuiltInState[]> | null = null;
  #knownAt = 0;

  /** `port`: to the page that runs the models; null where there is none. */
  constructor(port: MessagePort | null) {
    this.#port = port;
    this.#host = port && (wrap<BuiltInHostApi>(port) as unknown as RemoteApi<BuiltInHostApi>);
  }

  async list(): Promise<LanguageModelInfo[]> {
    return (await this.#states()).map(({ model, availability }) => {
      const { title, contextTokens, interfaceName } = MODELS[model];
      const { state, reason } = STATES[availability];
      const absent = `This browser has no ${interfaceName}. Chrome has it on computers with enough memory.`;
      const shown = availability === "absent" ? absent : reason;
      return {
        id: `chrome:${model}`,
        provider: "chrome" as const,
        name: model,
        title,
        tier: "balanced" as const,
        contextTokens,
        local: true,
        price: { inputUsd: 0, outputUsd: 0 },
        origin: "the browser",
        state,
        ...(shown && { reason: shown }),
      };
    });
  }

  async open(name: string): Promise<LanguageModel> {
    const model = this.#find(name);
    const { title, contextTokens } = MODELS[model];
    const state = (await this.#states()).find((entry) => entry.model === model)!;
    if (state.availability !== "available")
      throw new AppError("model_missing", `${title} is not ready in this browser.`, {
        hint:
          state.availability === "downloadable"
            ? "Install it on the Models page: the browser downloads it then."
            : "Take another model.",
      });
    return new WorkerLanguageModel(`chrome:${model}`, contextTokens, (request, onDelta) =>
      this.#generate(model, request, onDelta),
    );
  }

  async install(name: string, options: CallOptions = {}): Promise<void> {
    const model = this.#find(name);
    const state = (await this.#states()).find((entry) => entry.model === model)!;
    if (state.availability === "absent" || state.availability === "unavailable")
      throw new AppError("unsupported_input", `${MODELS[model].title} can't run here.`, {
        hint: "Take another model.",
      });
    await this.#call<null>(
      options.signal,
      (host, callId) => host.download(callId, model),
      undefined,
      options.onProgress,
    ).finally(() => (this.#known = null));
  }

  close(): Promise<void> {
    this.#port?.close();
    return Promise.resolve();
  }

  /** Asked at most every minute: browsers note each question in the page's console. */
  #states(): Promise<BuiltInState[]> {
    if (this.#known && performance.now() - this.#knownAt < STATES_FRESH_MS) return this.#known;
    this.#knownAt = performance.now();
    this.#known = this.#askStates();
    this.#known.catch(() => (this.#known = null));
    return this.#known;
  }

  #askStates(): Promise<BuiltInState[]> {
    const absent: BuiltInState[] = [
      { model: "prompt", availability: "absent" },
      { model: "summarizer", availability: "absent" },
    ];
    return this.#host ? this.#host.states() : Promise.resolve(absent);
  }

  #find(name: string): BuiltInModel {
    if (Object.hasOwn(MODELS, name)) return name as BuiltInModel;
    throw new AppError("not_found", `The browser has no built-in model “${name}”.`, {
      hint: `There are: ${Object.keys(MODELS).join(", ")}.`,
    });
  }

  async #generate(
    model: BuiltInModel,
    request: GenerateRequest,
    onDelta: (text: string) => void,
  ): Promise<GenerateResult> {
    const { messages, maxTokens, stop, json, timeoutMs } = request;
    const signals = [
      ...(request.signal ? [request.signal] : []),
      ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
    ];
    try {
      return await this.#call(
        AbortSignal.any(signals),
        (host, callId) =>
          host.generate(callId, model, {
            messages,
            ...(maxTokens !== undefined && { maxTokens }),
            ...(stop && { stop }),
            ...(json && { json }),
          }),
        onDelta,
      );
    } catch (error) {
      if (!isAbortError(error) || request.signal?.aborted) throw error;
      throw new AppError(
        "model_failed",
        `${MODELS[model].title} took longer than ${timeoutMs} ms.`,
        {
          hint: "Allow more time, give a shorter text, or take another model.",
          retryable: true,
        },
      );
    }
  }

  async #call<T>(
    signal: AbortSignal | undefined,
    work: (host: RemoteApi<BuiltInHostApi>, callId: string) => Promise<StoppableReply<T>>,
    onDelta?: (text: string) => void,
    onProgress?: (progress: InstallProgress) => void,
  ): Promise<T> {
    throwIfAborted(signal);
    const port = this.#port!;
    const host = this.#host!;
    const callId = crypto.randomUUID();
    const listen = (event: MessageEvent) => {
      const news = unwrapNews(event.data);
      if (news?.callId !== callId) return;
      if (news.kind === "delta") onDelta?.(news.text);
      else onProgress?.(news.progress);
    };
    const cancel = () => void host.cancel(callId);
    port.addEventListener("message", listen);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return unwrapReply(await work(host, callId));
    } catch (error) {
      if (signal?.aborted) throw createAbortError();
      throw error;
    } finally {
      port.removeEventListener("message", listen);
      signal?.removeEventListener("abort", cancel);
    }
  }
}
