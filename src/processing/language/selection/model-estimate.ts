/**
 * What may be expected of a model for one text: how likely the gate lets its summary pass, how long
 * it takes, what it costs. Measured where there are calls, else what its tier promises; each call
 * moves the expectation from the promise to what was seen.
 */

import type {
  LanguageModelInfo,
  LanguageProvider,
  ModelTier,
} from "../../../model/language-model.ts";
import type { ContentKind } from "../../../model/memory.ts";
import { costUsd } from "../cost/money.ts";
import { isSmall } from "../prompts/prompt-builder.ts";

/** Decayed counts of one model's past; see `ModelProfiler`. */
export interface ModelEstimate {
  /** Median time per unit of work; null before the first answer. */
  msPerWork: number | null;
  calls: number;
  failures: number;
  verdicts: { count: number; passed: number };
  /** Verdicts without decay. */
  verdictCount: number;
  byKind: Partial<Record<ContentKind, { count: number; passed: number }>>;
  lastTriedAt: number | null;
}

/** What a tier promises before anything was measured, worth this many verdicts. */
const PRIOR_WEIGHT = 4;
const PRIOR_PASS_RATE: Readonly<Record<ModelTier, number>> = {
  fast: 0.35,
  balanced: 0.6,
  high: 0.75,
};
/** Kinds of text that small models were not made for. */
const HARD_KINDS: ReadonlySet<ContentKind> = new Set(["code", "log", "data"]);
const HARD_KIND_FACTOR: Readonly<Record<ModelTier, number>> = {
  fast: 0.5,
  balanced: 0.8,
  high: 0.95,
};

interface SpeedPrior {
  /** Time per generated token before anything was measured. */
  msPerToken: number;
  /** Work of reading a token, in generated tokens. */
  readingWork: number;
}

/** One thread of WASM reads a token in half the time it writes one; a data centre in a hundredth. */
const SPEED: Readonly<Record<LanguageProvider, SpeedPrior>> = {
  wllama: { msPerToken: 120, readingWork: 0.55 },
  webllm: { msPerToken: 50, readingWork: 0.1 },
  chrome: { msPerToken: 50, readingWork: 0.1 },
  ollama: { msPerToken: 40, readingWork: 0.1 },
  openai: { msPerToken: 15, readingWork: 0.01 },
  claude: { msPerToken: 15, readingWork: 0.01 },
  gemini: { msPerToken: 12, readingWork: 0.01 },
  "openai-compatible": { msPerToken: 20, readingWork: 0.02 },
};
/** A call's fixed share (connection, template, first token), in generated tokens. */
const FIXED_WORK = 20;

/** Tokens of a prompt beside the text it quotes: of ten rules, of the one instruction for small models. */
const RULES_TOKENS = 350;
const INSTRUCTION_TOKENS = 150;
/** Less than this of a text in one prompt is no text to summarise. */
export const MIN_CAPACITY_TOKENS = 16;
/** Estimates of tokens are off by up to this factor where they must not be too low. */
const TOKEN_SAFETY = 1.3;

/** Work of a call in generated tokens, so that short and long calls compare. */
export function callWork(
  provider: LanguageProvider,
  { inputTokens, outputTokens }: { inputTokens: number; outputTokens: number },
): number {
  const { readingWork } = SPEED[provider] ?? SPEED["openai-compatible"];
  return FIXED_WORK + inputTokens * readingWork + outputTokens;
}

/** Share of its summaries of this kind of text that the gate will let pass, failures counted as none. */
export function expectedPassRate(
  model: LanguageModelInfo,
  kind: ContentKind | undefined,
  past: ModelEstimate | undefined,
): number {
  const hard = kind !== undefined && HARD_KINDS.has(kind);
  const prior = PRIOR_PASS_RATE[model.tier] * (hard ? HARD_KIND_FACTOR[model.tier] : 1);
  if (!past) return prior;
  const { count, passed } = past.verdicts;
  const overall = (prior * PRIOR_WEIGHT + passed) / (PRIOR_WEIGHT + count);
  const own = kind === undefined ? undefined : past.byKind[kind];
  const rate = own ? (overall * PRIOR_WEIGHT + own.passed) / (PRIOR_WEIGHT + own.count) : overall;
  const reliability = (PRIOR_WEIGHT + past.calls - past.failures) / (PRIOR_WEIGHT + past.calls);
  return rate * reliability;
}

function promptOverheadTokens(model: LanguageModelInfo): number {
  return isSmall(model) ? INSTRUCTION_TOKENS : RULES_TOKENS;
}

/** Tokens of text that fit into one prompt of this model beside an answer; below the least: none. */
export function textCapacityTokens(model: LanguageModelInfo, outputTokens: number): number {
  const answer = outputTokens + (model.thinkingTokens ?? 0);
  return Math.floor((model.contextTokens - answer - promptOverheadTokens(model)) / TOKEN_SAFETY);
}

/** In how many parts a text must be summarised. */
export function partCount(
  model: LanguageModelInfo,
  inputTokens: number,
  outputTokens: number,
): number {
  const capacity = textCapacityTokens(model, outputTokens);
  return capacity < MIN_CAPACITY_TOKENS ? Infinity : Math.max(1, Math.ceil(inputTokens / capacity));
}

export interface Expectation {
  passRate: number;
  latencyMs: number;
  /** Expected cost; null when the price is unknown. */
  costUsd: number | null;
  /** Most that it can cost; null when the price is unknown. */
  worstUsd: number | null;
  parts: number;
}

/** What one text may be expected to take of a model. */
export function expect(
  model: LanguageModelInfo,
  request: { kind: ContentKind | undefined; inputTokens: number; outputTokens: number },
  past: ModelEstimate | undefined,
): Expectation {
  const { provider, price } = model;
  const parts = partCount(model, request.inputTokens, request.outputTokens);
  const thinking = model.thinkingTokens ?? 0;
  const count = Number.isFinite(parts) ? parts : 1;
  const inputTokens = request.inputTokens + count * promptOverheadTokens(model);
  const outputTokens = request.outputTokens + (count * thinking) / 4;
  const work = callWork(provider, { inputTokens, outputTokens }) + (count - 1) * FIXED_WORK;
  const msPerWork = past?.msPerWork ?? (SPEED[provider] ?? SPEED["openai-compatible"]).msPerToken;
  return {
    passRate: expectedPassRate(model, request.kind, past),
    latencyMs: work * msPerWork,
    costUsd: price ? costUsd(price, { inputTokens, outputTokens }) : null,
    worstUsd: price
      ? costUsd(price, {
          // A token is at least a byte, and tokens were estimated at four.
          inputTokens: inputTokens * 4,
          outputTokens: request.outputTokens + count * thinking,
        })
      : null,
    parts,
  };
}
