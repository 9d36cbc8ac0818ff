/**
 * How each model did: latency, speed, failures, cost, and how often the quality gate let its
 * summaries pass. From real calls alone; old ones count less each day, so that a model that got
 * better is believed again. The router reads it; the owner sees it.
 */

import { z } from "zod";
import type { LanguageProvider, ModelProfile } from "../../../model/language-model.ts";
import { CONTENT_KINDS, type ContentKind } from "../../../model/memory.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { RecordStore } from "../../../ports/record-store.ts";
import { DelayedWriter } from "../delayed-writer.ts";
import { callWork, type ModelEstimate } from "./model-estimate.ts";

const RECORD = "model-profiles";
/** Newest calls and verdicts that are kept of each model. */
const WINDOW = 64;
const HALF_LIFE_MS = 7 * 86_400_000;
/** Estimates are made again after this time, because decay goes on without calls. */
const ESTIMATE_TTL_MS = 600_000;

const callSchema = z.object({
  at: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  elapsedMs: z.number(),
  /** From the first to the last token; null where that wasn't seen. */
  generationMs: z.number().nullable(),
  ok: z.boolean(),
});
const verdictSchema = z.object({
  at: z.number(),
  pass: z.boolean(),
  similarity: z.number().nullable(),
  kind: z.enum(CONTENT_KINDS).nullable(),
});
const modelSchema = z.object({
  modelId: z.string(),
  calls: z.array(callSchema),
  verdicts: z.array(verdictSchema),
  totals: z.object({
    calls: z.number(),
    failures: z.number(),
    usd: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
  }),
  lastUsedAt: z.number().nullable(),
  lastError: z.string().nullable(),
});
const recordSchema = z.array(modelSchema);
type ModelRecord = z.output<typeof modelSchema>;

export interface ProfiledCall {
  modelId: string;
  inputTokens: number;
  outputTokens: number;
  elapsedMs: number;
  generationMs: number | null;
  usd: number;
  /** What went wrong, in plain words; absent when it answered. */
  error?: string;
}

interface Weighted {
  value: number;
  weight: number;
}

export class ModelProfiler {
  readonly #clock: Clock;
  readonly #models: Map<string, ModelRecord>;
  readonly #writer: DelayedWriter;
  #estimates: { madeAt: number; byModel: ReadonlyMap<string, ModelEstimate> } | null = null;

  private constructor(store: RecordStore, clock: Clock, models: readonly ModelRecord[]) {
    this.#clock = clock;
    this.#models = new Map(models.map((model) => [model.modelId, model]));
    this.#writer = new DelayedWriter(() => store.write(RECORD, [...this.#models.values()]));
  }

  static async open(store: RecordStore, clock: Clock): Promise<ModelProfiler> {
    return new ModelProfiler(
      store,
      clock,
      await store.read<ModelRecord[]>(RECORD, recordSchema, []),
    );
  }

  called(call: ProfiledCall): void {
    const model = this.#model(call.modelId);
    const at = this.#clock.now();
    const { inputTokens, outputTokens, elapsedMs, generationMs } = call;
    const ok = call.error === undefined;
    push(model.calls, { at, inputTokens, outputTokens, elapsedMs, generationMs, ok });
    model.totals.calls++;
    model.totals.usd += call.usd;
    model.totals.inputTokens += inputTokens;
    model.totals.outputTokens += outputTokens;
    model.lastUsedAt = at;
    if (call.error !== undefined) {
      model.totals.failures++;
      model.lastError = call.error;
    }
    this.#changed();
  }

