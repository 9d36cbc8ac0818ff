/**
 * What choosing a model costs: the router over 5, 50 and 500 models, each with a past, interleaved.
 * `npm run bench -- providers` runs it with the rest; alone:
 * `npx vite-node --script --config vitest.config.ts bench/providers/router.ts`.
 */

import {
  DEFAULT_LANGUAGE_SETTINGS,
  LANGUAGE_PROVIDERS,
  type LanguageModelInfo,
  type RouteRequest,
} from "../../src/model/language-model.ts";
import type { RouterSnapshot } from "../../src/processing/language/selection/admission.ts";
import type { ModelEstimate } from "../../src/processing/language/selection/model-estimate.ts";
import { ModelRouter } from "../../src/processing/language/selection/model-router.ts";

const SIZES = [5, 50, 500] as const;
const WARM_UP = 200;
const ROUNDS = 3_000;
const TIERS = ["fast", "balanced", "high"] as const;
const STATES = ["ready", "ready", "ready", "missing", "needs_key"] as const;

export interface RouterFigures {
  models: number;
  rounds: number;
  medianUs: number;
  p99Us: number;
}

/** Median and 99th percentile of one choice, in microseconds. */
export function benchRouter(rounds: number = ROUNDS): RouterFigures[] {
  const router = new ModelRouter();
  const cases = SIZES.map((size) => ({ size, ...prepare(size), times: [] as number[] }));
  for (let round = -WARM_UP; round < rounds; round++)
    for (const { snapshot, estimates, times } of cases) {
      const request = requestOf(round);
      const started = performance.now();
      router.route(request, { ...snapshot, turn: round + WARM_UP }, estimates);
      const elapsed = performance.now() - started;
      if (round >= 0) times.push(elapsed);
    }
  return cases.map(({ size, times }) => {
    const sorted = times.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)]! * 1000;
    return { models: size, rounds, medianUs: at(0.5), p99Us: at(0.99) };
  });
}

function requestOf(round: number): RouteRequest {
  return {
    kind: (["mail", "chat", "prose", "code"] as const)[Math.abs(round) % 4],
    mode: round % 2 === 0 ? "balanced" : "high",
    inputTokens: 200 + (Math.abs(round) % 40) * 50,
    outputTokens: 200,
  };
}

function prepare(size: number): {
  snapshot: Omit<RouterSnapshot, "turn">;
  estimates: ReadonlyMap<string, ModelEstimate>;
} {
  const models = Array.from({ length: size }, (_, i): LanguageModelInfo => {
    const provider = LANGUAGE_PROVIDERS[i % LANGUAGE_PROVIDERS.length]!;
    const local = i % LANGUAGE_PROVIDERS.length < 4;
    return {
      id: `${provider}:model-${i}`,
      provider,
      name: `model-${i}`,
      title: `Model ${i}`,
      tier: TIERS[i % TIERS.length]!,
      contextTokens: 4_096 << (i % 6),
      local,
      price: local ? { inputUsd: 0, outputUsd: 0 } : { inputUsd: 0.1 + i / 100, outputUsd: 1 },
      state: STATES[i % STATES.length]!,
    };
  });
  const estimates = new Map(
    models.map(({ id }, i): [string, ModelEstimate] => [
      id,
      {
        msPerWork: 5 + (i % 60),
        calls: 40,
        failures: i % 5,
        verdicts: { count: 40, passed: i % 41 },
        verdictCount: 40,
        byKind: { mail: { count: 20, passed: i % 21 } },
        lastTriedAt: i,
      },
    ]),
  );
  return {
    snapshot: {
      models,
      settings: { ...DEFAULT_LANGUAGE_SETTINGS, allowRemote: true },
      remainingUsd: 1,
      pausedUntil: new Map(),
      disabled: new Set(),
      now: Date.now(),
    },
    estimates,
  };
}

if (process.argv.some((argument) => argument.endsWith("providers/router.ts")))
  for (const { models, rounds, medianUs, p99Us } of benchRouter())
    console.log(
      `${String(models).padStart(4)} models: median ${medianUs.toFixed(1)} µs, p99 ${p99Us.toFixed(1)} µs over ${rounds} choices`,
    );
