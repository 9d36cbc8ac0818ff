/** The provider's token counts where they can be true, estimates where it is silent or they can't. */

import type { ChatMessage, TokenUsage } from "../../ports/language-model.ts";
import type { RawUsage } from "./protocols/protocol-adapter.ts";
import { estimateMessageTokens, estimateTokens, mostTokens } from "./token-estimate.ts";

/** Chat template, tools and hidden prompts that a provider may add to what was sent. */
const OVERHEAD_TOKENS = 2048;
/** Thoughts that may come on top of the answer's limit. */
const THOUGHT_TOKENS = 4096;
/** No vocabulary packs ordinary text tighter than that. */
const MOST_CHARS_PER_TOKEN = 24;

export function checkUsage(
  raw: RawUsage | null,
  messages: readonly ChatMessage[],
  answer: string,
  maxTokens: number,
): TokenUsage {
  const promptChars = messages.reduce((sum, message) => sum + message.content.length, 0);
  const promptMost = messages.reduce(
    (sum, message) => sum + mostTokens(message.content) + 64,
    OVERHEAD_TOKENS,
  );
  const input = plausible(raw?.inputTokens, promptChars / MOST_CHARS_PER_TOKEN, promptMost);
  // Thoughts are paid for and not seen: only what remains of the count must fit the text.
  const hidden = isCount(raw?.hiddenTokens) ? raw.hiddenTokens : 0;
  const output = plausible(
    raw?.outputTokens,
    answer.length / MOST_CHARS_PER_TOKEN,
    Math.min(mostTokens(answer) + hidden, maxTokens + THOUGHT_TOKENS) + OVERHEAD_TOKENS,
  );
  const cached = raw?.cachedInputTokens;
  return {
    inputTokens: input ?? estimateMessageTokens(messages),
    outputTokens: output ?? estimateTokens(answer),
    ...(input !== null && isCount(cached) && cached > 0 && cached <= input
      ? { cachedInputTokens: cached }
      : {}),
    ...(input === null || output === null ? { estimated: true } : {}),
  };
}

export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  const cached = (a.cachedInputTokens ?? 0) + (b.cachedInputTokens ?? 0);
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    ...(cached > 0 ? { cachedInputTokens: cached } : {}),
    ...(a.estimated || b.estimated ? { estimated: true } : {}),
  };
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}

function plausible(value: number | undefined, least: number, most: number): number | null {
  return isCount(value) && value >= Math.ceil(least) && value <= most ? value : null;
}
