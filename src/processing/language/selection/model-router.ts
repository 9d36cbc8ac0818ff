/**
 * Chooses the model for one text, who takes over when it fails, and says why of every model there is.
 *
 * Pure and synchronous over a snapshot: content and mode × required quality × time × money × what is
 * present × privacy × what was measured. The ladder below the choice always ends in the extractive
 * summary, which costs nothing and can't fail.
 */

import type { RouteDecision, RouteRequest } from "../../../model/language-model.ts";
import {
  fitness,
  percent,
  presence,
  QUALITY_STEP,
  seconds,
  usd,
  type Refusal,
  type RouterSnapshot,
} from "./admission.ts";
import type { ModelEstimate } from "./model-estimate.ts";
import { byUtility, ModelSelector, type RankedModel } from "./model-selector.ts";

/** Asks for no language model. */
export const EXTRACTIVE_MODEL = "extractive";
/** Leaves the choice to the router. */
export const AUTO_MODEL = "auto";

/** Models that stand by. */
const MAX_FALLBACKS = 4;
/** On every so-many-th turn one that the gate rejected too often gets another chance. */
export const RETRY_EVERY = 12;

export class ModelRouter {
  readonly #selector: ModelSelector;
  readonly #elapsed: () => number;

  constructor(
    selector: ModelSelector = new ModelSelector(),
    elapsed: () => number = () => performance.now(),
  ) {
    this.#selector = selector;
    this.#elapsed = elapsed;
  }

  route(
    request: RouteRequest,
    snapshot: RouterSnapshot,
    estimates: ReadonlyMap<string, ModelEstimate>,
  ): RouteDecision {
    const started = this.#elapsed();
    const asked = request.model ?? snapshot.settings.model;
    const closed = closedReason(request, snapshot, asked);
    const refused = new Map<string, Refusal>();
    const admitted: RankedModel[] = [];
    const rejected: RankedModel[] = [];
    for (const model of snapshot.models) {
      const named = asked === model.id;
      const refusal =
        closed ??
        (named || asked === AUTO_MODEL
          ? null
          : { step: 0, reason: "Another model was asked for." }) ??
        presence(model, request, snapshot);
      if (refusal) {
        refused.set(model.id, refusal);
        continue;
      }
      const ranked = this.#selector.weigh(model, request, estimates.get(model.id));
      const unfit = fitness(ranked, request, snapshot, named);
      if (!unfit) admitted.push(ranked);
      else {
        refused.set(model.id, unfit);
        if (unfit.step === QUALITY_STEP) rejected.push(ranked);
      }
    }
    admitted.sort(byUtility);
    const second = secondChance(rejected, snapshot, estimates);
    if (second) {
      admitted.unshift(second);
      refused.delete(second.model.id);
    }
    const chosen = admitted[0];
    return {
      modelId: chosen?.model.id ?? null,
      reason: chosen
        ? describeChoice(chosen, estimates.get(chosen.model.id), chosen === second, asked)
        : describeNone(snapshot, refused, closed, asked),
      expectedCostUsd: chosen?.costUsd ?? 0,
      expectedLatencyMs: chosen?.latencyMs ?? null,
      fallbacks: fallbacks(admitted),
      considered: consider(snapshot, chosen, refused, admitted),
      elapsedMs: this.#elapsed() - started,
    };
  }
}

/** Why no model at all is asked, whatever there is. */
function closedReason(
  request: RouteRequest,
  { settings }: RouterSnapshot,
  asked: string,
): Refusal | null {
  if (!settings.enabled) return { step: 0, reason: "Language models are turned off." };
  if (asked === EXTRACTIVE_MODEL)
    return { step: 0, reason: "A summary without a language model was asked for." };
  if (request.mode === "fast" && (request.model ?? AUTO_MODEL) === AUTO_MODEL)
    return { step: 0, reason: "Mode fast asks no language model unless one is named." };
  return null;
}

/** Whoever waited longest of those that only the gate speaks against. */
function secondChance(
  rejected: readonly RankedModel[],
  { turn }: RouterSnapshot,
  estimates: ReadonlyMap<string, ModelEstimate>,
): RankedModel | undefined {
  if (turn === 0 || turn % RETRY_EVERY !== 0) return undefined;
  const lastTried = ({ model }: RankedModel): number => estimates.get(model.id)?.lastTriedAt ?? 0;
  // Without a verdict it is its tier's promise that is too low: there is nothing to recover from.
  return rejected
    .filter(({ model }) => (estimates.get(model.id)?.verdictCount ?? 0) > 0)
    .sort((a, b) => lastTried(a) - lastTried(b) || byUtility(a, b))[0];
}

/** Best first; the best that keeps the text on the device is among them where there is one. */
function fallbacks(admitted: readonly RankedModel[]): string[] {
  const others = admitted.slice(1);
  const taken = others.slice(0, MAX_FALLBACKS);
  const local = others.find(({ model }) => model.local);
  if (local && !taken.includes(local)) taken[MAX_FALLBACKS - 1] = local;
  return taken.map(({ model }) => model.id);
}

function consider(
  { models }: RouterSnapshot,
  chosen: RankedModel | undefined,
  refused: ReadonlyMap<string, Refusal>,
  admitted: readonly RankedModel[],
): RouteDecision["considered"] {
  const figures = new Map(
    admitted.map(({ model, passRate, latencyMs, costUsd }) => [
      model.id,
      `${percent(passRate)} expected to pass the gate, about ${seconds(latencyMs)}, ${usd(costUsd ?? 0)}`,
    ]),
  );
  return models.map(({ id }) => {
    const isChosen = id === chosen?.model.id;
    const word = isChosen ? "Chosen" : "Ranked lower";
    return {
      modelId: id,
      chosen: isChosen,
      reason: refused.get(id)?.reason ?? `${word}: ${figures.get(id)}.`,
    };
  });
}

function describeChoice(
  { model, passRate, latencyMs, costUsd, parts }: RankedModel,
  past: ModelEstimate | undefined,
  secondTry: boolean,
  asked: string,
): string {
  const why =
    asked === model.id
      ? "was asked for"
      : secondTry
        ? "gets another chance after the gate rejected too many of its summaries"
        : "is the best that may be used";
  const basis =
    past && past.verdictCount > 0
      ? `measured on ${past.verdictCount} ${past.verdictCount === 1 ? "summary" : "summaries"}`
      : "not measured yet";
  return `${model.title} ${why}: ${percent(passRate)} expected to pass the gate (${basis}), about ${seconds(latencyMs)} and ${usd(costUsd ?? 0)}${parts > 1 ? `, in ${parts} parts` : ""}.`;
}

function describeNone(
  snapshot: RouterSnapshot,
  refused: ReadonlyMap<string, Refusal>,
  closed: Refusal | null,
  asked: string,
): string {
  if (closed) return closed.reason;
  if (asked !== AUTO_MODEL) {
    const known = snapshot.models.find(({ id }) => id === asked);
    return known
      ? `${known.title} was asked for and can't be used: ${refused.get(asked)!.reason}`
      : `There is no model "${asked}" here.`;
  }
  const nearest = [...refused].sort(([, a], [, b]) => b.step - a.step)[0];
  if (!nearest) return "There is no language model here.";
  const [id, refusal] = nearest;
  const title = snapshot.models.find((model) => model.id === id)?.title ?? id;
  return `No language model takes part; nearest was ${title}: ${refusal.reason}`;
}
