/**
 * Fills prompts with one text and its limits. The result is what a model is sent, and nothing of the
 * text stands outside of its quote.
 */

import type { LanguageModelInfo } from "../../../model/language-model.ts";
import type { CompressionMode, ContentKind } from "../../../model/memory.ts";
import type { ChatMessage } from "../../../ports/language-model.ts";
import { findPrompt, PROMPT_TABLE, type Prompt, type PromptId } from "./prompt-table.ts";
import { createMark, neutralize, quoteLine } from "./quoting.ts";

/** Bytes of a word with its blank, in most languages with an alphabet. */
const BYTES_PER_WORD = 6.5;
const MIN_WORDS = 12;
const MAX_FEEDBACK_LINES = 6;

export interface SummaryPromptInput {
  text: string;
  kind: ContentKind | undefined;
  mode: CompressionMode;
  /** UTF-8 bytes that the summary should not exceed. */
  budgetBytes: number;
  /** Several texts that belong together: their gist. */
  gist?: boolean;
  /** What was wrong with an earlier summary. */
  feedback?: readonly string[];
}

export interface BuiltPrompt {
  /** "summarize@1", or "summarize@1+retry@1". */
  version: string;
  messages: ChatMessage[];
  /** The JSON Schema that the answer follows, where one is asked for. */
  schema?: Record<string, unknown>;
}

/** What of a model decides how it is asked. */
export type PromptedModel = Pick<LanguageModelInfo, "tier" | "local"> &
  Partial<Pick<LanguageModelInfo, "contextTokens">>;

/** In so few tokens the ten rules would leave hardly any room for the text. */
const SHORT_CONTEXT_TOKENS = 1_024;

/** Small models on the device follow one short instruction better than ten rules. */
export function isSmall({ tier, local, contextTokens }: PromptedModel): boolean {
  return local && (tier === "fast" || (contextTokens ?? Infinity) <= SHORT_CONTEXT_TOKENS);
}

/** Answers as JSON keep chatter out where the provider enforces the schema. */
function wantsJson(model: Pick<LanguageModelInfo, "local">): boolean {
  return !model.local;
}

export function choosePrompt(
  model: PromptedModel,
  { mode, gist }: Pick<SummaryPromptInput, "mode" | "gist">,
): PromptId {
  if (isSmall(model)) return "summarize-small";
  if (gist) return "gist";
  return mode === "high" ? "summarize-high" : "summarize";
}

export function buildSummaryPrompt(model: PromptedModel, input: SummaryPromptInput): BuiltPrompt {
  const prompt = findPrompt(choosePrompt(model, input));
  const mark = createMark();
  const feedback = (input.feedback ?? []).slice(0, MAX_FEEDBACK_LINES);
  const retry = feedback.length > 0 ? findPrompt("retry") : null;
  const { delimiter, kinds } = PROMPT_TABLE;
  const values: Record<string, string> = {
    open: delimiter.open.replace("{mark}", mark),
    close: delimiter.close.replace("{mark}", mark),
    kind: input.kind === undefined ? "of an unknown kind" : kinds[input.kind],
    bytes: String(Math.max(40, Math.round(input.budgetBytes))),
    words: String(Math.max(MIN_WORDS, Math.round(input.budgetBytes / BYTES_PER_WORD))),
    text: neutralize(input.text, mark),
    feedback: feedback.map((line) => `- ${quoteLine(line, mark)}`).join("\n"),
  };
  const messages = fill(prompt, values);
  // The roles of a conversation must alternate: what was refused joins the same turn.
  if (retry) messages.at(-1)!.content += `\n\n${fill(retry, values)[0]!.content}`;
  const json = wantsJson(model);
  if (json) messages[0]!.content += '\nAnswer with a JSON object: {"summary": "the summary"}.';
  return {
    version: [prompt, ...(retry ? [retry] : [])]
      .map(({ id, version }) => `${id}@${version}`)
      .join("+"),
    messages,
    ...(json ? { schema: PROMPT_TABLE.schema } : {}),
  };
}

export function buildProbePrompt(): BuiltPrompt {
  const prompt = findPrompt("probe");
  return { version: `${prompt.id}@${prompt.version}`, messages: fill(prompt, {}) };
}

/** Replaces each "{name}" once, in the prompt's own words only: a text that holds "{open}" stays as it is. */
function fill(prompt: Prompt, values: Record<string, string>): ChatMessage[] {
  return prompt.messages.map(({ role, content }) => ({
    role,
    content: content
      .join("\n")
      .replace(
        /\{(open|close|kind|bytes|words|text|feedback)\}/g,
        (_match, name: string) => values[name] ?? "",
      ),
  }));
}
