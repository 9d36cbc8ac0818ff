/** Retention rules between the form, plain words and the engine's policy. Pure. */

import { CONTENT_KINDS, type ContentKind } from "../../../model/memory.ts";
import type { RetentionMove, RetentionPolicy, RetentionRule } from "../../../model/episode.ts";
import type { StrataLayer } from "./strata.ts";
import { formatPlural } from "./format.ts";

export const AGE_UNITS = { days: 1, weeks: 7, months: 30, years: 365 } as const;
export type AgeUnit = keyof typeof AGE_UNITS;

/** One rule as its form holds it. */
export interface RuleForm {
  /** "" matches any age. */
  age: string;
  unit: AgeUnit;
  /** Comma-separated; "" matches any source. */
  source: string;
  /** "" matches any kind. */
  kind: ContentKind | "";
  /** Percent, "" matches any activation. */
  activation: string;
  moveTo: RetentionRule["moveTo"];
}

export const NEW_RULE: Readonly<RuleForm> = {
  age: "1",
  unit: "years",
  source: "",
  kind: "",
  activation: "",
  moveTo: "summary",
};

/** 730 days are told as 2 years, 10 days as 10 days. */
export function splitAge(days: number): { age: string; unit: AgeUnit } {
  const unit =
    (["years", "months", "weeks"] as const).find(
      (one) => days > 0 && days % AGE_UNITS[one] === 0,
    ) ?? "days";
  return { age: String(days / AGE_UNITS[unit]), unit };
}

export function ruleForm(rule: RetentionRule): RuleForm {
  return {
    ...(rule.olderThanDays === undefined
      ? { age: "", unit: "years" as const }
      : splitAge(rule.olderThanDays)),
    source: (rule.sources ?? []).join(", "),
    kind: rule.kinds?.[0] ?? "",
    activation:
      rule.activationBelow === undefined ? "" : String(Math.round(rule.activationBelow * 100)),
    moveTo: rule.moveTo,
  };
}

export interface CheckedRule {
  /** Null while there are problems. */
  rule: RetentionRule | null;
  problems: { age?: string; activation?: string; rule?: string };
}

const MAX_AGE_DAYS = 365 * 200;

export function checkRule(form: RuleForm): CheckedRule {
  const problems: CheckedRule["problems"] = {};
  const rule: RetentionRule = { moveTo: form.moveTo };
  const age = form.age.trim();
  if (age !== "") {
    const days = Math.round(Number(age) * AGE_UNITS[form.unit]);
    if (!Number.isFinite(days) || days < 1 || days > MAX_AGE_DAYS)
      problems.age = "An age of one day to 200 years is needed, or nothing for any age.";
    else rule.olderThanDays = days;
  }
  const sources = form.source
    .split(",")
    .map((source) => source.trim())
    .filter((source) => source !== "");
  if (sources.length > 0) rule.sources = [...new Set(sources)];
  if ((CONTENT_KINDS as readonly string[]).includes(form.kind))
    rule.kinds = [form.kind as ContentKind];
  const activation = form.activation.trim();
  if (activation !== "") {
    const percent = Number(activation);
    if (!Number.isFinite(percent) || percent <= 0 || percent > 100)
      problems.activation = "A percentage above 0 and up to 100 is needed, or nothing for any.";
    else rule.activationBelow = percent / 100;
  }
  if (Object.keys(problems).length === 0 && Object.keys(rule).length === 1)
    problems.rule =
      "This rule would match every memory. Say at least how old, from where, what kind or how present.";
  return { rule: Object.keys(problems).length === 0 ? rule : null, problems };
}

export const MOVE_WORDS: Record<RetentionRule["moveTo"], string> = {
  summary: "keep as a summary",
  gist: "keep only the episode's gist",
};

/** "Older than 1 year, from mail.mbox → keep as a summary". */
export function ruleWords(rule: RetentionRule): string {
  const parts: string[] = [];
  if (rule.olderThanDays !== undefined) {
    const { age, unit } = splitAge(rule.olderThanDays);
    parts.push(`older than ${formatPlural(Number(age), unit.slice(0, -1))}`);
  }
  if (rule.sources) parts.push(`from ${rule.sources.join(" or ")}`);
  if (rule.kinds) parts.push(`of kind ${rule.kinds.join(" or ")}`);
  if (rule.activationBelow !== undefined)
    parts.push(`less present than ${Math.round(rule.activationBelow * 100)} %`);
  const words = parts.length === 0 ? "every memory" : parts.join(", ");
  return `${words[0]?.toUpperCase() ?? ""}${words.slice(1)} → ${MOVE_WORDS[rule.moveTo]}`;
}

/** Whether two policies say the same. */
export function samePolicy(a: RetentionPolicy, b: RetentionPolicy): boolean {
  const rules = (policy: RetentionPolicy): string =>
    JSON.stringify(
      policy.rules.map((rule) => [
        rule.olderThanDays ?? null,
        rule.sources ?? null,
        rule.kinds ?? null,
        rule.activationBelow ?? null,
        rule.moveTo,
      ]),
    );
  return a.enabled === b.enabled && rules(a) === rules(b);
}

/** What the moves change in bytes, as layers. */
export function retentionLayers(beforeBytes: number, afterBytes: number): StrataLayer[] {
  return [
    {
      tone: "summary",
      name: "After",
      bytes: afterBytes,
      how: "Bytes that the same memories would take at their new keep level, as far as it can be known before the store is tidied up.",
    },
    {
      tone: "exact",
      name: "Before",
      bytes: beforeBytes,
      how: "Bytes that the memories to be moved take now.",
    },
  ];
}

/** Moves per rule, in the order of the rules. */
export function movesByRule(moves: readonly RetentionMove[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { rule } of moves) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => a - b));
}
