import { describe, expect, it } from "vitest";
import fc from "fast-check";
import {
  checkRule,
  movesByRule,
  NEW_RULE,
  ruleForm,
  ruleWords,
  samePolicy,
  splitAge,
} from "../../../../src/application/ui/lib/retention-words.ts";
import { episodeSpan } from "../../../../src/application/ui/lib/episode-words.ts";
import type { RetentionRule } from "../../../../src/model/episode.ts";
import { CONTENT_KINDS } from "../../../../src/model/memory.ts";

describe("a retention rule", () => {
  it("is told in plain words", () => {
    expect(ruleWords({ olderThanDays: 365, moveTo: "summary" })).toBe(
      "Older than 1 year → keep as a summary",
    );
    expect(
      ruleWords({
        olderThanDays: 10,
        sources: ["a.mbox", "b.mbox"],
        kinds: ["mail"],
        activationBelow: 0.2,
        moveTo: "gist",
      }),
    ).toBe(
      "Older than 10 days, from a.mbox or b.mbox, of kind mail, less present than 20 % → keep only the episode's gist",
    );
  });

  it("names ages by the largest whole unit", () => {
    expect(splitAge(730)).toEqual({ age: "2", unit: "years" });
    expect(splitAge(60)).toEqual({ age: "2", unit: "months" });
    expect(splitAge(14)).toEqual({ age: "2", unit: "weeks" });
    expect(splitAge(10)).toEqual({ age: "10", unit: "days" });
  });

  const rule = fc
    .record({
      olderThanDays: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
      sources: fc.option(
        fc.uniqueArray(fc.stringMatching(/^[a-z0-9./]{1,12}$/), { minLength: 1, maxLength: 3 }),
        { nil: undefined },
      ),
      kind: fc.option(fc.constantFrom(...CONTENT_KINDS), { nil: undefined }),
      percent: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
      moveTo: fc.constantFrom("summary" as const, "gist" as const),
    })
    .filter(({ olderThanDays, sources, kind, percent }) =>
      [olderThanDays, sources, kind, percent].some((part) => part !== undefined),
    )
    .map(({ olderThanDays, sources, kind, percent, moveTo }): RetentionRule => ({
      ...(olderThanDays === undefined ? {} : { olderThanDays }),
      ...(sources === undefined ? {} : { sources }),
      ...(kind === undefined ? {} : { kinds: [kind] }),
      ...(percent === undefined ? {} : { activationBelow: percent / 100 }),
      moveTo,
    }));

  it("comes back from its form as it went in", () => {
    fc.assert(
      fc.property(rule, (given) => {
        expect(checkRule(ruleForm(given))).toEqual({ rule: given, problems: {} });
      }),
    );
  });

  it("is refused when it would match everything", () => {
    const { rule: made, problems } = checkRule({ ...NEW_RULE, age: "" });
    expect(made).toBeNull();
    expect(problems.rule).toContain("every memory");
  });

  it("is refused with an age or presence that can't be", () => {
    expect(checkRule({ ...NEW_RULE, age: "soon" }).problems.age).toBeDefined();
    expect(checkRule({ ...NEW_RULE, age: "-1" }).problems.age).toBeDefined();
    expect(checkRule({ ...NEW_RULE, activation: "101" }).problems.activation).toBeDefined();
  });
});

describe("policies and previews", () => {
  const yearly: RetentionRule = { olderThanDays: 365, moveTo: "summary" };

  it("are the same when they say the same, in the same order", () => {
    const gist: RetentionRule = { kinds: ["log"], moveTo: "gist" };
    const a = { enabled: true, rules: [yearly, gist] };
    expect(samePolicy(a, { enabled: true, rules: [{ ...yearly }, { ...gist }] })).toBe(true);
    expect(samePolicy(a, { enabled: true, rules: [gist, yearly] })).toBe(false);
    expect(samePolicy(a, { ...a, enabled: false })).toBe(false);
  });

  it("counts moves per rule", () => {
    const move = { id: "m", title: "t", beforeBytes: 2, afterBytes: 1 };
    const counts = movesByRule([
      { ...move, from: "exact", to: "summary", rule: 1 },
      { ...move, from: "exact", to: "summary", rule: 0 },
      { ...move, from: "summary", to: "gist", rule: 1 },
    ]);
    expect([...counts]).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });

  it("dates an episode of one day by that day alone", () => {
    const noon = Date.UTC(2024, 4, 12, 12);
    expect(episodeSpan({ startsAt: noon, endsAt: noon + 60_000 })).not.toContain("–");
    expect(episodeSpan({ startsAt: noon, endsAt: noon + 9e8 })).toContain("–");
  });
});
