/**
 * Anthropic's messages. In a page its servers answer only with the header
 * `anthropic-dangerous-direct-browser-access`, by which the caller says that it knows its key is
 * visible to whoever uses the page; here that is the key's owner.
 */

import { z } from "zod";
import { strictSchema } from "./openai-shared.ts";
import {
  count,
  parseJson,
  readShape,
  StreamFailure,
  text,
  type Answer,
  type AnswerStream,
  type ProtocolAdapter,
  type ProtocolCall,
  type ProviderFailure,
  type RawUsage,
} from "./protocol-adapter.ts";

const API_VERSION = "2023-06-01";

const usageShape = z
  .object({
    input_tokens: count,
    output_tokens: count,
    cache_read_input_tokens: count,
    cache_creation_input_tokens: count,
  })
  .optional()
  .nullable()
  .catch(undefined);
type Usage = z.infer<typeof usageShape>;

const message = z.object({
  type: z.literal("message"),
  model: text,
  content: z.array(z.object({ type: z.string(), text })),
  stop_reason: text,
  usage: usageShape,
});

const streamEvent = z.object({
  type: z.string(),
  message: z.object({ model: text, usage: usageShape }).optional(),
  delta: z.object({ type: text, text, stop_reason: text }).optional(),
  usage: usageShape,
  error: z.object({ type: text, message: text }).optional(),
});

const errorBody = z.object({ error: z.object({ type: text, message: z.string() }) });

function readFailure(body: unknown): ProviderFailure | null {
  const parsed = errorBody.safeParse(body);
  if (!parsed.success) return null;
  const { message: words, type } = parsed.data.error;
  return { message: words, type: type ?? undefined };
}

function finishReason(reason: string | null | undefined): Answer["finishReason"] {
  switch (reason) {
    case null:
    case undefined:
    case "":
      return undefined;
    case "max_tokens":
    case "model_context_window_exceeded":
      return "length";
    case "refusal":
      return "filtered";
    default:
      return "stop";
  }
}

/** What was read from or written to the cache is counted beside `input_tokens`, not inside of it. */
function rawUsage(usage: Usage): RawUsage | null {
  if (!usage) return null;
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    inputTokens:
      typeof usage.input_tokens === "number"
        ? usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0)
        : undefined,
    outputTokens: usage.output_tokens ?? undefined,
    cachedInputTokens: cached,
  };
}

class MessageStream implements AnswerStream {
  done = false;
  #finish: Answer["finishReason"];
  #model: string | undefined;
  #usage: NonNullable<Usage> | null = null;

  push(event: { data: string }): string {
    const part = readShape(streamEvent, parseJson(event.data), "stream");
    switch (part.type) {
      case "message_start":
        this.#model = part.message?.model ?? undefined;
        this.#usage = part.message?.usage ?? null;
        return "";
      case "content_block_delta":
        return part.delta?.type === "text_delta" ? (part.delta.text ?? "") : "";
      case "message_delta":
        this.#finish = finishReason(part.delta?.stop_reason) ?? this.#finish;
        // Counts are cumulative: what the last event says replaces what the first one said.
        if (part.usage)
          this.#usage = {
            ...this.#usage,
            ...Object.fromEntries(
              Object.entries(part.usage).filter(([, value]) => typeof value === "number"),
            ),
          } as NonNullable<Usage>;
        return "";
      case "message_stop":
        this.done = true;
        return "";
      case "error":
        throw new StreamFailure({
          message: part.error?.message ?? "An error without a message.",
          type: part.error?.type ?? undefined,
        });
      default: // ping, content_block_start, content_block_stop, and what may be added later
        return "";
    }
  }

  result(): Omit<Answer, "text"> {
    return { finishReason: this.#finish, usage: rawUsage(this.#usage), model: this.#model };
  }
}

/** Roles must be user or assistant; neighbours of the same role are one turn. */
function turns(call: ProtocolCall): { role: string; content: string }[] {
  const merged: { role: string; content: string }[] = [];
  for (const { role, content } of call.messages) {
    if (role === "system") continue;
    const last = merged.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else merged.push({ role, content });
  }
  return merged;
}

/** The schema that the protocol itself can hold the answer to; open objects it can't. */
function outputSchema(call: ProtocolCall): Record<string, unknown> | null {
  return call.json?.schema && !call.without.has("json_schema")
    ? strictSchema(call.json.schema)
    : null;
}

export const claude: ProtocolAdapter = {
  name: "claude",
  streamFormat: "sse",
  mayThink: false,
  headers: (key, environment) => ({
    "anthropic-version": API_VERSION,
    ...(key === null ? {} : { "x-api-key": key }),
    ...(environment === "page" ? { "anthropic-dangerous-direct-browser-access": "true" } : {}),
  }),
  jsonOutput: (call) => (outputSchema(call) ? "schema" : "none"),
  generate(call) {
    const system = call.messages.filter(({ role }) => role === "system");
    const schema = outputSchema(call);
    // Stop sequences of white space alone are refused; the client cuts at them by itself.
    const stop = call.stop?.filter((sequence) => sequence.trim() !== "") ?? [];
    return {
      method: "POST",
      path: "/messages",
      body: {
        model: call.model,
        max_tokens: call.maxTokens + call.thinkingTokens,
        ...(system.length > 0 ? { system: system.map(({ content }) => content).join("\n\n") } : {}),
        messages: turns(call),
        ...(call.temperature === undefined || call.without.has("temperature")
          ? {}
          : { temperature: Math.min(1, call.temperature) }),
        ...(stop.length > 0 && !call.without.has("stop") ? { stop_sequences: stop } : {}),
        ...(schema ? { output_config: { format: { type: "json_schema", schema } } } : {}),
        stream: call.stream,
      },
    };
  },
  readAnswer(body) {
    const answer = readShape(message, body, "answer");
    return {
      text: answer.content.map((part) => (part.type === "text" ? (part.text ?? "") : "")).join(""),
      finishReason: finishReason(answer.stop_reason) ?? "stop",
      usage: rawUsage(answer.usage),
      model: answer.model ?? undefined,
    };
  },
  openStream: () => new MessageStream(),
  readFailure,
  refusedFeature({ message: words }) {
    // Older models have no `output_config`; newer ones no `temperature`.
    if (/output_config|output_format|structured output|schema/i.test(words)) return "json_schema";
    if (/\btemperature\b/.test(words)) return "temperature";
    if (/\bstop_sequences\b/.test(words)) return "stop";
    return null;
  },
  models: {
    request: { method: "GET", path: "/models?limit=1000" },
    read: (body) =>
      readShape(
        z.object({ data: z.array(z.object({ id: z.string(), display_name: text })) }),
        body,
        "list of models",
      ).data.map((model) => ({
        name: model.id,
        generates: true,
        ...(model.display_name ? { title: model.display_name } : {}),
      })),
  },
};
