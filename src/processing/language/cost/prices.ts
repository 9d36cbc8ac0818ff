/**
 * What a model's tokens cost: nothing on the owner's own machine, what the owner said of a model of
 * their own, else the table of known models. An unknown price is null, and no budget admits it.
 */

import {
  findHttpModel,
  priceAt,
  PRICE_PAGES,
  PRICES_NOTED_AT,
} from "../../../model/http-models.ts";
import type { LanguageModelInfo, TokenPrice } from "../../../model/language-model.ts";

const FREE: TokenPrice = { inputUsd: 0, outputUsd: 0 };

/** The price that holds at a time (ms since epoch), or null when nobody knows it. */
export function modelPrice(model: LanguageModelInfo, at: number): TokenPrice | null {
  if (model.local) return FREE;
  if (model.custom && model.price) return model.price;
  const known = findHttpModel(model.provider, model.name);
  return (known && priceAt(known, at)) ?? model.price;
}

/** Where a price is from, in plain words. */
export function priceSource(model: LanguageModelInfo): string {
  if (model.local) return "runs on your machine";
  if (model.custom && model.price) return "as you set it";
  const page = PRICE_PAGES[model.provider];
  return findHttpModel(model.provider, model.name) && page
    ? `${page}, noted ${PRICES_NOTED_AT}`
    : "as the provider's list says";
}
