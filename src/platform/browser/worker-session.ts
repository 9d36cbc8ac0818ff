/**
 * One life of a worker that another thread started and calls through Comlink: calls race against its
 * death, however it comes (an error, a termination, the browser taking its memory).
 */

import { wrap } from "comlink";
import {
  AppError,
  createAbortError,
  fromWireError,
  throwIfAborted,
  type WireError,
} from "../../errors.ts";
import { pulseEnded } from "./worker-pulse.ts";
import type { RemoteApi } from "./worker-scope.ts";

export interface PulsedHost {
  /** Holds the lock by which the other side learns that this worker ended. */
  hold(lockName: string): Promise<void>;
}

export class WorkerSession<Api extends PulsedHost> {
  readonly host: RemoteApi<Api>;
  readonly worker: Worker;
  readonly #describeEnd: (reason: string) => AppError;
  readonly #death: Promise<never>;
  #die: (error: Error) => void = () => undefined;
  #ended = false;

  /** `kind` names its lock; `describeEnd` makes the error of the calls that its end cuts off. */
  constructor(worker: Worker, kind: string, describeEnd: (reason: string) => AppError) {
    this.worker = worker;
    this.#describeEnd = describeEnd;
    this.host = wrap<Api>(worker) as unknown as RemoteApi<Api>;
    this.#death = new Promise((_, reject) => (this.#die = reject));
    this.#death.catch(() => undefined);
    worker.addEventListener("error", (event) => this.end(event.message || "it could not start"));
    // Stopped without a word, for its memory perhaps: no event tells.
    const lockName = `llm-compression:${kind}:${crypto.randomUUID()}`;
    void (this.host as unknown as { hold(name: string): Promise<void> })
      .hold(lockName)
      .then(() => pulseEnded(lockName))
      .then(() => this.end("the browser stopped it"));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The promise, or the error of this worker's end when that comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#death]);
  }

  /** Also ends what waits for the worker: a terminated one never answers. */
  end(reason: string | AppError = "it was closed"): void {
    if (this.#ended) return;
    this.#ended = true;
    this.worker.terminate();
    this.#die(typeof reason === "string" ? this.#describeEnd(reason) : reason);
  }
}

/** The value of a reply, or its error as it was thrown on the other side. */
export function unwrapReply<T>(reply: { ok: true; value: T } | { ok: false; error: WireError }): T {
  if (reply.ok) return reply.value;
  if (reply.error.code === "aborted") throw createAbortError();
  throw fromWireError(reply.error);
}

/** After a `fatal` failure nothing in that worker can be trusted. */
export type StoppableReply<T> =
  { ok: true; value: T } | { ok: false; error: WireError; fatal: boolean };

export interface StoppableHost extends PulsedHost {
  cancel(callId: string): void;
}

export interface StoppableCall {
  signal?: AbortSignal | undefined;
  /** What the worker tells beside replies, of any call. */
  onMessage(data: unknown, callId: string): void;
  /** A cancelled call that hasn't ended by then is stuck; 0: it can't be stopped half way and ends its worker. */
  stopAfterMs: number;
  /** Ends the session. */
  end(why: "cancelled" | "stuck" | "failed"): void;
}

/** One call that tells news while it runs and stops when its signal says so. `AbortError` then. */
export async function callStoppable<Api extends StoppableHost, T>(
  session: WorkerSession<Api>,
  work: (host: RemoteApi<Api>, callId: string) => Promise<StoppableReply<T>>,
  { signal, onMessage, stopAfterMs, end }: StoppableCall,
): Promise<T> {
  throwIfAborted(signal);
  const callId = crypto.randomUUID();
  const listen = (event: MessageEvent<unknown>): void => onMessage(event.data, callId);
  let stopTimer: ReturnType<typeof setTimeout> | undefined;
  const cancel = (): void => {
    if (stopAfterMs === 0) return end("cancelled");
    void (session.host as RemoteApi<StoppableHost>).cancel(callId);
    stopTimer = setTimeout(() => end("stuck"), stopAfterMs);
  };
  session.worker.addEventListener("message", listen);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const reply = await session.race(work(session.host, callId));
    if (!reply.ok && reply.fatal) end("failed");
    return unwrapReply(reply);
  } catch (error) {
    if (signal?.aborted) throw createAbortError();
    throw error;
  } finally {
    clearTimeout(stopTimer);
    session.worker.removeEventListener("message", listen);
    signal?.removeEventListener("abort", cancel);
  }
}
