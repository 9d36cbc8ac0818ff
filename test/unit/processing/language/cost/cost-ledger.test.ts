import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SettingsStore } from "../../../../../src/engine/settings-store.ts";
import { FaultyFileStore } from "../../../../../src/platform/memory/faulty-file-store.ts";
import {
  MemoryFileStore,
  MemoryVolume,
} from "../../../../../src/platform/memory/memory-file-store.ts";
import {
  CostLedger,
  type Reservation,
} from "../../../../../src/processing/language/cost/cost-ledger.ts";
import { localDay } from "../../../../../src/processing/language/cost/local-day.ts";
import { HeldClock } from "../held-clock.ts";

const CALL = { modelId: "openai:gpt-5-mini", provider: "openai" } as const;
const ANSWER = { inputTokens: 100, outputTokens: 20, elapsedMs: 900, ok: true };
const HOUR_MS = 3_600_000;

/** A store, its ledger and its clock; `crash` ends the process without a word. */
class Bench {
  readonly clock = new HeldClock();
  budgetUsd: number;
  volume = new MemoryVolume();
  files!: MemoryFileStore;
  ledger!: CostLedger;

  constructor(budgetUsd: number) {
    this.budgetUsd = budgetUsd;
  }

  async open(): Promise<this> {
    this.files = new MemoryFileStore(this.volume);
    this.ledger = await CostLedger.open(
      new SettingsStore(this.files),
      this.clock,
      () => this.budgetUsd,
    );
    return this;
  }

  async crash(): Promise<void> {
    this.volume = this.volume.clone();
    await this.open();
  }
}

describe("the daily budget", () => {
  it("admits calls until their worst cases reach it, and no further", async () => {
    const { ledger } = await new Bench(1).open();
    await ledger.reserve({ ...CALL, worstUsd: 0.6 });
    await expect(ledger.reserve({ ...CALL, worstUsd: 0.5 })).rejects.toMatchObject({
      code: "budget_exceeded",
      message: expect.stringContaining("$0.40"),
    });
    await ledger.reserve({ ...CALL, worstUsd: 0.4 });
    expect(ledger.remainingUsd()).toBe(0);
  });

  it("gives back what a call didn't use", async () => {
    const { ledger } = await new Bench(1).open();
    const reservation = await ledger.reserve({ ...CALL, worstUsd: 0.9 });
    expect(ledger.report()).toMatchObject({ reservedUsd: 0.9, todayUsd: 0 });
    ledger.settle(reservation, { ...ANSWER, usd: 0.05 });
    expect(ledger.report()).toMatchObject({ reservedUsd: 0, todayUsd: 0.05 });
    expect(ledger.remainingUsd()).toBeCloseTo(0.95, 9);
  });

  it("isn't broken by calls that ask at the same moment", async () => {
    const { ledger } = await new Bench(1).open();
    const asked = await Promise.allSettled(
      Array.from({ length: 50 }, () => ledger.reserve({ ...CALL, worstUsd: 0.07 })),
    );
    expect(asked.filter(({ status }) => status === "fulfilled")).toHaveLength(14);
  });

  it("adds up cents without losing or inventing a part of one", async () => {
    const { ledger } = await new Bench(0.3).open();
    for (let i = 0; i < 3; i++) await ledger.reserve({ ...CALL, worstUsd: 0.1 });
    expect(ledger.remainingUsd()).toBe(0);
    await expect(ledger.reserve({ ...CALL, worstUsd: 1e-9 })).rejects.toMatchObject({
      code: "budget_exceeded",
    });
  });

  it("of nothing admits what costs nothing", async () => {
    const { ledger } = await new Bench(0).open();
    const free = await ledger.reserve({
      modelId: "ollama:llama3.2:1b",
      provider: "ollama",
      worstUsd: 0,
    });
    ledger.settle(free, { ...ANSWER, usd: 0 });
    expect(ledger.report().calls).toHaveLength(1);
    await expect(ledger.reserve({ ...CALL, worstUsd: 0.000001 })).rejects.toMatchObject({
      code: "budget_exceeded",
    });
  });

  it.each([NaN, Infinity, -1])("never admits a call of %s dollars", async (worstUsd) => {
    const { ledger } = await new Bench(1).open();
    await expect(ledger.reserve({ ...CALL, worstUsd })).rejects.toMatchObject({
      code: "budget_exceeded",
    });
  });

  it("is renewed at midnight where the owner lives", async () => {
    const bench = await new Bench(1).open();
    await bench.ledger.reserve({ ...CALL, worstUsd: 1 });
    bench.clock.advance(11 * HOUR_MS);
    expect(bench.ledger.remainingUsd()).toBe(0);
    bench.clock.advance(2 * HOUR_MS);
    expect(bench.ledger.remainingUsd()).toBe(1);
  });

  it("counts a call on the day on which it was admitted", async () => {
    const bench = await new Bench(1).open();
    const first = localDay(bench.clock.ms);
    const reservation = await bench.ledger.reserve({ ...CALL, worstUsd: 0.5 });
    bench.clock.advance(24 * HOUR_MS);
    bench.ledger.settle(reservation, { ...ANSWER, usd: 0.2 });
    const { days, todayUsd } = bench.ledger.report();
    expect(todayUsd).toBe(0);
    expect(days).toEqual([{ day: first, usd: 0.2, calls: 1, byProvider: { openai: 0.2 } }]);
  });
});

