/** The time limit and the abort signal of one query. */

import { AppError, createAbortError } from "../../errors.ts";

export class QueryDeadline {
  readonly #end: number;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onAbort: (() => void) | undefined;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#end = performance.now() + timeoutMs;
    this.#signal = signal;
  }

  get passed(): boolean {
    return this.#signal?.aborted === true || performance.now() >= this.#end;
  }

  #error(): Error {
    if (this.#signal?.aborted) return createAbortError();
    return new AppError("query_failed", `The query ran longer than ${this.#timeoutMs / 1000} s.`, {
      hint: "Narrow it with WHERE, or select fewer columns (content is the large one).",
    });
  }

  check(): void {
    if (this.passed) throw this.#error();
  }

  /** Rejects as soon as the time is over or the signal fires. */
  overdue(): Promise<never> {
    return new Promise((_, reject) => {
      this.#onAbort = () => reject(this.#error());
      this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
      this.#timer = setTimeout(() => reject(this.#error()), this.#timeoutMs);
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
    if (this.#onAbort) this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
