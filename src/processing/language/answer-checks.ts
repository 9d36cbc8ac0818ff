/** Refusals of answers that can't be used: empty ones, broken JSON, vectors that don't match their texts. */

import type { GenerateResult } from "../../ports/language-model.ts";
import type { JsonCheck } from "./json-output.ts";
import type { Answer } from "./protocols/protocol-adapter.ts";
import { ProviderError, type Origin } from "./provider-error.ts";

/** `model_failed` for an answer without text, unless the provider's filter took it away. */
export function refuseEmpty(
  origin: Origin,
  text: string,
  finishReason: Answer["finishReason"],
): void {
  if (text.trim() !== "" || finishReason === "filtered") return;
  const { provider, host, model } = origin;
  throw finishReason === "length"
    ? new ProviderError("model_failed", `${model} used up its tokens before it wrote anything.`, {
        hint: "Allow a longer answer, or choose a model that thinks less.",
        retryable: false,
      })
    : new ProviderError("model_failed", `${provider} (${host}) gave an empty answer.`, {
        hint: "Try again, or choose another model.",
        retryable: true,
      });
}

/** An answer that was cut at its limit can't be put right by asking again. */
export function refuseCutJson(
  origin: Origin,
  result: GenerateResult,
  check: JsonCheck & { ok: false },
): void {
  if (result.finishReason !== "length") return;
  throw new ProviderError(
    "model_failed",
    `The JSON of ${origin.model} is cut at its limit of tokens: ${check.problem}.`,
    { hint: "Allow a longer answer." },
  );
}

export function jsonFailure(origin: Origin, problem: string): ProviderError {
  return new ProviderError(
    "model_failed",
    `${origin.model} doesn't answer with the JSON that was asked for: ${problem}.`,
    { hint: "Try again, simplify the schema, or choose a larger model.", retryable: true },
  );
}

/** As many vectors as texts, all of one length, all finite; else `model_failed`. */
export function checkVectors(
  origin: Origin,
  rows: number[][],
  count: number,
  width: number | undefined,
): void {
  const expected = width ?? rows[0]?.length ?? 0;
  const sound =
    rows.length === count &&
    expected > 0 &&
    Array.from(rows).every((row) => row?.length === expected && row.every(Number.isFinite));
  if (!sound)
    throw new ProviderError(
      "model_failed",
      `${origin.provider} (${origin.host}) gave ${rows.length} vectors for ${count} texts, or vectors of different lengths.`,
      { hint: "Check that the model is one that embeds text.", retryable: true },
    );
}
