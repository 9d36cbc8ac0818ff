/**
 * A language worker as the engine's worker sees it: started on the first prompt, one model loaded at a
 * time, prompts one after the other, ended after idling, started again when it is needed or when it
 * died. The in-browser sources own one each.
 */

import { AppError, createAbortError, isAbortError, throwIfAborted } from "../../../errors.ts";
import type {
  GenerateRequest,
  GenerateResult,
  InstallProgress,
} from "../../../ports/language-model.ts";
import { callStoppable, WorkerSession, type StoppableReply } from "../worker-session.ts";
import {
  unwrapNews,
  type LanguageHostApi,
  type LoadedInfo,
  type LoadSpec,
} from "./language-protocol.ts";

type Session = WorkerSession<LanguageHostApi>;

/** An idle model gives its memory back. */
const IDLE_MS = 5 * 60_000;
/** A cancelled answer ends after the step that is under way; one that doesn't costs the worker. */
const STOP_MS = 30_000;
const ENDINGS = {
  cancelled: "loading was cancelled",
  stuck: "it didn't stop when asked to",
  failed: "the model crashed",
} as const;

export interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: InstallProgress) => void;
}

export class LanguageWorker {
  readonly #createWorker: () => Worker;
  readonly #idleMs: number;
  #session: Session | null = null;
  #loaded: { spec: LoadSpec; info: LoadedInfo } | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(createWorker: () => Worker, options: { idleMs?: number } = {}) {
    this.#createWorker = createWorker;
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /** The model that is loaded now. */
  get loadedName(): string | null {
    return this.#session && !this.#session.ended ? (this.#loaded?.spec.name ?? null) : null;
  }

  /** Loads a model (and drops the one before), or finds it loaded. */
  load(spec: LoadSpec, options: CallOptions = {}): Promise<LoadedInfo> {
    return this.#inTurn(options.signal, () => this.#ensure(spec, options));
  }

  /** One answer; `onDelta` gets its text as it comes. Loads the model when it isn't loaded. */
  generate(
    spec: LoadSpec,
    request: GenerateRequest,
    onDelta: (text: string) => void,
  ): Promise<GenerateResult> {
    const limit = withTimeout(request.signal, request.timeoutMs, spec.title);
    return this.#inTurn(limit.signal, async () => {
      await this.#ensure(spec, { signal: limit.signal });
      const { messages, maxTokens, temperature, stop, json } = request;
      return this.#call(
        limit.signal,
        (session, callId) =>
          session.host.generate(callId, {
            messages,
            ...(maxTokens !== undefined && { maxTokens }),
            ...(temperature !== undefined && { temperature }),
            ...(stop && { stop }),
            ...(json && { json }),
          }),
        { onDelta },
      );
    })
      .catch((error: unknown) => {
        throw limit.expired() && isAbortError(error) ? limit.error() : error;
      })
      .finally(limit.clear);
  }

  /** Ends the worker when it holds the model; calls under way end with `error`. */
  drop(name: string, error: AppError): void {
    if (this.#loaded?.spec.name === name || this.#loadingName === name) this.#end(error);
  }

  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    this.#end(new AppError("closed", "The language models were closed."));
    return Promise.resolve();
  }

  #loadingName: string | null = null;

  async #ensure(spec: LoadSpec, options: CallOptions): Promise<LoadedInfo> {
    throwIfAborted(options.signal);
    const loaded = this.#loaded;
    if (loaded && this.loadedName !== null && sameSpec(loaded.spec, spec)) return loaded.info;
    this.#loaded = null;
    this.#loadingName = spec.name;
    try {
      const info = await this.#call(
        options.signal,
        (session, callId) => session.host.load(callId, spec),
        {
          ...(options.onProgress && { onProgress: options.onProgress }),
          endOnAbort: true,
        },
      );
      this.#loaded = { spec, info };
      return info;
    } finally {
      this.#loadingName = null;
    }
  }

  async #call<T>(
    signal: AbortSignal | undefined,
    work: (session: Session, callId: string) => Promise<StoppableReply<T>>,
    hooks: {
      onDelta?: (text: string) => void;
      onProgress?: (progress: InstallProgress) => void;
      /** Loading can't be stopped half way: its worker is. */
      endOnAbort?: boolean;
    },
  ): Promise<T> {
    if (this.#closed) throw new AppError("closed", "The language models were closed.");
    throwIfAborted(signal);
    if (this.#session?.ended) this.#session = null;
    const session = (this.#session ??= new WorkerSession<LanguageHostApi>(
      this.#createWorker(),
      "language",
      workerEnded,
    ));
    return callStoppable(session, (_host, callId) => work(session, callId), {
      signal,
      onMessage: (data, callId) => {
        const news = unwrapNews(data);
        if (news?.callId !== callId) return;
        if (news.kind === "delta") hooks.onDelta?.(news.text);
        else hooks.onProgress?.(news.progress);
      },
      stopAfterMs: hooks.endOnAbort ? 0 : STOP_MS,
      // After a crash inside the engine the next call gets a fresh worker.
      end: (why) => {
        if (this.#session === session) this.#end(workerEnded(ENDINGS[why]));
      },
    });
  }

  #end(error: AppError): void {
    const session = this.#session;
    this.#session = null;
    this.#loaded = null;
    session?.end(error);
  }

  /**
   * One call at a time. A call that is cancelled leaves at once, waiting or not; the next one has its
   * turn when the worker is through with it (reading a long prompt can't be interrupted).
   */
  async #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    throwIfAborted(signal);
    clearTimeout(this.#idleTimer);
    this.#pending++;
    const before = this.#queue;
    let release: () => void = () => undefined;
    this.#queue = new Promise<void>((resolve) => (release = resolve));
    try {
      await untilAborted(before, signal);
    } catch (error) {
      // Those behind still wait for those in front.
      void before.finally(release);
      this.#finish();
      throw error;
    }
    const running = work().finally(() => {
      release();
      this.#finish();
    });
    // `running` may still fail after its caller left.
    running.catch(() => undefined);
    await untilAborted(running, signal);
    return running;
  }

  #finish(): void {
    this.#pending--;
    if (this.#pending > 0 || this.#closed) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#end(workerEnded("it was idle")), this.#idleMs);
  }
}

function sameSpec(a: LoadSpec, b: LoadSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function untilAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = () => reject(createAbortError());
    signal?.addEventListener("abort", cancel, { once: true });
    const settled = () => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    };
    work.then(settled, settled);
  });
}

/** A signal that also fires when the time is up. */
function withTimeout(
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  title: string,
) {
  const controller = new AbortController();
  let expired = false;
  const forward = () => controller.abort();
  if (signal?.aborted) controller.abort();
  signal?.addEventListener("abort", forward, { once: true });
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          expired = true;
          controller.abort();
        }, timeoutMs);
  return {
    signal: controller.signal,
    expired: () => expired && !signal?.aborted,
    error: () =>
      new AppError("model_failed", `${title} took longer than ${timeoutMs} ms.`, {
        hint: "Allow more time, give a shorter text, or take a smaller model.",
        retryable: true,
      }),
    clear: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", forward);
    },
  };
}

function workerEnded(reason: string): AppError {
  return new AppError("model_failed", `The language model's worker ended: ${reason}.`, {
    hint: "Try again: the model is loaded afresh. If it ends again, close other tabs or take a smaller model.",
    retryable: true,
  });
}
