/** Spending as it is drawn: an even axis of days, a share per provider, what is left of today. Pure. */

import type { ModelProfile, SpendingReport } from "../../../model/language-model.ts";

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;

/** The calendar day before or after by a number of days: "2026-03-01", -1 → "2026-02-28". */
export function addDays(day: string, count: number): string {
  const match = DAY.exec(day);
  if (!match) return day;
  const date = new Date(Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]) + count));
  return date.toISOString().slice(0, 10);
}

export interface DayAxis {
  days: string[];
  /** One value per day and provider, dollars; providers that cost most first. */
  series: { provider: string; values: number[]; totalUsd: number }[];
  totalUsd: number;
  calls: number;
}

/** The last `count` days up to the report's own, days without calls as zeros. */
export function dayAxis(report: Pick<SpendingReport, "day" | "days">, count: number): DayAxis {
  const days = Array.from({ length: count }, (_, index) => addDays(report.day, index + 1 - count));
  const byDay = new Map(report.days.map((entry) => [entry.day, entry]));
  const providers = new Map<string, number[]>();
  let totalUsd = 0;
  let calls = 0;
  days.forEach((day, index) => {
    const entry = byDay.get(day);
    if (!entry) return;
    totalUsd += entry.usd;
    calls += entry.calls;
    for (const [provider, usd] of Object.entries(entry.byProvider)) {
      const values = providers.get(provider) ?? Array.from({ length: count }, () => 0);
      values[index] = usd;
      providers.set(provider, values);
    }
  });
  const series = [...providers]
    .map(([provider, values]) => ({
      provider,
      values,
      totalUsd: values.reduce((sum, value) => sum + value, 0),
    }))
    .sort((a, b) => b.totalUsd - a.totalUsd || a.provider.localeCompare(b.provider));
  return { days, series, totalUsd, calls };
}

export interface BudgetState {
  spentUsd: number;
  reservedUsd: number;
  leftUsd: number;
  /** 0–1 of the budget; a budget of 0 is used up. */
  spentShare: number;
  reservedShare: number;
  usedUp: boolean;
}

export function budgetState(
  report: Pick<SpendingReport, "dailyBudgetUsd" | "todayUsd" | "reservedUsd">,
): BudgetState {
  const { dailyBudgetUsd: budget, todayUsd, reservedUsd } = report;
  const leftUsd = Math.max(0, budget - todayUsd - reservedUsd);
  const share = (usd: number): number => (budget > 0 ? Math.min(1, usd / budget) : 0);
  return {
    spentUsd: todayUsd,
    reservedUsd,
    leftUsd,
    spentShare: share(todayUsd),
    reservedShare: Math.min(1 - share(todayUsd), share(reservedUsd)),
    usedUp: leftUsd <= 0,
  };
}

/** Why a text is no daily budget, or the budget in dollars. */
export function checkBudget(value: string): { usd: number } | { problem: string } {
  const text = value.trim().replace(/^\$/, "").replace(",", ".");
  const usd = text === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(usd) || usd < 0)
    return { problem: "An amount in US dollars is needed, 0 or more." };
  if (usd > 1_000)
    return { problem: "More than $1,000 a day is refused, as a slip of the finger." };
  return { usd: Math.round(usd * 100) / 100 };
}

/** Cost per call of one model over time, oldest first, running total in dollars. */
export function runningCost(
  calls: SpendingReport["calls"],
  modelId: string,
): { at: number; totalUsd: number }[] {
  let totalUsd = 0;
  return calls
    .filter((call) => call.modelId === modelId)
    .sort((a, b) => a.at - b.at)
    .map((call) => ({ at: call.at, totalUsd: (totalUsd += call.usd) }));
}

/** Share of calls that failed; null before the first call. */
export function failureShare(profile: Pick<ModelProfile, "calls" | "failures">): number | null {
  return profile.calls === 0 ? null : profile.failures / profile.calls;
}
