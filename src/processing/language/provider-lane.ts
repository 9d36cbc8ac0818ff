/**
 * What all calls to one provider share: its limits per key, the places at each host, and each host's
 * breaker. The order is breaker state → limits → place → request, so that a paused host costs nothing.
 */

import { CircuitBreaker, type CircuitBreakerOptions } from "./circuit-breaker.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { ProviderError } from "./provider-error.ts";
import type { RateLimiter, RateLimits } from "./rate-limiter.ts";

export interface LaneCall {
  host: string;
  /** Provider and host, for messages. */
  title: string;
  key: string | null;
  limits: RateLimits;
  concurrency: number;
  /** Tokens that the call may use, reserved until it is known. */
  tokens: number;
  /** How long it may take from now. */
  patienceMs: number;
  signal: AbortSignal;
}

export interface ProviderLaneParts {
  pool: ConnectionPool;
  limiter: RateLimiter;
  breaker?: CircuitBreakerOptions;
}

export class ProviderLane {
  readonly #parts: ProviderLaneParts;
  readonly #breakers = new Map<string, CircuitBreaker>();
  /** Keys by number: lanes are named by them, and a name must not hold a key. */
  readonly #keyNumbers = new Map<string, number>();

  constructor(parts: ProviderLaneParts) {
    this.#parts = parts;
  }

  /** ms since epoch until which calls to a host are held back, or null. */
  pausedUntil(host: string): number | null {
    return this.#breakers.get(host)?.pausedUntil ?? null;
  }

  async run<T>(
    call: LaneCall,
    work: () => Promise<T>,
    usedTokens: (result: T) => number,
  ): Promise<T> {
    const { pool, limiter } = this.#parts;
    const breaker = this.#breaker(call);
    breaker.refuseWhilePaused();
    const lane = this.#laneName(call);
    this.#refuseInVain(call, limiter.pausedMs(lane));
    const reservation = await limiter.acquire(lane, call.limits, call.tokens, call.signal);
    try {
      const result = await pool.run(
        call.host,
        call.concurrency,
        () => breaker.run(work),
        call.signal,
      );
      await reservation.settle(usedTokens(result));
      return result;
    } catch (error) {
      // A refused request used no tokens; one that was cut off may have: it stays counted.
      if (error instanceof ProviderError && error.status !== undefined && error.status < 500)
        await reservation.settle(0);
      if (error instanceof ProviderError && error.status === 429 && error.retryAfterMs)
        limiter.pause(lane, error.retryAfterMs);
      throw error;
    }
  }

  /** Who would wait longer than they may is told at once. */
  #refuseInVain({ title, patienceMs }: LaneCall, pausedMs: number): void {
    if (pausedMs <= patienceMs) return;
    throw new ProviderError(
      "rate_limited",
      `${title} asked for a pause, of which ${Math.ceil(pausedMs / 1000)} s are left.`,
      {
        hint: "Try again after that, or choose another model.",
        retryable: true,
        retryNow: false,
        retryAfterMs: pausedMs,
      },
    );
  }

  #breaker(call: LaneCall): CircuitBreaker {
    let breaker = this.#breakers.get(call.host);
    if (!breaker) {
      breaker = new CircuitBreaker(call.title, this.#parts.breaker);
      this.#breakers.set(call.host, breaker);
    }
    return breaker;
  }

  #laneName({ host, key }: LaneCall): string {
    let number = this.#keyNumbers.get(key ?? "");
    if (number === undefined) this.#keyNumbers.set(key ?? "", (number = this.#keyNumbers.size));
    return `${host}#${number}`;
  }
}
