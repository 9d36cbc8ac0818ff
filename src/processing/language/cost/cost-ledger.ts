/**
 * The owner's money: reserves the worst case of a call before it leaves, settles it with what it
 * really cost, and lets nothing through that could break the daily budget.
 *
 * A reservation is durable before its call may start. A kill in between leaves it counted in full:
 * nobody knows what the provider billed. So for every day, what was really spent is at most what the
 * ledger counts, which is at most the budget, as long as a call costs no more than its worst case.
 */

import { z } from "zod";
import { AppError, toError } from "../../../errors.ts";
import {
  LANGUAGE_PROVIDERS,
  type LanguageProvider,
  type SpendingReport,
} from "../../../model/language-model.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { RecordStore } from "../../../ports/record-store.ts";
import { DelayedWriter } from "../delayed-writer.ts";
import { localDay } from "./local-day.ts";
import { toNano, toUsd } from "./money.ts";

const SPENDING = "spending";
const CALLS = "language-calls";
const KEPT_DAYS = 400;
const KEPT_CALLS = 200;

const nano = z.number().nonnegative();
const spendingSchema = z.object({
  version: z.literal(1),
  days: z.array(
    z.object({
      day: z.string(),
      nano,
      calls: z.int().nonnegative(),
      byProvider: z.partialRecord(z.enum(LANGUAGE_PROVIDERS), nano),
    }),
  ),
  open: z.array(
    z.object({
      id: z.int(),
      day: z.string(),
      nano,
      modelId: z.string(),
      provider: z.enum(LANGUAGE_PROVIDERS),
      at: z.number(),
    }),
  ),
});
type Spending = z.output<typeof spendingSchema>;
type Day = Spending["days"][number];
type Open = Spending["open"][number];

const callsSchema = z.array(
  z.object({
    at: z.number(),
    modelId: z.string(),
    usd: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
    elapsedMs: z.number(),
    ok: z.boolean(),
  }),
);
export type RecordedCall = SpendingReport["calls"][number];

/** A call that may start; hand it back to `settle`. */
export type Reservation = Readonly<Open>;

