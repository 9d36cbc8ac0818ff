/**
 * `Engine` across a worker: the caller can't tell it from the local one. Options that are functions
 * or signals stay here and are served by notifications; everything else is cloned.
 */

import type {
  CompressedMemory,
  CompressOptions,
  Embedders,
  Engine,
  EngineEvent,
  EngineStatus,
  Episodes,
  ExportedFile,
  ExportFormat,
  ForgetReceipt,
  ForgetTarget,
  ImportOptions,
  ImportReport,
  ImportSource,
  DecompressResult,
  LanguageModels,
  ReadResult,
  Receipt,
  RememberOptions,
  RepairReport,
  Retention,
} from "../../engine.ts";
import { AppError, createAbortError, fromWireError, throwIfAborted } from "../../errors.ts";
import type { Comparison, Evaluation } from "../../model/comparison.ts";
import type { EmbeddingsBuffer, EmbeddingsQuery } from "../../model/embeddings-buffer.ts";
import type { MemoryInput, MemoryPatch } from "../../model/memory.ts";
import type {
  BrowsePage,
  BrowseQuery,
  Facets,
  RecallQuery,
  RecallResult,
} from "../../model/query.ts";
import type { TaskOptions } from "../../model/task-control.ts";
import type { ModelState } from "../../ports/embedder.ts";
import type { SqlTable } from "../../ports/sql.ts";
import type { DownloadProgress, HostMethod, Notification, Reply } from "./engine-protocol.ts";
import { REPEATABLE_METHODS } from "./engine-protocol.ts";
import type { EngineLinks } from "./engine-links.ts";
import type { EngineLink } from "./live-link.ts";

type CallOptions = ImportOptions & {
  maxRows?: number;
  onDownload?: ((progress: DownloadProgress) => void) | undefined;
};

export class RemoteEngine implements Engine {
  readonly language: LanguageModels = {
    list: () => this.#call("language.list", []),
    install: (id, options) => this.#call("language.install", [id], options),
    remove: (id) => this.#call("language.remove", [id]),
    add: (model) => this.#call("language.add", [model]),
    settings: () => this.#call("language.settings", []),
    configure: (settings) => this.#call("language.configure", [settings]),
    providers: () => this.#call("language.providers", []),
    configureProvider: (settings) => this.#call("language.configureProvider", [settings]),
    setKey: (provider, key, options) =>
      this.#call("language.setKey", [provider, key, options ?? {}]),
    route: (request) => this.#call("language.route", [request]),
    profiles: () => this.#call("language.profiles", []),
    spending: () => this.#call("language.spending", []),
    probe: (id, options) => this.#call("language.probe", [id], options),
  };
  readonly embedders: Embedders = {
    list: () => this.#call("embedders.list", []),
    use: (name) => this.#call("embedders.use", [name]),
    install: (variant, network) => this.#call("embedders.install", [variant, network]),
    remove: (name) => this.#call("embedders.remove", [name]),
    measure: (options) => this.#call("embedders.measure", [], options),
  };
  readonly episodes: Episodes = {
    build: (options) => this.#call("episodes.build", [], options),
    list: (options) => this.#call("episodes.list", [options ?? {}]),
    read: (id) => this.#call("episodes.read", [id]),
  };
  readonly retention: Retention = {
    policy: () => this.#call("retention.policy", []),
    setPolicy: (policy) => this.#call("retention.setPolicy", [policy]),
    preview: (policy) => this.#call("retention.preview", policy === undefined ? [] : [policy]),
    apply: (options) => this.#call("retention.apply", [], options),
    undo: () => this.#call("retention.undo", []),
  };
  readonly #links: EngineLinks;
  readonly #calls = new Map<string, CallOptions>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #closed = false;

  constructor(links: EngineLinks) {
    this.#links = links;
    links.onNotification = (notification) => this.#onNotification(notification);
  }

