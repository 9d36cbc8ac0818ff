/**
 * Which providers are held back: after failures in a row that are the provider's fault, none of its
 * models is asked for a while, twice as long each time. The first call after that decides. A source
 * may hold calls back by itself (the breaker of a host): the longer of both pauses is the one that counts.
 */

import { AppError, type ErrorCode } from "../../../errors.ts";
import type { LanguageProvider } from "../../../model/language-model.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { LanguageModelSource } from "../../../ports/language-model.ts";

const FAILURES_IN_A_ROW = 3;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 15 * 60_000;

/** Failures that say something of the provider, not of the request. */
const PROVIDERS_FAULT: ReadonlySet<ErrorCode> = new Set([
  "network",
  "model_failed",
  "rate_limited",
  "unauthorized",
  "worker_lost",
]);

interface Health {
  inARow: number;
  pauses: number;
  pausedUntil: number;
  error: string;
}

export class ProviderHealth {
  readonly #clock: Clock;
  readonly #sources: readonly Pick<LanguageModelSource, "provider" | "pausedUntil">[];
  readonly #health = new Map<LanguageProvider, Health>();

  /** `sources`: asked for the pauses of their own. */
  constructor(
    clock: Clock,
    sources: readonly Pick<LanguageModelSource, "provider" | "pausedUntil">[] = [],
  ) {
    this.#clock = clock;
    this.#sources = sources;
  }

  succeeded(provider: LanguageProvider): void {
    this.#health.delete(provider);
  }

  failed(provider: LanguageProvider, error: unknown): void {
    if (!(error instanceof AppError) || !PROVIDERS_FAULT.has(error.code)) return;
    const health = this.#health.get(provider) ?? {
      inARow: 0,
      pauses: 0,
      pausedUntil: 0,
      error: "",
    };
    health.error = error.message;
    health.inARow++;
    // A refused key stays refused: it isn't asked three times.
    if (health.inARow >= FAILURES_IN_A_ROW || error.code === "unauthorized") {
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** health.pauses);
      health.pausedUntil = this.#clock.now() + pause;
      health.pauses++;
      health.inARow = FAILURES_IN_A_ROW - 1;
    }
    this.#health.set(provider, health);
  }

  /** Another key or address: what was, says nothing of it. */
  reset(provider: LanguageProvider): void {
    this.#health.delete(provider);
  }

  /** Providers that are held back now, and until when (ms since epoch). */
  pausedUntil(): Map<LanguageProvider, number> {
    const now = this.#clock.now();
    const paused = new Map<LanguageProvider, number>();
    const note = (provider: LanguageProvider, until: number | null | undefined) => {
      if (until && until > Math.max(now, paused.get(provider) ?? 0)) paused.set(provider, until);
    };
    for (const [provider, { pausedUntil }] of this.#health) note(provider, pausedUntil);
    for (const source of this.#sources) note(source.provider, source.pausedUntil?.());
    return paused;
  }

  lastError(provider: LanguageProvider): string | undefined {
    return this.#health.get(provider)?.error;
  }
}
