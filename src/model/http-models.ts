/**
 * The HTTP models that are known by name, as data: tier, context, output limit and price, with the
 * day they were noted and the provider's own price page. Sources list them, the router weighs them,
 * the cost ledger charges by them. What isn't in the table has no price, and a budget can't admit it.
 *
 * `contextTokens` is where a model's list price ends when longer prompts cost more: longer texts are
 * split instead, so that one price per model always holds.
 */

import catalogue from "./http-models.json" with { type: "json" };
import type {
  LanguageModelInfo,
  LanguageProvider,
  ModelTier,
  TokenPrice,
} from "./language-model.ts";

/** A price and the day (UTC, "2027-01-01") from which it is known to hold. */
export interface DatedPrice extends TokenPrice {
  from: string;
}

export interface HttpModel {
  provider: Extract<LanguageProvider, "openai" | "claude" | "gemini" | "ollama">;
  /** The provider's own name of it. */
  name: string;
  title: string;
  tier: ModelTier;
  contextTokens: number;
  maxOutputTokens?: number;
  thinkingTokens?: number;
  fixedSampling?: boolean;
  licence?: string;
  note?: string;
  /** Ascending by day. Absent: it runs on the owner's machine and costs nothing. */
  prices?: DatedPrice[];
}

export const HTTP_MODELS: readonly HttpModel[] = catalogue.models as HttpModel[];

/** The day on which table and price pages were compared last. */
export const PRICES_NOTED_AT: string = catalogue.notedAt;

/** Where each provider publishes its prices. */
export const PRICE_PAGES: Readonly<Partial<Record<LanguageProvider, string>>> = catalogue.sources;

/** "gpt-5-mini-2025-08-07", "claude-haiku-4-5-20251001", "models/gemini-2.5-pro", "llama3.2:3b-instruct-q4_K_M" → the name in the table. */
const VERSION_SUFFIX = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest|\d{3})$/;

/** The table's entry for a provider's model name; a dated snapshot is its base model. */
export function findHttpModel(provider: LanguageProvider, name: string): HttpModel | undefined {
  const plain = name.replace(/^models\//, "");
  const bases = [plain, plain.replace(VERSION_SUFFIX, ""), plain.replace(/:latest$/, "")];
  if (provider === "ollama") bases.push(plain.replace(/(:[\w.]+?)-.*$/, "$1"));
  return HTTP_MODELS.find((model) => model.provider === provider && bases.includes(model.name));
}

/** The price that holds at a time (ms since epoch), or undefined for a model without prices. */
export function priceAt(model: HttpModel, at: number): TokenPrice | undefined {
  const prices = model.prices?.filter((price) => Date.parse(price.from) <= at) ?? [];
  // A clock that is set before all of them gets the oldest.
  const price = prices.at(-1) ?? model.prices?.[0];
  if (!price) return undefined;
  const { from: _from, ...tokens } = price;
  return tokens;
}

const FREE: TokenPrice = { inputUsd: 0, outputUsd: 0 };

/** The table as the HTTP sources take it, with the prices of a time (ms since epoch). */
export function httpCatalogue(
  at: number,
): Omit<LanguageModelInfo, "id" | "state" | "reason" | "installedBytes" | "custom">[] {
  return HTTP_MODELS.map((model) => {
    const { prices: _prices, note: _note, ...facts } = model;
    const local = model.provider === "ollama";
    return { ...facts, local, price: priceAt(model, at) ?? (local ? FREE : null) };
  });
}
