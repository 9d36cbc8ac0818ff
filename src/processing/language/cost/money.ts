/**
 * Money as whole nano-dollars, so that sums and comparisons with a budget are exact: one token of
 * the cheapest models costs 10 of them. Amounts are rounded up, never in the owner's disfavour.
 */

import type { TokenPrice } from "../../../model/language-model.ts";

const NANO = 1e9;
const TOKENS_PER_PRICE = 1e6;

/** Rounded up; `Infinity` for what is no amount, so that no budget admits it. */
export function toNano(usd: number): number {
  if (!Number.isFinite(usd) || usd < 0) return Infinity;
  // 0.1 + 0.2 must not become a nano-dollar more than 0.3.
  return Math.ceil(Number((usd * NANO).toPrecision(15)));
}

export function toUsd(nano: number): number {
  return nano / NANO;
}

export interface BilledTokens {
  inputTokens: number;
  outputTokens: number;
  /** Part of `inputTokens`. */
  cachedInputTokens?: number;
}

/** What these tokens cost in nano-dollars, rounded up. */
export function costNano(price: TokenPrice, tokens: BilledTokens): number {
  return toNano(costUsd(price, tokens));
}

/** What these tokens cost, as near as a float gets: for expectations, not for the ledger. */
export function costUsd(price: TokenPrice, tokens: BilledTokens): number {
  const cached = Math.min(tokens.cachedInputTokens ?? 0, tokens.inputTokens);
  const cachedUsd = price.cachedInputUsd ?? price.inputUsd;
  const usd =
    (tokens.inputTokens - cached) * price.inputUsd +
    cached * cachedUsd +
    tokens.outputTokens * price.outputUsd;
  return usd / TOKENS_PER_PRICE;
}