export class CostLedger {
  readonly #store: RecordStore;
  readonly #clock: Clock;
  readonly #budgetUsd: () => number;
  readonly #days: Map<string, Day>;
  readonly #open = new Map<number, Open>();
  readonly #calls: RecordedCall[];
  readonly #callsWriter: DelayedWriter;
  #nextId: number;
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  private constructor(
    store: RecordStore,
    clock: Clock,
    budgetUsd: () => number,
    spending: Spending,
    calls: RecordedCall[],
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#budgetUsd = budgetUsd;
    this.#days = new Map(spending.days.map((day) => [day.day, day]));
    this.#calls = calls;
    this.#callsWriter = new DelayedWriter(() => store.write(CALLS, this.#calls));
    this.#nextId = Math.max(0, ...spending.open.map(({ id }) => id)) + 1;
    // Calls that a kill cut off: what they cost nobody can say, so they count in full.
    for (const left of spending.open) {
      this.#charge(left, left.nano);
      this.#record({
        at: left.at,
        modelId: left.modelId,
        usd: toUsd(left.nano),
        inputTokens: 0,
        outputTokens: 0,
        elapsedMs: 0,
        ok: false,
      });
    }
  }

  /** `budgetUsd` is asked at every call, so that a change holds at once. */
  static async open(
    store: RecordStore,
    clock: Clock,
    budgetUsd: () => number,
  ): Promise<CostLedger> {
    const empty: Spending = { version: 1, days: [], open: [] };
    const spending = await store.read<Spending>(SPENDING, spendingSchema, empty);
    const calls = await store.read<RecordedCall[]>(CALLS, callsSchema, []);
    const ledger = new CostLedger(store, clock, budgetUsd, spending, calls);
    if (spending.open.length > 0) await ledger.#persist();
    return ledger;
  }

  /** What could still be reserved today. */
  remainingUsd(): number {
    const budget = this.#budgetUsd();
    if (!(budget > 0)) return 0;
    return Math.max(0, toUsd(budgetNano(budget) - this.#committed(this.#today())));
  }

  /**
   * Admits a call that costs at most `worstUsd`; durable when resolved. `budget_exceeded` when the
   * day's budget could break; the store's error when the reservation can't be written.
   */
  async reserve(call: {
    modelId: string;
    provider: LanguageProvider;
    worstUsd: number;
  }): Promise<Reservation> {
    const worst = toNano(call.worstUsd);
    const day = this.#today();
    const open: Open = {
      id: this.#nextId++,
      day,
      nano: worst,
      modelId: call.modelId,
      provider: call.provider,
      at: this.#clock.now(),
    };
    if (worst === 0) return open;
    const budget = this.#budgetUsd();
    if (this.#committed(day) + worst > budgetNano(budget)) throw this.#exceeded(call, budget);
    this.#open.set(open.id, open);
    try {
      await this.#persist();
    } catch (error) {
      this.#open.delete(open.id);
      throw toError(error);
    }
    return open;
  }

  /** Replaces a reservation by what the call cost. Until that is on disk, the reservation counts there. */
  settle(reservation: Reservation, call: Omit<RecordedCall, "at" | "modelId">): void {
    const cost = toNano(call.usd);
    this.#open.delete(reservation.id);
    this.#charge(reservation, cost);
    this.#record({ ...call, at: reservation.at, modelId: reservation.modelId });
    // A failure leaves the reservation on disk: too much is counted, never too little.
    this.#persist().catch(() => undefined);
  }

  report(): Omit<SpendingReport, "prices"> {
    const day = this.#today();
    const reserved = this.#reserved(day);
    return {
      dailyBudgetUsd: this.#budgetUsd(),
      todayUsd: toUsd(this.#days.get(day)?.nano ?? 0),
      reservedUsd: toUsd(reserved),
      day,
      days: [...this.#days.values()]
        .sort((a, b) => (a.day < b.day ? 1 : -1))
        .map(({ day, nano, calls, byProvider }) => ({
          day,
          usd: toUsd(nano),
          calls,
          byProvider: Object.fromEntries(
            Object.entries(byProvider).map(([provider, value]) => [provider, toUsd(value)]),
          ),
        })),
      calls: this.#calls.slice(),
    };
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#next ?? this.#writing, this.#callsWriter.flush()]);
  }

  #today(): string {
    return localDay(this.#clock.now());
  }

  #reserved(day: string): number {
    let sum = 0;
    for (const open of this.#open.values()) if (open.day === day) sum += open.nano;
    return sum;
  }

  #committed(day: string): number {
    return (this.#days.get(day)?.nano ?? 0) + this.#reserved(day);
  }

  /** Counted on the day on which the call was admitted. */
  #charge({ day, provider }: Open, cost: number): void {
    const entry = this.#days.get(day) ?? { day, nano: 0, calls: 0, byProvider: {} };
    entry.nano += cost;
    entry.calls++;
    entry.byProvider[provider] = (entry.byProvider[provider] ?? 0) + cost;
    this.#days.set(day, entry);
    const days = [...this.#days.keys()].sort();
    for (const old of days.slice(0, Math.max(0, days.length - KEPT_DAYS))) this.#days.delete(old);
  }

  #record(call: RecordedCall): void {
    this.#calls.unshift(call);
    this.#calls.length = Math.min(this.#calls.length, KEPT_CALLS);
    this.#callsWriter.touch();
  }

  /** A write under way may not hold the newest change: resolves with one that began after it. */
  #persist(): Promise<void> {
    if (this.#next) return this.#next;
    const write = async (): Promise<void> => {
      this.#next = null;
      const spending: Spending = {
        version: 1,
        days: [...this.#days.values()],
        open: [...this.#open.values()],
      };
      await this.#store.write(SPENDING, spending);
    };
    this.#next = this.#writing.then(write, write);
    this.#writing = this.#next;
    return this.#next;
  }

  #exceeded(call: { modelId: string; worstUsd: number }, budgetUsd: number): AppError {
    const left = this.remainingUsd();
    return new AppError(
      "budget_exceeded",
      `${call.modelId} could cost up to ${dollars(call.worstUsd)}, and ${dollars(left)} of today's budget of ${dollars(budgetUsd)} is left.`,
      {
        hint: "It is renewed at midnight; `llm-compress budget --daily USD` or Costs in the app raises it. Local models cost nothing.",
        retryable: true,
      },
    );
  }
}

/** Rounded down: what isn't there can't be spent. */
function budgetNano(usd: number): number {
  return Number.isFinite(usd) && usd > 0 ? Math.floor(Number((usd * 1e9).toPrecision(15))) : 0;
}

function dollars(usd: number): string {
  return `$${usd === 0 ? "0" : usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(2)}`;
}