  /** The gate's verdict on a summary. */
  judged(
    modelId: string,
    verdict: { pass: boolean; similarity: number | null; kind: ContentKind | null },
  ): void {
    push(this.#model(modelId).verdicts, { at: this.#clock.now(), ...verdict });
    this.#changed();
  }

  /** A removed model's past says nothing of the next one of its name. */
  forget(modelId: string): void {
    if (this.#models.delete(modelId)) this.#changed();
  }

  /** What the router needs, by model; models without calls are not in it. */
  estimates(): ReadonlyMap<string, ModelEstimate> {
    const now = this.#clock.now();
    if (!this.#estimates || Math.abs(now - this.#estimates.madeAt) > ESTIMATE_TTL_MS)
      this.#estimates = {
        madeAt: now,
        byModel: new Map(
          [...this.#models.values()].map((model) => [model.modelId, estimate(model, now)]),
        ),
      };
    return this.#estimates.byModel;
  }

  /** Most used first. */
  profiles(): ModelProfile[] {
    const now = this.#clock.now();
    return [...this.#models.values()]
      .map((model) => profile(model, now))
      .sort((a, b) => b.calls - a.calls || (a.modelId < b.modelId ? -1 : 1));
  }

  close(): Promise<void> {
    return this.#writer.flush().catch(() => undefined);
  }

  #model(modelId: string): ModelRecord {
    let model = this.#models.get(modelId);
    if (!model) {
      model = {
        modelId,
        calls: [],
        verdicts: [],
        totals: { calls: 0, failures: 0, usd: 0, inputTokens: 0, outputTokens: 0 },
        lastUsedAt: null,
        lastError: null,
      };
      this.#models.set(modelId, model);
    }
    return model;
  }

  #changed(): void {
    this.#estimates = null;
    this.#writer.touch();
  }
}

function push<T>(items: T[], item: T): void {
  items.push(item);
  if (items.length > WINDOW) items.shift();
}

/** 1 now, a half a week ago; what lies in the future (a clock set back) counts as now. */
function weightAt(at: number, now: number): number {
  return 0.5 ** (Math.max(0, now - at) / HALF_LIFE_MS);
}

/** The value below which `share` of the weight lies; null without values. */
function quantile(values: readonly Weighted[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let seen = 0;
  for (const { value, weight } of sorted) {
    seen += weight;
    if (seen >= total * share) return value;
  }
  return sorted.at(-1)?.value ?? null;
}

/** Sum of weights, and of those that passed. */
function tally(verdicts: ModelRecord["verdicts"], now: number): { count: number; passed: number } {
  let count = 0;
  let passed = 0;
  for (const { at, pass } of verdicts) {
    const weight = weightAt(at, now);
    count += weight;
    if (pass) passed += weight;
  }
  return { count, passed };
}

function estimate(model: ModelRecord, now: number): ModelEstimate {
  const provider = model.modelId.slice(0, model.modelId.indexOf(":")) as LanguageProvider;
  const speeds: Weighted[] = [];
  let weights = 0;
  let failed = 0;
  for (const call of model.calls) {
    const weight = weightAt(call.at, now);
    weights += weight;
    if (!call.ok) failed += weight;
    else speeds.push({ value: call.elapsedMs / callWork(provider, call), weight });
  }
  const byKind: ModelEstimate["byKind"] = {};
  for (const kind of CONTENT_KINDS) {
    const own = model.verdicts.filter((verdict) => verdict.kind === kind);
    if (own.length > 0) byKind[kind] = tally(own, now);
  }
  return {
    msPerWork: quantile(speeds, 0.5),
    calls: weights,
    failures: failed,
    verdicts: tally(model.verdicts, now),
    verdictCount: model.verdicts.length,
    byKind,
    lastTriedAt: model.lastUsedAt,
  };
}

function profile(model: ModelRecord, now: number): ModelProfile {
  const { totals } = model;
  const answered = model.calls.filter((call) => call.ok);
  const latencies = answered.map(({ at, elapsedMs }) => ({
    value: elapsedMs,
    weight: weightAt(at, now),
  }));
  const p50 = quantile(latencies, 0.5);
  const p95 = quantile(latencies, 0.95);
  let tokens = 0;
  let seconds = 0;
  for (const { at, outputTokens, generationMs } of answered) {
    if (generationMs === null || generationMs <= 0) continue;
    const weight = weightAt(at, now);
    tokens += weight * outputTokens;
    seconds += (weight * generationMs) / 1000;
  }
  const { count, passed } = tally(model.verdicts, now);
  const measured = model.verdicts.filter(({ similarity }) => similarity !== null);
  const similar = measured.reduce((sum, { similarity }) => sum + similarity!, 0);
  return {
    modelId: model.modelId,
    calls: totals.calls,
    failures: totals.failures,
    latencyMs: p50 === null || p95 === null ? null : { p50, p95 },
    tokensPerSecond: seconds > 0 ? tokens / seconds : null,
    quality:
      model.verdicts.length === 0
        ? null
        : {
            passRate: count === 0 ? 0 : passed / count,
            similarity: measured.length === 0 ? null : similar / measured.length,
            count: model.verdicts.length,
          },
    costUsd: totals.usd,
    inputTokens: totals.inputTokens,
    outputTokens: totals.outputTokens,
    lastUsedAt: model.lastUsedAt,
    ...(model.lastError === null ? {} : { lastError: model.lastError }),
  };
}
