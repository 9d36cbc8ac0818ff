import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RouteRequest } from "../../../../../src/model/language-model.ts";
import type { ModelEstimate } from "../../../../../src/processing/language/selection/model-estimate.ts";
import {
  ModelRouter,
  RETRY_EVERY,
} from "../../../../../src/processing/language/selection/model-router.ts";
import { MINI, modelInfo, OPUS, QWEN, SMOL, snapshotOf } from "./models.ts";

const router = new ModelRouter();
const REQUEST: RouteRequest = {
  kind: "mail",
  mode: "balanced",
  inputTokens: 600,
  outputTokens: 200,
};
const REMOTE = { settings: { allowRemote: true } };
const NONE: ReadonlyMap<string, ModelEstimate> = new Map();

function past(passed: number, count: number, change: Partial<ModelEstimate> = {}): ModelEstimate {
  return {
    msPerWork: null,
    calls: count,
    failures: 0,
    verdicts: { count, passed },
    verdictCount: count,
    byKind: {},
    lastTriedAt: 1,
    ...change,
  };
}

function route(
  models: Parameters<typeof snapshotOf>[0],
  request: Partial<RouteRequest> = {},
  change: Parameters<typeof snapshotOf>[1] = {},
  estimates = NONE,
) {
  return router.route({ ...REQUEST, ...request }, snapshotOf(models, change), estimates);
}

function reasonOf(decision: ReturnType<typeof route>, id: string): string {
  return decision.considered.find(({ modelId }) => modelId === id)!.reason;
}

describe("privacy", () => {
  it("keeps the text on the device until its owner says otherwise", () => {
    const decision = route([MINI, QWEN]);
    expect(decision.modelId).toBe(QWEN.id);
    expect(reasonOf(decision, MINI.id)).toMatch(/would leave this device/);
    expect(decision.fallbacks).not.toContain(MINI.id);
  });

  it("holds against a model that is asked for by name", () => {
    const decision = route([MINI, QWEN], { model: MINI.id });
    expect(decision.modelId).toBeNull();
    expect(decision.reason).toMatch(/would leave this device/);
  });

  it("never lets a remote model take part while it isn't allowed, whatever else is asked", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("fast", "balanced", "high"),
        fc.nat(100_000),
        fc.nat(2_000),
        fc.option(fc.constantFrom(MINI.id, OPUS.id, SMOL.id, "auto"), { nil: undefined }),
        fc.nat(100),
        (mode, inputTokens, outputTokens, model, turn) => {
          const decision = route(
            [MINI, OPUS, SMOL, QWEN],
            { mode, inputTokens, outputTokens, ...(model === undefined ? {} : { model }) },
            { turn },
            new Map([[MINI.id, past(0, 20)]]),
          );
          for (const id of [decision.modelId, ...decision.fallbacks])
            expect([SMOL.id, QWEN.id, null]).toContain(id);
        },
      ),
    );
  });
});

describe("modes and tiers", () => {
  it("mode fast asks nobody", () => {
    expect(route([QWEN], { mode: "fast" })).toMatchObject({
      modelId: null,
      reason: expect.stringContaining("Mode fast"),
    });
  });

  it("mode fast asks the model that is named", () => {
    expect(route([QWEN, SMOL], { mode: "fast", model: QWEN.id }).modelId).toBe(QWEN.id);
  });

  it("a model of tier high waits for mode high", () => {
    expect(reasonOf(route([OPUS], {}, REMOTE), OPUS.id)).toBe("It takes part from mode high on.");
    expect(route([OPUS, MINI], { mode: "high" }, REMOTE).modelId).toBe(OPUS.id);
  });

  it("a small model isn't trusted with code", () => {
    expect(route([SMOL], { kind: "prose" }).modelId).toBe(SMOL.id);
    expect(route([SMOL], { kind: "code" }).modelId).toBeNull();
  });

  it("the settings can turn all off, or ask for none", () => {
    expect(route([QWEN], {}, { settings: { enabled: false } }).reason).toMatch(/turned off/);
    expect(route([QWEN], {}, { settings: { model: "extractive" } }).modelId).toBeNull();
    expect(route([QWEN, SMOL], {}, { settings: { model: SMOL.id } }).modelId).toBe(SMOL.id);
  });
});

