/** Checks a request and plans the call that it becomes: its limits within the model's context, never cutting the text. */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { ChatMessage, GenerateRequest } from "../../ports/language-model.ts";
import type { Feature, ProtocolCall } from "./protocols/protocol-adapter.ts";
import { estimateMessageTokens } from "./token-estimate.ts";

/** An answer's limit where the caller gives none. */
const DEFAULT_MAX_TOKENS = 4096;
/** A context with less room than that for the answer is as good as full. */
const LEAST_ANSWER_TOKENS = 16;
/** A token is hardly ever longer; text beyond it means that the server ignores the limit. */
const MOST_CHARS_PER_TOKEN = 16;
/** A server's limit covers thoughts and answer together: the answer's own is then kept to by its length. */
const CHARS_PER_TOKEN = 5;
const SLACK_CHARS = 64;

const requestSchema = z.object({
  messages: z
    .array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() }))
    .min(1)
    .refine(
      (messages) => messages.some(({ role, content }) => role !== "system" && content !== ""),
      {
        error: "needs a message of the user that isn't empty",
      },
    ),
  maxTokens: z.number().int().positive().optional(),
  temperature: z.number().min(0).max(2).optional(),
  stop: z.array(z.string().min(1)).max(16).optional(),
  json: z
    .object({
      schema: z.record(z.string(), z.unknown()).optional(),
      name: z
        .string()
        .regex(/^[\w-]{1,64}$/)
        .optional(),
    })
    .optional(),
  signal: z.instanceof(AbortSignal).optional(),
  timeoutMs: z.number().positive().optional(),
  onAttempt: z.unknown().optional(),
  onTurn: z.unknown().optional(),
});

/** `invalid_input` naming the field that is wrong. */
export function validateRequest(request: GenerateRequest): void {
  const checked = requestSchema.safeParse(request);
  if (checked.success) return;
  const issue = checked.error.issues[0];
  throw new AppError(
    "invalid_input",
    `The request to the language model is wrong at ${issue?.path.join(".") || "its top"}: ${issue?.message ?? "unknown"}.`,
    { hint: "See GenerateRequest for what each field takes." },
  );
}

export interface PlanInput {
  request: GenerateRequest;
  /** With repairs and instructions. */
  messages: readonly ChatMessage[];
  model: string;
  contextTokens: number;
  maxOutputTokens: number | undefined;
  thinkingTokens: number;
  /** The model refuses a temperature. */
  fixedSampling: boolean;
  stream: boolean;
  without: ReadonlySet<Feature>;
}

export interface CallPlan {
  call: ProtocolCall;
  /** Estimated. */
  inputTokens: number;
  /** Longest text that is let through. */
  maxChars: number;
}

/** `too_large` when prompt and answer have no room together: nothing is ever cut from a prompt. */
export function planCall(input: PlanInput): CallPlan {
  const { request, messages, contextTokens } = input;
  const inputTokens = estimateMessageTokens(messages);
  const room = contextTokens - inputTokens - input.thinkingTokens;
  const asked = request.maxTokens ?? DEFAULT_MAX_TOKENS;
  if (room < Math.min(asked, LEAST_ANSWER_TOKENS))
    throw new AppError(
      "too_large",
      `The text is about ${inputTokens} tokens; ${input.model} takes ${contextTokens} with the answer.`,
      { hint: "Split the text, or choose a model with a larger context." },
    );
  const longest = (input.maxOutputTokens ?? Number.POSITIVE_INFINITY) - input.thinkingTokens;
  const maxTokens = Math.min(asked, room, Math.max(LEAST_ANSWER_TOKENS, longest));
  return {
    inputTokens,
    maxChars:
      maxTokens * (input.thinkingTokens > 0 ? CHARS_PER_TOKEN : MOST_CHARS_PER_TOKEN) + SLACK_CHARS,
    call: {
      model: input.model,
      messages,
      maxTokens,
      thinkingTokens: input.thinkingTokens,
      ...(request.temperature === undefined || input.fixedSampling
        ? {}
        : { temperature: request.temperature }),
      ...(request.stop === undefined ? {} : { stop: request.stop }),
      ...(request.json ? { json: { ...request.json, name: request.json.name ?? "answer" } } : {}),
      stream: input.stream,
      contextTokens: statedContext(contextTokens, inputTokens + input.thinkingTokens + maxTokens),
      without: input.without,
    },
  };
}

/**
 * Room to ask a server for: estimates may be low by a quarter, and steps of a power of two keep a
 * server from loading the model anew for every text.
 */
function statedContext(contextTokens: number, neededTokens: number): number {
  const generous = Math.ceil(neededTokens * 1.25) + 64;
  return Math.min(contextTokens, Math.max(4096, 2 ** Math.ceil(Math.log2(generous))));
}
