/** What is said of models, providers, choices and money: the same words in `models`, `budget` and `status`. */

import type {
  LanguageModelInfo,
  LanguageSettings,
  ProviderState,
  RouteDecision,
} from "../../model/language-model.ts";
import type { ModelState } from "../../ports/embedder.ts";
import { formatBytes, formatTable, formatTime } from "./format.ts";
import { printable, type Paint } from "./output.ts";

export function describeEmbedder(model: ModelState): string {
  const size = formatBytes(model.sizeBytes);
  const parts: Record<ModelState["state"], string> = {
    missing: `not installed (${size} to download); \`npm run setup\` installs it`,
    partial: `${formatBytes(model.installedBytes)} of ${size} there; \`npm run setup\` goes on`,
    installed: `installed, ${size}`,
    loaded: `loaded, ${size}`,
    failed: `failed: ${printable(model.error ?? "unknown reason")}`,
  };
  const backend = model.backend === undefined ? "" : `, runs on ${model.backend}`;
  return `${model.name}: ${parts[model.state]}${backend}, licence ${model.licence}`;
}

export function formatPrice({ price, local }: LanguageModelInfo): string {
  if (local) return "free";
  return price ? `${price.inputUsd} in, ${price.outputUsd} out` : "unknown";
}

/** Amounts of a call are often below a cent. */
export function formatUsd(usd: number): string {
  if (usd === 0) return "$0";
  return usd < 0.01 ? `$${Number(usd.toPrecision(2))}` : `$${usd.toFixed(2)}`;
}

export function describeUse({ enabled, allowRemote, model }: LanguageSettings): string {
  if (!enabled) return "Language models are turned off (`llm-compress models use --enabled on`).";
  const remote = allowRemote
    ? "text may be sent to providers on other machines"
    : "text never leaves this machine (`llm-compress models use --remote on` allows it)";
  return `Model: ${model}; ${remote}.`;
}

export function formatProviders(states: readonly ProviderState[]): string {
  const rows = states.map((state) => [
    state.provider,
    state.available ? (state.enabled ? "on" : "off") : "not on this platform",
    state.key,
    state.baseUrl ?? "its own address",
    state.pausedUntil === undefined ? "" : `held back until ${formatTime(state.pausedUntil)}`,
    state.error ?? "",
  ]);
  const titles = ["Provider", "State", "Key", "Address", "", "Last failure"];
  return formatTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

export function formatRoute(paint: Paint, decision: RouteDecision): string {
  const chosen = decision.modelId ?? "extractive (no language model)";
  const lines = [
    `${paint("bold", chosen)}`,
    printable(decision.reason),
    ...(decision.fallbacks.length > 0
      ? [`When it fails: ${decision.fallbacks.join(", ")}, then extractive.`]
      : []),
    "",
    formatTable(
      [{ title: "Model" }, { title: "Why" }],
      decision.considered.map(({ modelId, reason }) => [modelId, reason]),
    ),
    "",
    `Chosen in ${(decision.elapsedMs * 1000).toFixed(0)} µs.`,
  ];
  return lines.join("\n");
}
