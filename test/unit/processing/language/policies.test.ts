import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AppError } from "../../../../src/errors.ts";
import { CircuitBreaker } from "../../../../src/processing/language/circuit-breaker.ts";
import { ConnectionPool } from "../../../../src/processing/language/connection-pool.ts";
import { ProviderError } from "../../../../src/processing/language/provider-error.ts";
import { RateLimiter } from "../../../../src/processing/language/rate-limiter.ts";
import {
  parseDuration,
  parseRetryAfter,
  retryAfterMs,
} from "../../../../src/processing/language/retry-after.ts";
import { RetryPolicy } from "../../../../src/processing/language/retry-policy.ts";
import type { Sleep } from "../../../../src/processing/language/sleep.ts";

/** The libraries of breaker and limiter read the system's clock. */
function holdTheClock(): void {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());
}

const failure = (options: ConstructorParameters<typeof ProviderError>[2] = {}) =>
  new ProviderError("model_failed", "It failed.", { retryable: true, fault: true, ...options });

/** Time passes at once; what was waited for is kept. */
function waits(): { sleep: Sleep; waited: number[]; clock: { now(): number; elapsed(): number } } {
  const waited: number[] = [];
  let elapsed = 0;
  return {
    waited,
    clock: { now: () => elapsed, elapsed: () => elapsed },
    sleep: async (ms) => {
      waited.push(ms);
      elapsed += ms;
    },
  };
}

describe("retries", () => {
  it("repeat what may be repeated, with longer waits, and give the result", async () => {
    const parts = waits();
    let calls = 0;
    const result = await new RetryPolicy({ initialDelayMs: 100, maxRetries: 3 }, parts).run(
      async () => {
        if (++calls < 4) throw failure();
        return calls;
      },
    );
    expect(result).toBe(4);
    parts.waited.forEach((ms, at) => expect(ms).toBeLessThan(100 * 2 ** at));
  });

  it("end with the last error after the budget of tries", async () => {
    let calls = 0;
    const run = new RetryPolicy({ maxRetries: 2 }, waits()).run(async () => {
      throw failure({ status: 500 + calls++ });
    });
    await expect(run).rejects.toMatchObject({ status: 502 });
    expect(calls).toBe(3);
  });

  it.each([
    ["an error that can't change", new ProviderError("invalid_input", "Refused.")],
    ["another layer's error", new AppError("network", "Gone.", { retryable: true })],
    ["a defect", new TypeError("x is not a function")],
    ["what is not to be repeated now", failure({ retryNow: false })],
  ])("don't repeat %s", async (_name, error) => {
    let calls = 0;
    const run = new RetryPolicy({}, waits()).run(async () => {
      calls++;
      throw error;
    });
    await expect(run).rejects.toBe(error);
    expect(calls).toBe(1);
  });

  it("wait as long as the provider asks, but no longer than their budget", async () => {
    const parts = waits();
    let calls = 0;
    await new RetryPolicy({ initialDelayMs: 10, waitBudgetMs: 30_000 }, parts).run(async () => {
      if (calls++ === 0) throw failure({ retryAfterMs: 12_000 });
    });
    expect(parts.waited).toEqual([12_000]);
    const tooLong = new RetryPolicy({ waitBudgetMs: 30_000 }, waits()).run(async () => {
      throw failure({ retryAfterMs: 31_000 });
    });
    await expect(tooLong).rejects.toMatchObject({ retryAfterMs: 31_000 });
  });

  it("don't start a try after the call's deadline, nor when text was handed out", async () => {
    let calls = 0;
    const work = async () => {
      calls++;
      throw failure({ retryAfterMs: 5_000 });
    };
    await expect(new RetryPolicy({}, waits()).run(work, { deadline: 4_000 })).rejects.toThrow();
    await expect(
      new RetryPolicy({}, waits()).run(work, { mayRepeat: () => false }),
    ).rejects.toThrow();
    expect(calls).toBe(2);
  });

  it("are cancelled while they wait", async () => {
    const controller = new AbortController();
    const run = new RetryPolicy({ initialDelayMs: 60_000 }).run(
      async () => {
        throw failure({ retryAfterMs: 10_000 });
      },
      { signal: controller.signal },
    );
    const outcome = expect(run).rejects.toMatchObject({ name: "AbortError" });
    await new Promise((resolve) => setTimeout(resolve, 10));
    controller.abort();
    await outcome;
  });
});

