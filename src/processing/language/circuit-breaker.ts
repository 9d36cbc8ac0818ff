/**
 * Stops asking a server that failed several times in a row, and tries it again with one call after a
 * pause that doubles as long as it fails. One breaker per provider and host.
 */

import {
  BrokenCircuitError,
  circuitBreaker,
  ConsecutiveBreaker,
  DelegateBackoff,
  handleWhen,
  type CircuitBreakerPolicy,
} from "cockatiel";
import type { AppError } from "../../errors.ts";
import { ProviderError } from "./provider-error.ts";

export interface CircuitBreakerOptions {
  /** Failures in a row that open it. Default 5. */
  threshold?: number;
  /** First pause. Default 15,000. */
  pauseMs?: number;
  /** Longest pause. Default 300,000. */
  maxPauseMs?: number;
}

export class CircuitBreaker {
  readonly #policy: CircuitBreakerPolicy;
  readonly #name: string;
  #pausedUntil: number | null = null;
  #lastError: AppError | null = null;

  /** `name` says whose breaker it is, in messages: "OpenAI (api.openai.com)". */
  constructor(name: string, options: CircuitBreakerOptions = {}) {
    const { threshold = 5, pauseMs = 15_000, maxPauseMs = 300_000 } = options;
    this.#name = name;
    this.#policy = circuitBreaker(
      handleWhen((error) => error instanceof ProviderError && error.fault),
      {
        breaker: new ConsecutiveBreaker(threshold),
        halfOpenAfter: new DelegateBackoff(({ attempt }) => {
          const pause = Math.min(maxPauseMs, pauseMs * 2 ** (attempt - 1));
          // The library measures with the same clock.
          this.#pausedUntil = Date.now() + pause;
          return pause;
        }),
      },
    );
    this.#policy.onFailure(({ reason }) => {
      if ("error" in reason && reason.error instanceof ProviderError && reason.error.fault)
        this.#lastError = reason.error;
    });
    this.#policy.onReset(() => (this.#pausedUntil = null));
  }

  /** ms since epoch until which calls are held back; null when they are not. */
  get pausedUntil(): number | null {
    return this.#pausedUntil !== null && this.#pausedUntil > Date.now() ? this.#pausedUntil : null;
  }

  /** Throws while calls are held back, so that nothing waits for limits in vain. */
  refuseWhilePaused(): void {
    if (this.pausedUntil !== null) throw this.#paused();
  }

  /** The work's result or error; while open a retryable error at once that says until when and why. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#policy.execute(work);
    } catch (error) {
      throw error instanceof BrokenCircuitError ? this.#paused() : error;
    }
  }

  #paused(): ProviderError {
    const waitMs = Math.max(0, (this.#pausedUntil ?? Date.now()) - Date.now());
    return new ProviderError(
      this.#lastError?.code ?? "network",
      `${this.#name} failed several times in a row and is left alone for ${Math.ceil(waitMs / 1000)} s: ${this.#lastError?.message ?? "no answer"}`,
      {
        hint: "Try again after that, or choose another model.",
        retryable: true,
        retryNow: false,
        retryAfterMs: waitMs,
        cause: this.#lastError ?? undefined,
      },
    );
  }
}
