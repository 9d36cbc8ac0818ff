/**
 * Tries a call again where that can help: exponential backoff with full jitter, at least as long as
 * the provider asks, within a budget of tries and of time. Knows nothing of HTTP.
 */

import { DelegateBackoff, fullJitterGenerator, handleWhen, retry } from "cockatiel";
import { throwIfAborted } from "../../errors.ts";
import { systemClock, type Clock } from "../../ports/clock.ts";
import { ProviderError } from "./provider-error.ts";
import { sleep as realSleep, type Sleep } from "./sleep.ts";

export interface RetryOptions {
  /** Tries after the first one. Default 3. */
  maxRetries?: number;
  /** Upper bound of the first wait; doubles each time. Default 500. */
  initialDelayMs?: number;
  /** Upper bound of a wait by jitter. Default 20,000. */
  maxDelayMs?: number;
  /** All waits of one call together; a provider that asks for more is not waited for. Default 60,000. */
  waitBudgetMs?: number;
}

export interface RetryEvent {
  /** 1 for the first repetition. */
  retry: number;
  delayMs: number;
  error: ProviderError;
}

export interface RetryCall {
  signal?: AbortSignal | undefined;
  /** ms of the monotonic clock after which no try may start. */
  deadline?: number | undefined;
  /** Asked before each repetition: false when a part of the answer was handed out already. */
  mayRepeat?: () => boolean;
  onRetry?: ((event: RetryEvent) => void) | undefined;
}

export class RetryPolicy {
  readonly #options: Required<RetryOptions>;
  readonly #clock: Clock;
  readonly #sleep: Sleep;

  constructor(options: RetryOptions = {}, parts: { clock?: Clock; sleep?: Sleep } = {}) {
    this.#options = {
      maxRetries: options.maxRetries ?? 3,
      initialDelayMs: options.initialDelayMs ?? 500,
      maxDelayMs: options.maxDelayMs ?? 20_000,
      waitBudgetMs: options.waitBudgetMs ?? 60_000,
    };
    this.#clock = parts.clock ?? systemClock;
    this.#sleep = parts.sleep ?? realSleep;
  }

  /** The work's result, or its last error. `AbortError` as soon as the signal fires, also between tries. */
  async run<T>(work: () => Promise<T>, call: RetryCall = {}): Promise<T> {
    const { maxRetries, initialDelayMs, maxDelayMs, waitBudgetMs } = this.#options;
    let jitterState: number | undefined;
    let waitedMs = 0;
    let delayMs = 0;
    let retries = 0;

    /** Decides on each error, and how long to wait before the next try. */
    const helps = (error: Error): boolean => {
      if (!(error instanceof ProviderError) || !error.retryNow || retries >= maxRetries)
        return false;
      if (call.signal?.aborted || call.mayRepeat?.() === false) return false;
      const [jittered, next] = fullJitterGenerator(jitterState, {
        initialDelay: initialDelayMs,
        maxDelay: maxDelayMs,
        exponent: 2,
        generator: fullJitterGenerator,
      });
      const wait = Math.max(jittered, error.retryAfterMs ?? 0);
      if (waitedMs + wait > waitBudgetMs) return false;
      if (call.deadline !== undefined && this.#clock.elapsed() + wait >= call.deadline)
        return false;
      jitterState = next;
      retries++;
      waitedMs += wait;
      delayMs = wait;
      call.onRetry?.({ retry: retries, delayMs, error });
      return true;
    };

    // The wait is ours, at the start of the next try: the library's own can't be cancelled.
    const policy = retry(handleWhen(helps), {
      maxAttempts: maxRetries,
      backoff: new DelegateBackoff(() => 0),
    });
    return policy.execute(async () => {
      if (delayMs > 0) await this.#sleep(delayMs, call.signal);
      throwIfAborted(call.signal);
      return work();
    });
  }
}