describe("what providers say about waiting", () => {
  const headers = (values: Record<string, string>) => ({
    header: (name: string) => values[name] ?? null,
  });
  it.each([
    ["12", 12_000],
    ["0", 0],
    ["1.5", 1_500],
    ["Thu, 01 Jan 1970 00:17:40 GMT", 60_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["soon", null],
    ["", null],
  ])("Retry-After: %s is %s ms", (value, ms) => {
    expect(parseRetryAfter(value, 1_000_000)).toBe(ms);
  });
  it.each([
    ["6m0s", 360_000],
    ["20ms", 20],
    ["1h2m3.5s", 3_723_500],
    ["7", null],
  ])("the duration %s is %s ms", (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });
  it("reads the providers' own headers of limits that are used up", () => {
    const openAi = {
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "8.5s",
      "x-ratelimit-remaining-tokens": "100",
      "x-ratelimit-reset-tokens": "6m0s",
    };
    expect(retryAfterMs(headers(openAi), 0)).toBe(8_500);
    const claude = {
      "anthropic-ratelimit-tokens-remaining": "0",
      "anthropic-ratelimit-tokens-reset": "1970-01-01T00:17:10Z",
    };
    expect(retryAfterMs(headers(claude), 1_000_000)).toBe(30_000);
    expect(retryAfterMs(headers({ ...openAi, "retry-after": "2" }), 0)).toBe(2_000);
    expect(retryAfterMs(headers({ "retry-after-ms": "1250", "retry-after": "2" }), 0)).toBe(1_250);
    expect(
      retryAfterMs(headers({ "x-ratelimit-remaining": "5", "x-ratelimit-reset": "9" }), 0),
    ).toBe(undefined);
  });
});

describe("a circuit breaker", () => {
  holdTheClock();
  const fail = async () => {
    throw failure();
  };

  it("opens after failures in a row, says until when and why, and tries again", async () => {
    const breaker = new CircuitBreaker("Ollama (127.0.0.1:11434)", {
      threshold: 3,
      pauseMs: 1_000,
    });
    for (let i = 0; i < 3; i++) await expect(breaker.run(fail)).rejects.toThrow("It failed.");
    expect(breaker.pausedUntil).toBe(1_001_000);
    let called = false;
    const held = breaker.run(async () => void (called = true));
    await expect(held).rejects.toMatchObject({
      code: "model_failed",
      retryable: true,
      retryNow: false,
      message: expect.stringMatching(/Ollama \(127.0.0.1:11434\).*1 s: It failed/) as string,
    });
    expect(() => breaker.refuseWhilePaused()).toThrow(ProviderError);
    expect(called).toBe(false);
    vi.advanceTimersByTime(1_001);
    expect(await breaker.run(async () => "well")).toBe("well");
    expect(breaker.pausedUntil).toBe(null);
  });

  it("pauses twice as long when the trial fails, up to its limit", async () => {
    const breaker = new CircuitBreaker("x", { threshold: 1, pauseMs: 1_000, maxPauseMs: 3_000 });
    const pauses: number[] = [];
    for (let i = 0; i < 4; i++) {
      await expect(breaker.run(fail)).rejects.toThrow();
      pauses.push(breaker.pausedUntil! - Date.now());
      vi.advanceTimersByTime(pauses.at(-1)! + 1);
    }
    expect(pauses).toEqual([1_000, 2_000, 3_000, 3_000]);
  });

  it("doesn't count refusals of requests", async () => {
    const breaker = new CircuitBreaker("x", { threshold: 2 });
    for (let i = 0; i < 5; i++)
      await expect(
        breaker.run(async () => {
          throw new ProviderError("rate_limited", "Wait.", { retryable: true });
        }),
      ).rejects.toThrow("Wait.");
    expect(breaker.pausedUntil).toBe(null);
  });
});

describe("a rate limiter", () => {
  holdTheClock();
  const settled = async (promise: Promise<unknown>): Promise<boolean> => {
    let done = false;
    void promise.then(
      () => (done = true),
      () => (done = true),
    );
    await vi.advanceTimersByTimeAsync(0);
    return done;
  };

  it("lets through what the minute has room for, and the rest in order in the next one", async () => {
    const limiter = new RateLimiter();
    const order: number[] = [];
    const calls = [1, 2, 3, 4, 5].map((n) =>
      limiter.acquire("openai#0", { requestsPerMinute: 2 }, 0).then(() => void order.push(n)),
    );
    await vi.advanceTimersByTimeAsync(100);
    expect(order).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(order).toEqual([1, 2, 3, 4]);
    await vi.advanceTimersByTimeAsync(60_000);
    await Promise.all(calls);
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  it("counts tokens, gives back what wasn't used, and keeps lanes apart", async () => {
    const limiter = new RateLimiter();
    const limits = { tokensPerMinute: 1_000 };
    const first = await limiter.acquire("a", limits, 900);
    const second = limiter.acquire("a", limits, 500);
    expect(await settled(second)).toBe(false);
    expect(await settled(limiter.acquire("b", limits, 900))).toBe(true);
    // What is given back is used at once, not in the next minute.
    await first.settle(100);
    expect(await settled(second)).toBe(true);
    expect(await settled(limiter.acquire("a", limits, 500))).toBe(false);
  });

  it("lets a call be cancelled that waits for tokens to be given back", async () => {
    const limiter = new RateLimiter();
    const limits = { tokensPerMinute: 1_000 };
    const first = await limiter.acquire("a", limits, 900);
    const controller = new AbortController();
    const waiting = limiter.acquire("a", limits, 800, controller.signal);
    const outcome = expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    // Not enough: it goes on waiting.
    await first.settle(850);
    expect(await settled(waiting)).toBe(false);
    controller.abort();
    await outcome;
  });

  it("lets a call through that is larger than the limit, and closes the lane for as long as it uses", async () => {
    const limiter = new RateLimiter();
    const limits = { tokensPerMinute: 100 };
    expect(await settled(limiter.acquire("a", limits, 250))).toBe(true);
    const next = limiter.acquire("a", limits, 10);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(await settled(next)).toBe(false);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(await settled(next)).toBe(true);
  });

  it("takes over what was used when the limit changes", async () => {
    const limiter = new RateLimiter();
    await limiter.acquire("a", { requestsPerMinute: 10 }, 0);
    await limiter.acquire("a", { requestsPerMinute: 10 }, 0);
    expect(await settled(limiter.acquire("a", { requestsPerMinute: 2 }, 0))).toBe(false);
  });

  it("waits as long as a provider asks", async () => {
    const limiter = new RateLimiter();
    limiter.pause("a", 5_000);
    const call = limiter.acquire("a", {}, 0);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(await settled(call)).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(await settled(call)).toBe(true);
  });

  it("lets a waiting call be cancelled without losing its place for others", async () => {
    const limiter = new RateLimiter();
    const limits = { requestsPerMinute: 1 };
    await limiter.acquire("a", limits, 0);
    const controller = new AbortController();
    const cancelled = limiter.acquire("a", limits, 0, controller.signal);
    const third = limiter.acquire("a", limits, 0);
    const outcome = expect(cancelled).rejects.toMatchObject({ name: "AbortError" });
    controller.abort(new Error("a reason of the caller's own"));
    await outcome;
    await vi.advanceTimersByTimeAsync(60_100);
    expect(await settled(third)).toBe(true);
    expect(limiter.waiting("a")).toBe(0);
  });
});

describe("a connection pool", () => {
  holdTheClock();
  it("runs no more than its places at once, per host, in order, and frees places after errors", async () => {
    const pool = new ConnectionPool();
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = (n: number, fails: boolean) => async () => {
      most = Math.max(most, ++running);
      order.push(n);
      await new Promise((resolve) => setTimeout(resolve, 10));
      running--;
      if (fails) throw new Error("no");
    };
    const calls = [0, 1, 2, 3, 4, 5].map((n) =>
      pool.run("host", 2, work(n, n % 2 === 0)).catch(() => undefined),
    );
    expect(pool.load("host")).toEqual({ running: 2, waiting: 4 });
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all(calls);
    expect({ most, order }).toEqual({ most: 2, order: [0, 1, 2, 3, 4, 5] });
    expect(pool.load("host")).toEqual({ running: 0, waiting: 0 });
  });

  it("takes a cancelled call out of the queue", async () => {
    const pool = new ConnectionPool();
    void pool.run("host", 1, () => new Promise(() => undefined));
    const controller = new AbortController();
    let started = false;
    const waiting = pool.run("host", 1, async () => void (started = true), controller.signal);
    controller.abort(new Error("a reason of the caller's own"));
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    expect(started).toBe(false);
  });
});