describe("a kill between asking and answering", () => {
  it("leaves the reservation counted in full", async () => {
    const bench = await new Bench(1).open();
    await bench.ledger.reserve({ ...CALL, worstUsd: 0.7 });
    await bench.crash();
    expect(bench.ledger.report()).toMatchObject({ todayUsd: 0.7, reservedUsd: 0 });
    await expect(bench.ledger.reserve({ ...CALL, worstUsd: 0.4 })).rejects.toMatchObject({
      code: "budget_exceeded",
    });
    expect(bench.ledger.report().calls[0]).toMatchObject({ usd: 0.7, ok: false });
  });

  it("a settled call is counted once", async () => {
    const bench = await new Bench(1).open();
    const reservation = await bench.ledger.reserve({ ...CALL, worstUsd: 0.7 });
    bench.ledger.settle(reservation, { ...ANSWER, usd: 0.1 });
    await bench.ledger.close();
    await bench.crash();
    expect(bench.ledger.report()).toMatchObject({ todayUsd: 0.1, reservedUsd: 0 });
  });
});

describe("a store that fails", () => {
  it("admits no call that it can't write down", async () => {
    const files = new FaultyFileStore(new MemoryFileStore(), { atCall: 1, kind: "error" });
    const ledger = await CostLedger.open(new SettingsStore(files), new HeldClock(), () => 1);
    await expect(ledger.reserve({ ...CALL, worstUsd: 0.7 })).rejects.toMatchObject({
      code: "storage_full",
    });
    expect(ledger.remainingUsd()).toBe(1);
    await ledger.reserve({ ...CALL, worstUsd: 0.7 });
  });
});

type Step =
  | { kind: "reserve"; worst: number; real: number }
  | { kind: "settle"; which: number }
  | { kind: "crash" }
  | { kind: "wait"; hours: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      )
      .map(([worst, share]) => ({ kind: "reserve", worst, real: worst * share }) as const),
  },
  { weight: 4, arbitrary: fc.nat(20).map((which) => ({ kind: "settle", which }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "crash" } as const) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 30 }).map((hours) => ({ kind: "wait", hours }) as const),
  },
);

describe("any order of reserving, settling, killing and days", () => {
  it("never lets the real cost of a day pass its budget, nor the ledger count less than it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.array(step, { maxLength: 60 }),
        async (budgetUsd, steps) => {
          const bench = await new Bench(budgetUsd).open();
          const real = new Map<string, number>();
          let open: { reservation: Reservation; real: number }[] = [];
          for (const action of steps) {
            if (action.kind === "wait") bench.clock.advance(action.hours * HOUR_MS);
            else if (action.kind === "crash") {
              // What was under way may have been billed; the process that knew is gone.
              open = [];
              await bench.crash();
            } else if (action.kind === "settle") {
              const [call] = open.splice(action.which % Math.max(1, open.length), 1);
              if (call) bench.ledger.settle(call.reservation, { ...ANSWER, usd: call.real });
            } else {
              const reservation = await bench.ledger
                .reserve({ ...CALL, worstUsd: action.worst })
                .catch(() => null);
              if (!reservation) continue;
              // From here on the provider bills it, whatever becomes of us.
              real.set(reservation.day, (real.get(reservation.day) ?? 0) + action.real);
              open.push({ reservation, real: action.real });
            }
          }
          for (const call of open)
            bench.ledger.settle(call.reservation, { ...ANSWER, usd: call.real });
          await bench.ledger.close();
          await bench.crash();
          const counted = new Map(bench.ledger.report().days.map(({ day, usd }) => [day, usd]));
          for (const [day, usd] of real) {
            expect(usd).toBeLessThanOrEqual(budgetUsd + 1e-12);
            expect(counted.get(day) ?? 0).toBeGreaterThanOrEqual(usd - 1e-12);
          }
          for (const usd of counted.values()) expect(usd).toBeLessThanOrEqual(budgetUsd + 1e-6);
        },
      ),
      { numRuns: 150 },
    );
  });
});
