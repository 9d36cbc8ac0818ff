/** OpenAI's responses: the only protocol of some of its models. Nothing is stored at the provider (`store: false`). */

import { z } from "zod";
import {
  openAiEmbeddings,
  openAiHeaders,
  openAiJsonOutput,
  openAiModels,
  readOpenAiFailure,
  refusedOpenAiFeature,
  strictSchema,
} from "./openai-shared.ts";
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
} from "./protocol-adapter.ts";

const response = z.object({
  status: text,
  model: text,
  error: z.object({ code: text, message: text }).optional().nullable().catch(undefined),
  incomplete_details: z.object({ reason: text }).optional().nullable().catch(undefined),
  output: z
    .array(
      z.object({
        type: z.string(),
        content: z
          .array(z.object({ type: z.string(), text, refusal: text }))
          .optional()
          .nullable()
          .catch(undefined),
      }),
    )
    .default([]),
  usage: z
    .object({
      input_tokens: count,
      output_tokens: count,
      input_tokens_details: z
        .object({ cached_tokens: count })
        .optional()
        .nullable()
        .catch(undefined),
      output_tokens_details: z
        .object({ reasoning_tokens: count })
        .optional()
        .nullable()
        .catch(undefined),
    })
    .optional()
    .nullable()
    .catch(undefined),
});

const streamEvent = z.object({
  type: text,
  delta: z.unknown().optional(),
  response: z.unknown().optional(),
  message: text,
  code: text,
  param: text,
});

function readResponse(body: unknown): Answer {
  const parsed = readShape(response, body, "answer");
  if (parsed.status === "failed" || parsed.error)
    throw new StreamFailure({
      message: parsed.error?.message ?? "The response failed.",
      type: parsed.error?.code ?? undefined,
    });
  const parts = parsed.output.flatMap((item) =>
    item.type === "message" ? (item.content ?? []) : [],
  );
  const refused = parts.some((part) => part.type === "refusal");
  const reason = parsed.status === "incomplete" ? parsed.incomplete_details?.reason : undefined;
  return {
    text: parts.map((part) => (part.type === "output_text" ? (part.text ?? "") : "")).join(""),
    finishReason:
      refused || reason === "content_filter"
        ? "filtered"
        : parsed.status === "incomplete"
          ? "length"
          : "stop",
    usage: parsed.usage
      ? {
          inputTokens: parsed.usage.input_tokens ?? undefined,
          outputTokens: parsed.usage.output_tokens ?? undefined,
          cachedInputTokens: parsed.usage.input_tokens_details?.cached_tokens ?? undefined,
          hiddenTokens: parsed.usage.output_tokens_details?.reasoning_tokens ?? undefined,
        }
      : null,
    model: parsed.model ?? undefined,
  };
}

class ResponseStream implements AnswerStream {
  done = false;
  #result: Omit<Answer, "text"> = { finishReason: undefined, usage: null, model: undefined };

  push(event: { event: string; data: string }): string {
    if (event.data === "[DONE]") return "";
    const part = readShape(streamEvent, parseJson(event.data), "stream");
    switch (part.type ?? event.event) {
      case "response.output_text.delta":
        return typeof part.delta === "string" ? part.delta : "";
      case "response.completed":
      case "response.incomplete":
      case "response.failed": {
        const { finishReason, usage, model } = readResponse(part.response);
        this.#result = { finishReason, usage, model };
        this.done = true;
        return "";
      }
      case "error":
        throw new StreamFailure({
          ...(readOpenAiFailure(parseJson(event.data)) ?? { message: event.data }),
          ...(part.code ? { type: part.code } : {}),
        });
      default:
        return "";
    }
  }

  result(): Omit<Answer, "text"> {
    return this.#result;
  }
}

function textFormat(call: ProtocolCall): Record<string, unknown> {
  if (!call.json) return {};
  const { schema, name } = call.json;
  if (schema && !call.without.has("json_schema")) {
    const strict = strictSchema(schema);
    return {
      text: {
        format: { type: "json_schema", name, schema: strict ?? schema, strict: strict !== null },
      },
    };
  }
  return call.without.has("json_mode") ? {} : { text: { format: { type: "json_object" } } };
}

export const openAiResponses: ProtocolAdapter = {
  name: "openai-responses",
  streamFormat: "sse",
  mayThink: false,
  headers: openAiHeaders,
  jsonOutput: openAiJsonOutput,
  generate(call) {
    const instructions = call.messages.filter((message) => message.role === "system");
    return {
      method: "POST",
      path: "/responses",
      body: {
        model: call.model,
        ...(instructions.length > 0
          ? { instructions: instructions.map((message) => message.content).join("\n\n") }
          : {}),
        input: call.messages
          .filter((message) => message.role !== "system")
          .map(({ role, content }) => ({ role, content })),
        // The protocol takes no less than 16; the client cuts an answer that is longer than asked.
        max_output_tokens: Math.max(16, call.maxTokens + call.thinkingTokens),
        ...(call.temperature === undefined || call.without.has("temperature")
          ? {}
          : { temperature: call.temperature }),
        ...(call.thinkingTokens > 0 && !call.without.has("effort")
          ? { reasoning: { effort: "low" } }
          : {}),
        ...textFormat(call),
        // There is no `stop`: the client cuts there by itself.
        store: false,
        stream: call.stream,
      },
    };
  },
  readAnswer: readResponse,
  openStream: () => new ResponseStream(),
  readFailure: readOpenAiFailure,
  refusedFeature: refusedOpenAiFeature,
  models: openAiModels,
  embed: openAiEmbeddings,
};
