/**
 * OpenAI's chat completions, and the many servers that speak them (llama.cpp, vLLM, LM Studio,
 * OpenRouter, Groq, …). Imitators differ in small things: see `features` and `openai-shared.ts`.
 */

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
  type RawUsage,
} from "./protocol-adapter.ts";

const usageShape = z
  .object({
    prompt_tokens: count,
    completion_tokens: count,
    prompt_tokens_details: z
      .object({ cached_tokens: count })
      .optional()
      .nullable()
      .catch(undefined),
    completion_tokens_details: z
      .object({ reasoning_tokens: count })
      .optional()
      .nullable()
      .catch(undefined),
  })
  .optional()
  .nullable()
  .catch(undefined);

const completion = z.object({
  model: text,
  choices: z
    .array(
      z.object({
        message: z.object({ content: text, refusal: text }),
        finish_reason: text,
      }),
    )
    .min(1),
  usage: usageShape,
});

const chunk = z.object({
  model: text,
  choices: z
    .array(
      z.object({
        delta: z.object({ content: text, refusal: text }).optional().nullable(),
        finish_reason: text,
      }),
    )
    .optional()
    .nullable(),
  usage: usageShape,
});

function finishReason(reason: string | null | undefined, refused: boolean): Answer["finishReason"] {
  if (refused || reason === "content_filter") return "filtered";
  if (reason === "length") return "length";
  return reason ? "stop" : undefined;
}

function rawUsage(usage: z.infer<typeof usageShape>): RawUsage | null {
  if (!usage) return null;
  return {
    inputTokens: usage.prompt_tokens ?? undefined,
    outputTokens: usage.completion_tokens ?? undefined,
    cachedInputTokens: usage.prompt_tokens_details?.cached_tokens ?? undefined,
    hiddenTokens: usage.completion_tokens_details?.reasoning_tokens ?? undefined,
  };
}

function responseFormat(call: ProtocolCall): Record<string, unknown> {
  if (!call.json) return {};
  const { schema, name } = call.json;
  if (schema && !call.without.has("json_schema")) {
    const strict = strictSchema(schema);
    return {
      response_format: {
        type: "json_schema",
        json_schema: { name, schema: strict ?? schema, strict: strict !== null },
      },
    };
  }
  return call.without.has("json_mode") ? {} : { response_format: { type: "json_object" } };
}

class ChatStream implements AnswerStream {
  done = false;
  #finish: Answer["finishReason"];
  #refused = false;
  #usage: RawUsage | null = null;
  #model: string | undefined;

  push(event: { data: string }): string {
    if (event.data === "[DONE]") {
      this.done = true;
      // Imitators that never name a finish reason still send the end mark.
      this.#finish ??= "stop";
      return "";
    }
    const body = parseJson(event.data);
    if (typeof body === "object" && body !== null && "error" in body && body.error)
      throw new StreamFailure(readOpenAiFailure(body) ?? { message: event.data });
    const part = readShape(chunk, body, "stream");
    this.#model ??= part.model ?? undefined;
    this.#usage = rawUsage(part.usage) ?? this.#usage;
    const choice = part.choices?.[0];
    if (choice?.delta?.refusal) this.#refused = true;
    this.#finish = finishReason(choice?.finish_reason, this.#refused) ?? this.#finish;
    return choice?.delta?.content ?? "";
  }

  result(): Omit<Answer, "text"> {
    return { finishReason: this.#finish, usage: this.#usage, model: this.#model };
  }
}

/** `dialect` "openai" is OpenAI's own; "compatible" avoids what imitators don't know. */
export function openAiChat(dialect: "openai" | "compatible"): ProtocolAdapter {
  return {
    name: "openai-chat",
    streamFormat: "sse",
    mayThink: dialect === "compatible",
    headers: openAiHeaders,
    jsonOutput: openAiJsonOutput,
    generate(call) {
      const thinking = call.thinkingTokens > 0;
      const newName = dialect === "openai" && !call.without.has("max_completion_tokens");
      return {
        method: "POST",
        path: "/chat/completions",
        body: {
          model: call.model,
          messages: call.messages,
          [newName ? "max_completion_tokens" : "max_tokens"]: call.maxTokens + call.thinkingTokens,
          ...(call.temperature === undefined || call.without.has("temperature")
            ? {}
            : { temperature: call.temperature }),
          // Models that think refuse `stop`; the client cuts there by itself.
          ...(call.stop?.length && !thinking && !call.without.has("stop")
            ? { stop: call.stop.slice(0, 4) }
            : {}),
          ...(thinking && dialect === "openai" && !call.without.has("effort")
            ? { reasoning_effort: "low" }
            : {}),
          ...responseFormat(call),
          stream: call.stream,
          ...(call.stream && !call.without.has("stream_usage")
            ? { stream_options: { include_usage: true } }
            : {}),
        },
      };
    },
    readAnswer(body) {
      const answer = readShape(completion, body, "answer");
      const { message, finish_reason } = answer.choices[0]!;
      return {
        text: message.content ?? "",
        finishReason: finishReason(finish_reason, Boolean(message.refusal)) ?? "stop",
        usage: rawUsage(answer.usage),
        model: answer.model ?? undefined,
      };
    },
    openStream: () => new ChatStream(),
    readFailure: readOpenAiFailure,
    refusedFeature: refusedOpenAiFeature,
    models: openAiModels,
    embed: openAiEmbeddings,
  };
}
