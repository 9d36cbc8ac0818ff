/** The three ratios of one text, from its real bytes. */

import type { Entity, Ratios } from "../../model/memory.ts";
import { entityKey, holdsKey } from "./entity-key.ts";

/** Tokens of a text for a language model: by characters for scripts with spaces, one per ideograph. */
export function estimateTokens(text: string): number {
  const dense =
    text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu)
      ?.length ?? 0;
  return dense + Math.ceil((text.length - dense) / 4);
}

/** What a language model would be handed instead of the text: the summary and the entities it doesn't name. */
export function recallContext(summary: string, entities: readonly Entity[]): string {
  const said = entityKey(summary);
  const rest = entities.filter((entity) => !holdsKey(said, entityKey(entity.text)));
  return rest.length === 0 ? summary : `${summary} ${rest.map((entity) => entity.text).join(", ")}`;
}

/** Tokens of the original over tokens of summary and remaining entities; 1 for an empty text. */
export function contextRatio(text: string, summary: string, entities: readonly Entity[]): number {
  const handed = estimateTokens(recallContext(summary, entities));
  return handed === 0 ? 1 : estimateTokens(text) / handed;
}

/** Ratios of a text outside any store: `storedBytes` is all of its container, and no index is made. */
export function singleTextRatios(
  originalBytes: number,
  storedBytes: number,
  context: number,
): Ratios {
  const stored = storedBytes === 0 ? 1 : originalBytes / storedBytes;
  return {
    originalBytes,
    storedBytes,
    storedRatio: stored,
    totalRatio: stored,
    contextRatio: context,
  };
}
