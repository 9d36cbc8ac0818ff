/** From a text and a command's options to what the router is asked. */

import type { RouteRequest } from "../../model/language-model.ts";
import type { CompressionMode, ContentKind } from "../../model/memory.ts";
import { summaryBudget } from "../../processing/compression/summary.ts";
import { analyzeContent } from "../../processing/content/analysis.ts";
import { answerTokens } from "../../processing/language/language-summary-writer.ts";
import { estimateTokens } from "../../processing/language/token-estimate.ts";
import { toModelChoice } from "./options.ts";
import { decodeInput } from "./text-input.ts";

interface RouteOptions {
  mode: CompressionMode;
  kind?: ContentKind | undefined;
  file?: string | undefined;
  model?: string | undefined;
  costLimit?: number | undefined;
  latencyBudget?: number | undefined;
}

const BYTES_PER_TOKEN = 4;

/** `input`: the bytes of the text, or its length in tokens. */
export function planRoute(input: Uint8Array | number, options: RouteOptions): RouteRequest {
  const { mode } = options;
  let { kind } = options;
  let inputTokens = typeof input === "number" ? input : 0;
  let sizeBytes = inputTokens * BYTES_PER_TOKEN;
  if (typeof input !== "number") {
    const { text } = decodeInput(input, options.file ?? "The text");
    kind ??= analyzeContent(text, options.file === undefined ? {} : { path: options.file }).kind;
    inputTokens = estimateTokens(text);
    sizeBytes = input.length;
  }
  return {
    kind,
    mode,
    inputTokens,
    outputTokens: answerTokens(summaryBudget(sizeBytes, mode)),
    ...toModelChoice(options),
  };
}
