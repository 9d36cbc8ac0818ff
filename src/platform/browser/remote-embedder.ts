/**
 * The embedding model as the engine's worker sees it: an `Embedder` in a worker of its own, started
 * on first use, ended after idling, started again when it is needed or when it crashed.
 */

import { AppError, throwIfAborted } from "../../errors.ts";
import type {
  Embedder,
  EmbedderInfo,
  EmbedderProvider,
  EmbedOptions,
  ModelState,
} from "../../ports/embedder.ts";
import { VariantFolder } from "../../processing/embedding/variant-folder.ts";
import type { EmbeddingHostApi } from "./embedding-host.ts";
import { modelState } from "./model-installer.ts";
import { browserVariantFiles } from "./variant-files.ts";
import { unwrapReply, WorkerSession } from "./worker-session.ts";

type Session = WorkerSession<EmbeddingHostApi>;

/** An idle model gives its ~150 MB back. */
const IDLE_MS = 5 * 60_000;
/** A model that failed to load is not tried again with each key that is typed. */
const RETRY_AFTER_MS = 30_000;

export class RemoteEmbedderProvider implements EmbedderProvider {
  readonly variants = new VariantFolder(browserVariantFiles);
  readonly #createWorker: () => Worker;
  #embedder: RemoteEmbedder | null = null;
  #failure: { message: string; atMs: number; variant: string | null } | null = null;

  constructor(createWorker: () => Worker) {
    this.#createWorker = createWorker;
  }

  async load(): Promise<Embedder | null> {
    const installed = await modelState();
    if (installed.state !== "installed") return null;
    const variant = await this.variants.chosen().catch(() => null);
    const isSame = this.#failure?.variant === variant;
    if (this.#failure && isSame && performance.now() - this.#failure.atMs < RETRY_AFTER_MS)
      return null;
    try {
      this.#embedder = await RemoteEmbedder.start(this.#createWorker);
      this.#failure = null;
      return this.#embedder;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#failure = { message, atMs: performance.now(), variant };
      return null;
    }
  }

  async state(): Promise<ModelState> {
    const variant = await this.variants.chosen().catch(() => null);
    const installed = { ...(await modelState()), ...(variant !== null && { variant }) };
    if (this.#failure && installed.state === "installed")
      return { ...installed, state: "failed", error: this.#failure.message };
    if (!this.#embedder || installed.state !== "installed") return installed;
    const { backend, backendReason, threads } = this.#embedder.info;
    return {
      ...installed,
      state: "loaded",
      backend: `${backend}, ${threads} thread${threads === 1 ? "" : "s"}${backendReason ? ` (${backendReason})` : ""}`,
    };
  }

  /** Forgets the loaded model after its weights were removed or replaced. */
  reset(): void {
    this.#embedder = null;
    this.#failure = null;
  }
}

class RemoteEmbedder implements Embedder {
  readonly info: EmbedderInfo;
  readonly #createWorker: () => Worker;
  #session: Session | null;
  #closed = false;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #running = 0;

  private constructor(createWorker: () => Worker, session: Session, info: EmbedderInfo) {
    this.#createWorker = createWorker;
    this.#session = session;
    this.info = info;
    this.#restartIdleTimer();
  }

  static async start(createWorker: () => Worker): Promise<RemoteEmbedder> {
    const session = startSession(createWorker);
    try {
      const info = unwrapReply(await session.race(session.host.load()));
      return new RemoteEmbedder(createWorker, session, info);
    } catch (error) {
      session.end();
      throw error;
    }
  }

  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    throwIfAborted(options.signal);
    if (texts.length === 0) return [];
    return this.#use(async (session) => {
      const callId = crypto.randomUUID();
      const cancel = () => void session.host.cancel(callId);
      options.signal?.addEventListener("abort", cancel, { once: true });
      try {
        const joined = unwrapReply(await session.race(session.host.embed(callId, [...texts])));
        options.onProgress?.(texts.length);
        const { dimensions } = this.info;
        // Views: the buffer was transferred, and belongs to whoever asked.
        return texts.map((_, row) => joined.subarray(row * dimensions, (row + 1) * dimensions));
      } finally {
        options.signal?.removeEventListener("abort", cancel);
      }
    });
  }

  countTokens(text: string): Promise<number> {
    return this.#use(async (session) =>
      unwrapReply(await session.race(session.host.countTokens(text))),
    );
  }

  /** Ends the worker; calls under way end with `model_failed`. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    this.#session?.end();
    this.#session = null;
    return Promise.resolve();
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) throw workerEnded("it was closed");
    if (this.#session?.ended) this.#session = null;
    this.#session ??= startSession(this.#createWorker);
    this.#running++;
    try {
      return await work(this.#session);
    } finally {
      this.#running--;
      this.#restartIdleTimer();
    }
  }

  #restartIdleTimer(): void {
    clearTimeout(this.#idleTimer);
    if (this.#closed) return;
    this.#idleTimer = setTimeout(() => {
      if (this.#running > 0) return;
      this.#session?.end();
      this.#session = null;
    }, IDLE_MS);
  }
}

function startSession(createWorker: () => Worker): Session {
  return new WorkerSession<EmbeddingHostApi>(createWorker(), "embedding", workerEnded);
}

function workerEnded(reason: string): AppError {
  return new AppError("model_failed", `The embedding worker ended: ${reason}.`, {
    hint: "Keyword search goes on. Try again; if it fails again, reinstall the model in Settings.",
    retryable: true,
  });
}
