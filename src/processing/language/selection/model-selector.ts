/**
 * Ranks models for one text by what may be expected of them: kind of content and required quality
 * against time and money. Knows nothing of what is allowed; that is the router's.
 */

import type { LanguageModelInfo, ModelTier } from "../../../model/language-model.ts";
import type { CompressionMode, ContentKind } from "../../../model/memory.ts";
import { expect, type Expectation, type ModelEstimate } from "./model-estimate.ts";

/** The text and how well it should be done. */
export interface SelectionRequest {
  kind: ContentKind | undefined;
  mode: CompressionMode;
  inputTokens: number;
  outputTokens: number;
}

export interface RankedModel extends Expectation {
  model: LanguageModelInfo;
  /** Chance to pass, less what a second and a dollar are worth in this mode. */
  utility: number;
}

const TIER_RANK: Readonly<Record<ModelTier, number>> = { fast: 0, balanced: 1, high: 2 };

/** Share of summaries that should pass, so that asking is worth its time and money. */
export const MIN_PASS_RATE: Readonly<Record<CompressionMode, number>> = {
  fast: 0.1,
  balanced: 0.2,
  high: 0.35,
};

/** How much chance to pass a second and a dollar are worth: the more effort, the less they weigh. */
const SECOND_WEIGHT: Readonly<Record<CompressionMode, number>> = {
  fast: 0.02,
  balanced: 0.005,
  high: 0.001,
};
const DOLLAR_WEIGHT: Readonly<Record<CompressionMode, number>> = {
  fast: 50,
  balanced: 10,
  high: 2,
};
/** The tier that the mode names is preferred among equals. */
const OWN_TIER_BONUS = 0.03;
/** So is a model that the text stays with. */
const LOCAL_BONUS = 0.02;

/** Whether a model takes part at this level of effort. */
export function tierTakesPart(tier: ModelTier, mode: CompressionMode): boolean {
  return TIER_RANK[tier] <= TIER_RANK[mode];
}

export class ModelSelector {
  /** What may be expected of one model. */
  weigh(
    model: LanguageModelInfo,
    request: SelectionRequest,
    past: ModelEstimate | undefined,
  ): RankedModel {
    const expectation = expect(model, request, past);
    const { mode } = request;
    const utility =
      expectation.passRate -
      SECOND_WEIGHT[mode] * (expectation.latencyMs / 1000) -
      DOLLAR_WEIGHT[mode] * (expectation.costUsd ?? 0) +
      (model.tier === mode ? OWN_TIER_BONUS : 0) +
      (model.local ? LOCAL_BONUS : 0);
    return { model, ...expectation, utility };
  }

  /** The models of the tiers that take part in the mode, best first; equal ones by id. */
  rank(
    models: readonly LanguageModelInfo[],
    request: SelectionRequest,
    estimates: ReadonlyMap<string, ModelEstimate>,
  ): RankedModel[] {
    return models
      .filter((model) => tierTakesPart(model.tier, request.mode))
      .map((model) => this.weigh(model, request, estimates.get(model.id)))
      .sort(byUtility);
  }
}

export function byUtility(a: RankedModel, b: RankedModel): number {
  return b.utility - a.utility || (a.model.id < b.model.id ? -1 : 1);
}
