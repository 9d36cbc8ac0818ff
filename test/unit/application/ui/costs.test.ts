import { describe, expect, it } from "vitest";
import fc from "fast-check";
import {
  addDays,
  budgetState,
  checkBudget,
  dayAxis,
  failureShare,
  runningCost,
} from "../../../../src/application/ui/lib/costs.ts";
import { formatUsd } from "../../../../src/application/ui/lib/format.ts";
import { stack } from "../../../../src/application/ui/lib/stack.ts";

describe("days of spending", () => {
  it("goes over the ends of months and years", () => {
    expect(addDays("2026-03-01", -1)).toBe("2026-02-28");
    expect(addDays("2027-01-01", -1)).toBe("2026-12-31");
    expect(addDays("no day", 1)).toBe("no day");
  });

  it("fills days without calls with zeros and leaves out older ones", () => {
    const axis = dayAxis(
      {
        day: "2026-11-25",
        days: [
          { day: "2026-11-25", usd: 0.3, calls: 3, byProvider: { openai: 0.1, claude: 0.2 } },
          { day: "2026-11-23", usd: 0.4, calls: 1, byProvider: { openai: 0.4 } },
          { day: "2026-10-01", usd: 9, calls: 90, byProvider: { openai: 9 } },
        ],
      },
      3,
    );
    expect(axis.days).toEqual(["2026-11-23", "2026-11-24", "2026-11-25"]);
    expect(axis.series).toEqual([
      { provider: "openai", values: [0.4, 0, 0.1], totalUsd: 0.5 },
      { provider: "claude", values: [0, 0, 0.2], totalUsd: 0.2 },
    ]);
    expect(axis.calls).toBe(4);
    expect(axis.totalUsd).toBeCloseTo(0.7);
  });

  it("stands the bars of one day on each other", () => {
    expect(
      stack([
        [1, 2],
        [3, 0],
        [0, 5],
      ]),
    ).toEqual([
      [1, 2],
      [4, 2],
      [4, 7],
    ]);
    expect(stack([])).toEqual([]);
  });
});

describe("today's budget", () => {
  it("counts what is reserved as gone", () => {
    const state = budgetState({ dailyBudgetUsd: 1, todayUsd: 0.6, reservedUsd: 0.3 });
    expect(state.leftUsd).toBeCloseTo(0.1);
    expect(state.usedUp).toBe(false);
  });

  it("never draws more than the whole bar", () => {
    const usd = fc.double({ min: 0, max: 10, noNaN: true });
    fc.assert(
      fc.property(usd, usd, usd, (dailyBudgetUsd, todayUsd, reservedUsd) => {
        const state = budgetState({ dailyBudgetUsd, todayUsd, reservedUsd });
        expect(state.spentShare + state.reservedShare).toBeLessThanOrEqual(1 + 1e-9);
        expect(state.leftUsd).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("is used up when nothing may be spent", () => {
    expect(budgetState({ dailyBudgetUsd: 0, todayUsd: 0, reservedUsd: 0 }).usedUp).toBe(true);
  });

  it("takes an amount as people type it, and no other text", () => {
    expect(checkBudget("$2.50")).toEqual({ usd: 2.5 });
    expect(checkBudget("0,75")).toEqual({ usd: 0.75 });
    expect(checkBudget("0")).toEqual({ usd: 0 });
    for (const text of ["", "-1", "a lot", "5000"])
      expect(checkBudget(text)).toHaveProperty("problem");
  });
});

describe("calls", () => {
  const call = { inputTokens: 1, outputTokens: 1, elapsedMs: 1, ok: true };

  it("adds up one model's cost from the oldest call on", () => {
    const calls = [
      { ...call, at: 3, modelId: "a", usd: 0.2 },
      { ...call, at: 2, modelId: "b", usd: 5 },
      { ...call, at: 1, modelId: "a", usd: 0.1 },
    ];
    const course = runningCost(calls, "a");
    expect(course.map((point) => point.at)).toEqual([1, 3]);
    expect(course[1]?.totalUsd).toBeCloseTo(0.3);
  });

  it("has no share of failures before the first call", () => {
    expect(failureShare({ calls: 0, failures: 0 })).toBeNull();
    expect(failureShare({ calls: 4, failures: 1 })).toBe(0.25);
  });

  it("writes small amounts so that they are told apart from nothing", () => {
    expect(formatUsd(0)).toBe("$0");
    expect(formatUsd(0.0031)).toBe("$0.0031");
    expect(formatUsd(0.00001)).toBe("under $0.0001");
    expect(formatUsd(1.5)).toBe("$1.50");
    expect(formatUsd(Number.NaN)).toBe("–");
  });
});
