/**
 * The workbench as the page sees it: a worker that is started on first use, asked over Comlink, and
 * ended after idling, so that its memory goes back. A worker that died is started again.
 */

import { AppError, createAbortError, throwIfAborted } from "../../errors.ts";
import type { Progress, TaskOptions } from "../../model/task-control.ts";
import type { Workbench, WorkbenchRequest, WorkbenchSource } from "../../quantization/workbench.ts";
import { readNews, type QuantizationHostApi } from "./quantization-protocol.ts";
import { callStoppable, WorkerSession, type StoppableReply } from "./worker-session.ts";

type Session = WorkerSession<QuantizationHostApi>;

const IDLE_MS = 60_000;
/** A cancelled run ends at its next step; one that doesn't costs the worker. */
const STOP_MS = 3_000;
const ENDINGS = {
  cancelled: "it was cancelled",
  stuck: "it was cancelled",
  failed: "it failed",
} as const;

export class QuantizationWorker implements Workbench {
  /** Runs have a worker of their own: one that is stopped takes no download with it. */
  readonly #runs: WorkerLink;
  readonly #files: WorkerLink;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(createWorker: () => Worker) {
    this.#runs = new WorkerLink(createWorker);
    this.#files = new WorkerLink(createWorker);
  }

  sourceState(name: string) {
    return this.#files.call((host, callId) => host.sourceState(callId, name));
  }

  installSource(name: string, options: Parameters<Workbench["installSource"]>[1] = {}) {
    const { onProgress, signal } = options;
    return this.#files.call((host, callId) => host.installSource(callId, name), {
      ...(signal && { signal }),
      onProgress: ({ doneBytes = 0, totalBytes = 0 }) => onProgress?.({ doneBytes, totalBytes }),
    });
  }

  removeSource(name: string) {
    return this.#files.call((host, callId) => host.removeSource(callId, name));
  }

  inspect(source: WorkbenchSource) {
    return this.#files.call((host, callId) => host.inspect(callId, source));
  }

  async run(request: WorkbenchRequest, options: TaskOptions = {}) {
    options.onProgress?.({ stage: "Waiting for the run before", done: 0, total: null });
    const before = this.#turn;
    let release: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => (release = resolve));
    this.#turn = Promise.all([before, mine]);
    try {
      await untilAborted(before, options.signal);
      return await this.#runs.call((host, callId) => host.run(callId, request), options);
    } finally {
      release();
    }
  }

  runs() {
    return this.#files.call((host, callId) => host.runs(callId));
  }

  histograms(id: string) {
    return this.#files.call((host, callId) => host.histograms(callId, id));
  }

  openFile(id: string, name: string) {
    return this.#files.call((host, callId) => host.openFile(callId, id, name));
  }

  removeRun(id: string) {
    return this.#files.call((host, callId) => host.removeRun(callId, id));
  }
}

function untilAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(createAbortError());
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    void work.then(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    });
  });
}

/** A worker that is there when it is called. */
class WorkerLink {
  readonly #createWorker: () => Worker;
  #session: Session | null = null;
  #pending = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(createWorker: () => Worker) {
    this.#createWorker = createWorker;
  }

  async call<T>(
    work: (host: Session["host"], callId: string) => Promise<StoppableReply<T>>,
    {
      signal,
      onProgress,
    }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
  ): Promise<T> {
    throwIfAborted(signal);
    clearTimeout(this.#idleTimer);
    this.#pending++;
    const session = this.#open();
    try {
      return await callStoppable(session, work, {
        signal,
        onMessage: (data, callId) => {
          const news = readNews(data);
          if (news?.callId === callId) onProgress?.(news.progress);
        },
        stopAfterMs: STOP_MS,
        end: (why) => this.#end(session, ENDINGS[why]),
      });
    } finally {
      this.#pending--;
      if (this.#pending === 0)
        this.#idleTimer = setTimeout(() => this.#end(session, "it was idle"), IDLE_MS);
    }
  }

  #open(): Session {
    if (this.#session === null || this.#session.ended)
      this.#session = new WorkerSession<QuantizationHostApi>(
        this.#createWorker(),
        "quantization",
        workerEnded,
      );
    return this.#session;
  }

  #end(session: Session, reason: string): void {
    session.end(reason);
    if (this.#session === session) this.#session = null;
  }
}

function workerEnded(reason: string): AppError {
  return new AppError("worker_lost", `The workbench's worker ended: ${reason}.`, {
    hint: "Run it again. If it ends again, close other tabs, use fewer calibration texts or a smaller model; nothing of it was kept.",
    retryable: true,
  });
}

/** The page's workbench; the worker starts with the first call. */
export function openWorkbench(): Workbench {
  return new QuantizationWorker(
    () =>
      new Worker(new URL("../../../workers/quantization.worker.ts", import.meta.url), {
        type: "module",
        name: "quantization",
      }),
  );
}
