/** How long a provider asks to wait, from the headers that providers use for it. */

interface Headers {
  header(name: string): string | null;
}

/** "1s", "6m0s", "20ms", "1h2m3.5s" → ms; null when it is no such duration. */
export function parseDuration(value: string): number | null {
  const trimmed = value.trim();
  if (!/^(?:\d+(?:\.\d+)?(?:ms|h|m|s))+$/.test(trimmed)) return null;
  const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g))
    total += Number(amount) * units[unit as keyof typeof units];
  return total;
}

/** Seconds or an HTTP date, as `Retry-After` allows → ms from now, never negative; null for anything else. */
export function parseRetryAfter(value: string, nowMs: number): number | null {
  const trimmed = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Math.ceil(Number(trimmed) * 1000);
  const date = Date.parse(trimmed);
  return Number.isNaN(date) || !/[a-z]|\d-\d/i.test(trimmed) ? null : Math.max(0, date - nowMs);
}

/** Groups of [what remains, when it is full again]: only a limit that is used up says how long to wait. */
const RESETS: [remaining: string, reset: string][] = [
  ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
  ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
  ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"],
  ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
  ["anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"],
  ["anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"],
  ["x-ratelimit-remaining", "x-ratelimit-reset"],
];

/**
 * `retry-after-ms`, then `Retry-After`, then the reset of the limits that are used up (the longest).
 * Undefined when the provider says nothing that can be read.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const exact = headers.header("retry-after-ms");
  if (exact !== null && /^\d+(?:\.\d+)?$/.test(exact.trim())) return Math.ceil(Number(exact));
  const after = headers.header("retry-after");
  if (after !== null) {
    const parsed = parseRetryAfter(after, nowMs);
    if (parsed !== null) return parsed;
  }
  const waits = RESETS.flatMap(([remaining, reset]) => {
    const left = headers.header(remaining);
    const value = headers.header(reset);
    if (left === null || value === null || Number(left) > 0) return [];
    const wait = parseDuration(value) ?? resetTime(value, nowMs);
    return wait === null ? [] : [wait];
  });
  return waits.length > 0 ? Math.ceil(Math.max(...waits)) : undefined;
}

/** A date, seconds from now, or seconds or ms since epoch: imitators use all of them. */
function resetTime(value: string, nowMs: number): number | null {
  const trimmed = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    if (number > 1e12) return Math.max(0, number - nowMs);
    if (number > 1e9) return Math.max(0, number * 1000 - nowMs);
  }
  return parseRetryAfter(trimmed, nowMs);
}
