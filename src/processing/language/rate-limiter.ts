/**
 * Keeps to requests and tokens per minute, per provider and key. Calls wait in the order in which
 * they came, may be cancelled while they wait, and nothing is refused. Minutes are fixed windows that
 * start with the first call in them.
 */

import PQueue from "p-queue";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { createAbortError, throwIfAborted } from "../../errors.ts";
import { sleep as realSleep, type Sleep } from "./sleep.ts";

export interface RateLimits {
  requestsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
}

export interface Reservation {
  /** Corrects the reserved tokens to those really used. */
  settle(tokens: number): Promise<void>;
}

const WINDOW_S = 60;

interface Lane {
  queue: PQueue;
  /** Set when a provider asks to wait: nothing starts before it. ms since epoch. */
  notBefore: number;
  requests: Meter | null;
  tokens: Meter | null;
  /** Fires when tokens were given back: who waits for them looks again. */
  givenBack: AbortController;
}

export class RateLimiter {
  readonly #lanes = new Map<string, Lane>();
  readonly #sleep: Sleep;

  constructor(parts: { sleep?: Sleep } = {}) {
    this.#sleep = parts.sleep ?? realSleep;
  }

  /**
   * Resolves when a call of about `tokens` may start. `lane` names provider and key; limits may differ
   * from call to call (the owner changed them), what was used in the running minute stays counted.
   */
  async acquire(
    lane: string,
    limits: RateLimits,
    tokens: number,
    signal?: AbortSignal,
  ): Promise<Reservation> {
    const own = this.#lane(lane);
    try {
      return await own.queue.add(() => this.#take(own, limits, tokens, signal), { signal });
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw createAbortError();
      throw error;
    }
  }

  /** A provider asked to wait: later calls of this lane start after that. */
  pause(lane: string, forMs: number): void {
    const own = this.#lane(lane);
    own.notBefore = Math.max(own.notBefore, Date.now() + forMs);
  }

  /** How long a provider's wish to wait lasts still. */
  pausedMs(lane: string): number {
    return Math.max(0, (this.#lanes.get(lane)?.notBefore ?? 0) - Date.now());
  }

  /** Calls that wait in a lane. */
  waiting(lane: string): number {
    const own = this.#lanes.get(lane);
    return own ? own.queue.size + own.queue.pending : 0;
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = {
        queue: new PQueue({ concurrency: 1 }),
        notBefore: 0,
        requests: null,
        tokens: null,
        givenBack: new AbortController(),
      };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  async #take(
    lane: Lane,
    limits: RateLimits,
    tokens: number,
    signal: AbortSignal | undefined,
  ): Promise<Reservation> {
    lane.requests = await Meter.withLimit(lane.requests, limits.requestsPerMinute);
    lane.tokens = await Meter.withLimit(lane.tokens, limits.tokensPerMinute);
    const { requests, tokens: tokenMeter } = lane;
    for (;;) {
      throwIfAborted(signal);
      const waitMs = Math.max(
        lane.notBefore - Date.now(),
        (await requests?.waitMs(1)) ?? 0,
        (await tokenMeter?.waitMs(tokens)) ?? 0,
      );
      if (waitMs <= 0) break;
      await this.#wait(lane, waitMs, signal);
    }
    await requests?.take(1);
    await tokenMeter?.take(tokens);
    return {
      settle: async (used) => {
        await tokenMeter?.correct(used - tokens);
        if (used >= tokens) return;
        const { givenBack } = lane;
        lane.givenBack = new AbortController();
        givenBack.abort();
      },
    };
  }

  /** Until the time is over or tokens were given back. */
  async #wait(lane: Lane, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const back = lane.givenBack.signal;
    try {
      await this.#sleep(waitMs, signal ? AbortSignal.any([signal, back]) : back);
    } catch (error) {
      if (!back.aborted || signal?.aborted) throw error;
    }
  }
}

/** One limit of one lane. */
class Meter {
  static readonly #KEY = "lane";
  readonly limit: number;
  readonly #limiter: RateLimiterMemory;

  constructor(limit: number) {
    this.limit = limit;
    this.#limiter = new RateLimiterMemory({ points: limit, duration: WINDOW_S });
  }

  /** The same meter, or a new one for another limit that takes over what was used in this minute. */
  static async withLimit(meter: Meter | null, limit: number | undefined): Promise<Meter | null> {
    if (limit === undefined || !(limit > 0)) return null;
    if (meter?.limit === limit) return meter;
    const next = new Meter(limit);
    const used = meter ? await meter.#state() : null;
    if (used) await next.#limiter.set(Meter.#KEY, used.points, used.msLeft / 1000);
    return next;
  }

  async waitMs(points: number): Promise<number> {
    const state = await this.#state();
    // What exceeds the limit by itself can only start in a fresh minute.
    if (!state || state.points + Math.min(points, this.limit) <= this.limit) return 0;
    return Math.max(1, state.msLeft);
  }

  async take(points: number): Promise<void> {
    if (points > this.limit)
      // It uses up several minutes: keep the lane closed for all of them.
      await this.#limiter.set(Meter.#KEY, this.limit, (points / this.limit) * WINDOW_S);
    else await this.#limiter.penalty(Meter.#KEY, points);
  }

  async correct(points: number): Promise<void> {
    const state = await this.#state();
    if (points > 0) await this.#limiter.penalty(Meter.#KEY, points);
    // A new minute may have begun: nothing to give back then.
    else if (state && points < 0)
      await this.#limiter.reward(Meter.#KEY, Math.min(-points, state.points));
  }

  async #state(): Promise<{ points: number; msLeft: number } | null> {
    const state = await this.#limiter.get(Meter.#KEY);
    return state && state.msBeforeNext > 0
      ? { points: state.consumedPoints, msLeft: state.msBeforeNext }
      : null;
  }
}