  remember(items: MemoryInput[], options?: RememberOptions): Promise<Receipt[]> {
    return this.#call("remember", [items], options);
  }
  recall(query: RecallQuery, options?: { signal?: AbortSignal }): Promise<RecallResult> {
    return this.#call("recall", [query], options);
  }
  read(id: string): Promise<ReadResult> {
    return this.#call("read", [id]);
  }
  browse(query: BrowseQuery = {}): Promise<BrowsePage> {
    return this.#call("browse", [query]);
  }
  facets(): Promise<Facets> {
    return this.#call("facets", []);
  }
  update(id: string, patch: MemoryPatch): Promise<Receipt> {
    return this.#call("update", [id, patch]);
  }
  forget(target: ForgetTarget, options: { erase?: boolean } = {}): Promise<ForgetReceipt> {
    return this.#call("forget", [target, options]);
  }
  restore(ids: string[]): Promise<string[]> {
    return this.#call("restore", [ids]);
  }
  compress(text: string, options?: CompressOptions): Promise<CompressedMemory> {
    return this.#call("compress", [text], options);
  }
  decompress(compressed: CompressedMemory): Promise<DecompressResult> {
    return this.#call("decompress", [compressed]);
  }
  evaluate(input: Parameters<Engine["evaluate"]>[0], options?: TaskOptions): Promise<Evaluation> {
    return this.#call("evaluate", [input], options);
  }
  compare(
    target: { id: string } | { text: string },
    options?: CompressOptions,
  ): Promise<Comparison> {
    return this.#call("compare", [target], options);
  }
  resummarize(
    target: Parameters<Engine["resummarize"]>[0],
    options?: RememberOptions,
  ): Promise<Receipt[]> {
    return this.#call("resummarize", [target], options);
  }
  sql(query: string, options?: { maxRows?: number; signal?: AbortSignal }): Promise<SqlTable> {
    return this.#call("sql", [query], options);
  }
  getEmbeddingsBuffer(query: EmbeddingsQuery = {}): Promise<EmbeddingsBuffer> {
    return this.#call("getEmbeddingsBuffer", [query]);
  }
  importStore(source: ImportSource, options?: ImportOptions): Promise<ImportReport> {
    return this.#call("importStore", [source], options);
  }
  embedMissing(options?: TaskOptions): Promise<number> {
    return this.#call("embedMissing", [], options);
  }
  compact(options?: TaskOptions): Promise<void> {
    return this.#call("compact", [], options);
  }
  repair(options: { discard?: boolean; check?: boolean } = {}): Promise<RepairReport> {
    return this.#call("repair", [options]);
  }
  status(): Promise<EngineStatus> {
    return this.#call("status", []);
  }
  modelState(): Promise<ModelState> {
    return this.#call("modelState", []);
  }
  installModel(options: {
    onProgress?: (progress: DownloadProgress) => void;
    signal?: AbortSignal;
  }): Promise<void> {
    return this.#call("installModel", [], {
      onDownload: options.onProgress,
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }
  removeModel(): Promise<void> {
    return this.#call("removeModel", []);
  }

  async *exportStore(format: ExportFormat): AsyncIterable<ExportedFile> {
    if (this.#closed) throw new AppError("closed", "The engine was closed.");
    const callId = crypto.randomUUID();
    const link = await this.#links.current();
    unwrap(await link.race(link.host.openStream(callId, "exportStore", [format])));
    try {
      for (;;) {
        const reply = await link.race(link.host.pull(callId));
        const result = unwrap(reply) as IteratorResult<ExportedFile>;
        if (result.done) return;
        yield result.value;
      }
    } finally {
      link.host.closeStream(callId).catch(() => undefined);
    }
  }

  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    await this.#links.close();
  }

  async #call<T>(method: HostMethod, args: unknown[], options?: CallOptions): Promise<T> {
    if (this.#closed) throw new AppError("closed", "The engine was closed.");
    throwIfAborted(options?.signal);
    throwIfAborted(options?.control?.signal);
    for (let attempt = 0; ; attempt++) {
      const link = await unlessAborted(this.#links.current(), options);
      try {
        return await this.#callOver<T>(link, method, args, options);
      } catch (error) {
        const lost = error instanceof AppError && error.code === "worker_lost";
        if (!lost || attempt > 0 || !REPEATABLE_METHODS.has(method)) throw error;
      }
    }
  }

  async #callOver<T>(
    link: EngineLink,
    method: HostMethod,
    args: unknown[],
    options: CallOptions | undefined,
  ): Promise<T> {
    const callId = crypto.randomUUID();
    if (!options) return unwrap(await link.race(link.host.call(callId, method, args))) as T;

    const { onProgress, onReceipt, onFile, onDownload, signal, control, ...plain } = options;
    void [onProgress, onReceipt, onFile, onDownload];
    this.#calls.set(callId, options);
    const send = (action: "pause" | "resume" | "cancel") =>
      void link.host.control(callId, action).catch(() => undefined);
    const cancel = () => send("cancel");
    signal?.addEventListener("abort", cancel, { once: true });
    control?.signal.addEventListener("abort", cancel, { once: true });
    const stopWatching = control?.onPauseChange((paused) => send(paused ? "pause" : "resume"));
    try {
      const reply = link.race(link.host.call(callId, method, [...args, plain]));
      if (control?.paused) send("pause");
      return unwrap(await reply) as T;
    } finally {
      signal?.removeEventListener("abort", cancel);
      control?.signal.removeEventListener("abort", cancel);
      stopWatching?.();
      this.#calls.delete(callId);
    }
  }

  #onNotification(notification: Notification): void {
    if (notification.kind === "engine") {
      for (const listener of this.#listeners) listener(notification.event);
      return;
    }
    const options = this.#calls.get(notification.callId);
    if (!options) return;
    if (notification.kind === "progress") options.onProgress?.(notification.progress);
    else if (notification.kind === "receipt") options.onReceipt?.(notification.receipt);
    else if (notification.kind === "file") options.onFile?.(notification.file);
    else options.onDownload?.(notification.progress);
  }
}

/** The link, or `AbortError` as soon as the caller cancels: a worker may take long to open its store. */
async function unlessAborted(
  link: Promise<EngineLink>,
  options: CallOptions | undefined,
): Promise<EngineLink> {
  const signals = [options?.signal, options?.control?.signal].filter((signal) => !!signal);
  if (signals.length === 0) return link;
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => (abort = () => reject(createAbortError())));
  for (const signal of signals)
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([link, aborted]);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}

function unwrap(reply: Reply): unknown {
  if (reply.ok) return reply.value;
  if (reply.error.code === "aborted") throw createAbortError();
  throw fromWireError(reply.error);
}