describe("what is there", () => {
  it.each([
    [{ state: "missing" }, /not installed/],
    [{ state: "partial" }, /part of it/],
    [{ state: "unavailable", reason: "No WebGPU here." }, /No WebGPU/],
    [{ state: "needs_key" }, /No key/],
  ] as const)("says of a model in state %o why not", (change, reason) => {
    const decision = route([modelInfo({ id: "openai:x", ...change }), QWEN], {}, REMOTE);
    expect(decision.modelId).toBe(QWEN.id);
    expect(reasonOf(decision, "openai:x")).toMatch(reason);
  });

  it("tries one that failed to load again when it is asked for by name", () => {
    const failed = modelInfo({
      id: "webllm:own",
      state: "failed",
      reason: "It ran out of memory.",
    });
    expect(reasonOf(route([failed, QWEN]), failed.id)).toMatch(/ran out of memory/);
    expect(route([failed, QWEN], { model: failed.id }).modelId).toBe(failed.id);
    expect(route([failed], {}, { settings: { model: failed.id } }).modelId).toBe(failed.id);
    const gone = { ...failed, state: "unavailable" as const };
    expect(route([gone], { model: gone.id }).modelId).toBeNull();
  });

  it("goes around a provider that is held back or turned off", () => {
    const now = Date.UTC(2026, 10, 25);
    const paused = new Map([["openai", now + 30_000]] as const);
    expect(reasonOf(route([MINI], {}, { ...REMOTE, now, pausedUntil: paused }), MINI.id)).toMatch(
      /Held back for 30 s/,
    );
    expect(route([MINI], {}, { ...REMOTE, now: now + 30_001, pausedUntil: paused }).modelId).toBe(
      MINI.id,
    );
    expect(reasonOf(route([QWEN], {}, { disabled: new Set(["ollama"]) }), QWEN.id)).toMatch(
      /Turned off: Ollama/,
    );
  });

  it("explains an empty list and a name that nobody knows", () => {
    expect(route([]).reason).toMatch(/no language model here/);
    expect(route([QWEN], { model: "ollama:gone" }).reason).toBe(
      'There is no model "ollama:gone" here.',
    );
  });
});

