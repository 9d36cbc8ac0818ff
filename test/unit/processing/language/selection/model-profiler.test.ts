import { describe, expect, it } from "vitest";
import { SettingsStore } from "../../../../../src/engine/settings-store.ts";
import {
  MemoryFileStore,
  MemoryVolume,
} from "../../../../../src/platform/memory/memory-file-store.ts";
import { expectedPassRate } from "../../../../../src/processing/language/selection/model-estimate.ts";
import {
  ModelProfiler,
  type ProfiledCall,
} from "../../../../../src/processing/language/selection/model-profiler.ts";
import { HeldClock } from "../held-clock.ts";
import { QWEN } from "./models.ts";

const DAY_MS = 86_400_000;
const CALL: ProfiledCall = {
  modelId: QWEN.id,
  inputTokens: 500,
  outputTokens: 100,
  elapsedMs: 2_000,
  generationMs: 1_000,
  usd: 0,
};

async function open(volume = new MemoryVolume(), clock = new HeldClock()) {
  const store = new SettingsStore(new MemoryFileStore(volume));
  return { profiler: await ModelProfiler.open(store, clock), clock, volume };
}

describe("a profile", () => {
  it("tells latency, speed, tokens, cost and failures of real calls", async () => {
    const { profiler, clock } = await open();
    for (let i = 1; i <= 20; i++) profiler.called({ ...CALL, elapsedMs: i * 100, usd: 0.001 });
    profiler.called({ ...CALL, elapsedMs: 5, error: "The server went away." });
    const [profile] = profiler.profiles();
    expect(profile).toMatchObject({
      modelId: QWEN.id,
      calls: 21,
      failures: 1,
      latencyMs: { p50: 1_000, p95: 1_900 },
      tokensPerSecond: 100,
      quality: null,
      inputTokens: 21 * 500,
      lastUsedAt: clock.ms,
      lastError: "The server went away.",
    });
    expect(profile!.costUsd).toBeCloseTo(0.02, 9);
  });

  it("tells how many summaries passed, and how similar they were", async () => {
    const { profiler } = await open();
    profiler.judged(QWEN.id, { pass: true, similarity: 0.9, kind: "mail" });
    profiler.judged(QWEN.id, { pass: false, similarity: 0.8, kind: "mail" });
    profiler.judged(QWEN.id, { pass: false, similarity: null, kind: null });
    const { quality } = profiler.profiles()[0]!;
    expect(quality!.passRate).toBeCloseTo(1 / 3, 9);
    expect(quality!.similarity).toBeCloseTo(0.85, 9);
    expect(quality!.count).toBe(3);
  });

  it("is there after a restart", async () => {
    const { profiler, volume } = await open();
    profiler.called(CALL);
    profiler.judged(QWEN.id, { pass: true, similarity: 0.9, kind: "mail" });
    await profiler.close();
    const again = await open(volume.clone());
    expect(again.profiler.profiles()).toEqual(profiler.profiles());
  });

  it("of a removed model is forgotten", async () => {
    const { profiler } = await open();
    profiler.called(CALL);
    profiler.forget(QWEN.id);
    expect(profiler.profiles()).toEqual([]);
  });

  it("starts anew where the record can't be read", async () => {
    const volume = new MemoryVolume();
    volume.files.set("settings/model-profiles.json", new TextEncoder().encode('[{"modelId":3}]'));
    expect((await open(volume)).profiler.profiles()).toEqual([]);
  });
});

describe("what is expected of a model", () => {
  const rate = (profiler: ModelProfiler) =>
    expectedPassRate(QWEN, "mail", profiler.estimates().get(QWEN.id));

  it("moves from its tier's promise to what the gate said", async () => {
    const { profiler } = await open();
    const promised = expectedPassRate(QWEN, "mail", undefined);
    const seen = [promised];
    for (let i = 0; i < 12; i++) {
      profiler.judged(QWEN.id, { pass: false, similarity: 0.7, kind: "mail" });
      seen.push(rate(profiler));
    }
    expect(seen).toEqual(seen.toSorted((a, b) => b - a));
    expect(seen.at(-1)!).toBeLessThan(promised / 3);
  });

  it("goes back to the promise as the verdicts grow old", async () => {
    const { profiler, clock } = await open();
    for (let i = 0; i < 12; i++)
      profiler.judged(QWEN.id, { pass: false, similarity: 0.7, kind: "mail" });
    const fresh = rate(profiler);
    clock.advance(60 * DAY_MS);
    expect(rate(profiler)).toBeGreaterThan(2 * fresh);
  });

  it("follows a model that got better", async () => {
    const { profiler } = await open();
    for (let i = 0; i < 30; i++)
      profiler.judged(QWEN.id, { pass: false, similarity: 0.7, kind: "mail" });
    const low = rate(profiler);
    for (let i = 0; i < 60; i++)
      profiler.judged(QWEN.id, { pass: true, similarity: 0.93, kind: "mail" });
    expect(rate(profiler)).toBeGreaterThan(0.7);
    expect(low).toBeLessThan(0.1);
  });
});
