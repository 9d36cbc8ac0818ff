/**
 * The times that one call may take, and the caller's own signal, joined into one signal: the whole
 * call, the first byte of an answer, the silence between two chunks of a stream.
 */

import { AppError, createAbortError } from "../../errors.ts";

export interface CallTimeouts {
  /** To the connection, where the transport can tell. */
  connectMs: number;
  /** From the request to the first byte of the answer's text. */
  firstByteMs: number;
  /** Between two chunks of a stream. */
  idleMs: number;
  /** The whole call with all its tries. */
  totalMs: number;
}

export class CallDeadline {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #onOuterAbort = () => this.#controller.abort(createAbortError());
  #totalTimer: ReturnType<typeof setTimeout> | undefined;
  #error: AppError | undefined;

  constructor(outer: AbortSignal | undefined, totalMs: number, timeUp: () => AppError) {
    this.#outer = outer;
    if (outer?.aborted) this.#onOuterAbort();
    else outer?.addEventListener("abort", this.#onOuterAbort, { once: true });
    this.#totalTimer = setTimeout(() => this.#fire(timeUp()), totalMs);
  }

  /** Fires on the caller's cancellation and when the call took too long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Watches one exchange inside of the call; its times end that exchange alone, so that another can follow. */
  watch(): ExchangeWatch {
    return new ExchangeWatch(this);
  }

  /** What really ended the work: the time that was up, the caller's cancellation, or the error itself. */
  explain(error: unknown): unknown {
    if (this.#error) return this.#error;
    return this.#outer?.aborted ? createAbortError() : error;
  }

  close(): void {
    clearTimeout(this.#totalTimer);
    this.#totalTimer = undefined;
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  #fire(error: AppError): void {
    this.#error = error;
    this.#controller.abort(createAbortError());
  }
}

export class ExchangeWatch {
  readonly #deadline: CallDeadline;
  readonly #controller = new AbortController();
  readonly #onAbort = () => this.#controller.abort(createAbortError());
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastAt = 0;
  #error: AppError | undefined;

  constructor(deadline: CallDeadline) {
    this.#deadline = deadline;
    if (deadline.signal.aborted) this.#onAbort();
    else deadline.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on a silence of that length ends the exchange. Replaces an earlier limit. */
  limit(silenceMs: number, timeUp: () => AppError): void {
    clearTimeout(this.#timer);
    this.#lastAt = performance.now();
    const check = () => {
      const leftMs = silenceMs - (performance.now() - this.#lastAt);
      // One timer that looks again is cheaper than one per chunk.
      if (leftMs > 1) this.#timer = setTimeout(check, leftMs);
      else {
        this.#error = timeUp();
        this.#controller.abort(createAbortError());
      }
    };
    this.#timer = setTimeout(check, silenceMs);
  }

  /** Something arrived. */
  touch(): void {
    this.#lastAt = performance.now();
  }

  /** Ends the exchange: nobody reads on. */
  abandon(): void {
    this.#controller.abort(createAbortError());
  }

  explain(error: unknown): unknown {
    return this.#error ?? this.#deadline.explain(error);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#deadline.signal.removeEventListener("abort", this.#onAbort);
  }
}