describe("money and time", () => {
  it("admits no remote model without a price", () => {
    const unknown = modelInfo({ id: "openai-compatible:house", price: null });
    expect(reasonOf(route([unknown], {}, REMOTE), unknown.id)).toMatch(/price isn't known/);
  });

  it("steps down to local, then to extractive, when the budget is used up", () => {
    const dear = { ...REMOTE, remainingUsd: 0.000001 };
    expect(route([MINI, QWEN], {}, dear).modelId).toBe(QWEN.id);
    const nothing = route([MINI], {}, dear);
    expect(nothing.modelId).toBeNull();
    expect(nothing.reason).toMatch(/today's budget is left/);
  });

  it("keeps within the cost and the time of one text", () => {
    expect(reasonOf(route([MINI], { costLimitUsd: 0.00001 }, REMOTE), MINI.id)).toMatch(
      /above the limit/,
    );
    expect(reasonOf(route([SMOL], { latencyBudgetMs: 500 }), SMOL.id)).toMatch(/longer than/);
    const slow = new Map([[QWEN.id, past(9, 10, { msPerWork: 500 })]]);
    expect(route([QWEN], { latencyBudgetMs: 20_000 }, {}, slow).modelId).toBeNull();
    expect(route([QWEN], { latencyBudgetMs: 20_000 }).modelId).toBe(QWEN.id);
  });

  it("splits what doesn't fit, and says so", () => {
    expect(route([SMOL], { inputTokens: 5_000 }).reason).toMatch(/in \d+ parts/);
    const short = modelInfo({ id: "webllm:own", contextTokens: 512 });
    expect(route([short]).reason).toMatch(/in \d parts/);
    const tiny = modelInfo({ id: "wllama:tiny", contextTokens: 350 });
    expect(reasonOf(route([tiny]), tiny.id)).toMatch(/too small/);
  });
});

describe("learning", () => {
  const other = modelInfo({ id: "ollama:gemma3:4b", state: "ready" });

  it("prefers the model whose summaries pass", () => {
    const estimates = new Map([
      [QWEN.id, past(2, 20)],
      [other.id, past(16, 20)],
    ]);
    const decision = route([QWEN, other], {}, {}, estimates);
    expect(decision.modelId).toBe(other.id);
    expect(decision.reason).toMatch(/measured on 20 summaries/);
  });

  it("drops one that the gate keeps rejecting, and gives it another chance now and then", () => {
    const estimates = new Map([[QWEN.id, past(0, 30)]]);
    expect(route([QWEN, other], {}, { turn: 1 }, estimates).modelId).toBe(other.id);
    expect(reasonOf(route([QWEN], {}, { turn: 1 }, estimates), QWEN.id)).toMatch(
      /expected to pass/,
    );
    const turns = Array.from(
      { length: 3 * RETRY_EVERY },
      (_, turn) => route([QWEN, other], {}, { turn: turn + 1 }, estimates).modelId,
    );
    expect(turns.filter((id) => id === QWEN.id)).toHaveLength(3);
  });

  it("learns by kind of text", () => {
    const mixed = past(10, 20, {
      byKind: { mail: { count: 10, passed: 0 }, prose: { count: 10, passed: 10 } },
    });
    const estimates = new Map([
      [QWEN.id, mixed],
      [other.id, past(10, 20)],
    ]);
    expect(route([QWEN, other], { kind: "mail" }, {}, estimates).modelId).toBe(other.id);
    expect(route([QWEN, other], { kind: "prose" }, {}, estimates).modelId).toBe(QWEN.id);
  });

  it("counts failures against a model", () => {
    const estimates = new Map([
      [QWEN.id, past(10, 20, { calls: 40, failures: 30 })],
      [other.id, past(10, 20)],
    ]);
    expect(route([QWEN, other], {}, {}, estimates).modelId).toBe(other.id);
  });
});

describe("the decision", () => {
  it("says of every model why, once, and marks one as chosen", () => {
    const models = [MINI, OPUS, QWEN, SMOL];
    const decision = route(models, {}, REMOTE);
    expect(decision.considered.map(({ modelId }) => modelId)).toEqual(models.map(({ id }) => id));
    expect(decision.considered.filter(({ chosen }) => chosen)).toHaveLength(1);
    for (const { reason } of decision.considered) expect(reason).toMatch(/^[A-Z].*\.$/);
  });

  it("keeps a local model among those that stand by", () => {
    const remote = Array.from({ length: 10 }, (_, i) =>
      modelInfo({ id: `openai:m${i}`, price: { inputUsd: 0.001, outputUsd: 0.001 } }),
    );
    const slow = modelInfo({ id: "wllama:slow", tier: "fast" });
    const { fallbacks } = route([...remote, slow], {}, REMOTE);
    expect(fallbacks).toHaveLength(4);
    expect(fallbacks.at(-1)).toBe(slow.id);
  });

  it("is the same for the same snapshot", () => {
    const models = [QWEN, SMOL, MINI, OPUS];
    const still = new ModelRouter(undefined, () => 0);
    const snapshot = snapshotOf(models, REMOTE);
    expect(still.route(REQUEST, snapshot, NONE)).toEqual(still.route(REQUEST, snapshot, NONE));
  });
});
