/**
 * Ollama's own protocol: chat, generate (one prompt), embeddings; its models are `ollama-models.ts`'s
 * part. Unlike the others it cuts a prompt that is too long without a word: the room is therefore
 * always stated (`num_ctx`), cutting is refused (`truncate`, `shift`), and the client checks before.
 */

import { z } from "zod";
import { ollamaList } from "./ollama-models.ts";
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

const reply = z.object({
  model: text,
  message: z.object({ content: text }).optional().nullable(), // chat
  response: text, // generate
  done: z.boolean().optional().nullable().catch(undefined),
  done_reason: text,
  prompt_eval_count: count,
  eval_count: count,
});
type Reply = z.infer<typeof reply>;

const errorBody = z.object({ error: z.union([z.string(), z.object({ message: z.string() })]) });

function readFailure(body: unknown): ProviderFailure | null {
  const parsed = errorBody.safeParse(body);
  if (!parsed.success) return null;
  const { error } = parsed.data;
  return { message: typeof error === "string" ? error : error.message };
}

function finishReason(part: Reply): Answer["finishReason"] {
  if (!part.done) return undefined;
  return part.done_reason === "length" ? "length" : "stop";
}

function rawUsage(part: Reply): RawUsage | null {
  return part.done
    ? {
        // Left out when the whole prompt was still in the server's cache.
        inputTokens: part.prompt_eval_count ?? undefined,
        outputTokens: part.eval_count ?? undefined,
      }
    : null;
}

class ReplyStream implements AnswerStream {
  done = false;
  #result: Omit<Answer, "text"> = { finishReason: undefined, usage: null, model: undefined };

  push(event: { data: string }): string {
    const body = parseJson(event.data);
    const failure = readFailure(body);
    if (failure) throw new StreamFailure(failure);
    const part = readShape(reply, body, "stream");
    this.#result = {
      finishReason: finishReason(part),
      usage: rawUsage(part),
      model: part.model ?? this.#result.model,
    };
    this.done = part.done === true;
    return part.message?.content ?? part.response ?? "";
  }

  result(): Omit<Answer, "text"> {
    return this.#result;
  }
}

function commonFields(call: ProtocolCall): Record<string, unknown> {
  return {
    model: call.model,
    stream: call.stream,
    ...(call.without.has("effort") ? {} : { think: false }),
    ...(call.json
      ? {
          format: call.json.schema && !call.without.has("json_schema") ? call.json.schema : "json",
        }
      : {}),
    truncate: false,
    shift: false,
    options: {
      num_ctx: call.contextTokens,
      // It thinks only where it was not told to leave it.
      num_predict: call.maxTokens + (call.without.has("effort") ? call.thinkingTokens : 0),
      ...(call.temperature === undefined ? {} : { temperature: call.temperature }),
      ...(call.stop?.length ? { stop: call.stop } : {}),
    },
  };
}

const ollamaBase = {
  streamFormat: "ndjson",
  mayThink: true,
  headers: (key) => (key === null ? {} : { authorization: `Bearer ${key}` }),
  jsonOutput: (call) => (call.json?.schema && !call.without.has("json_schema") ? "schema" : "mode"),
  readAnswer(body) {
    const failure = readFailure(body);
    if (failure) throw new StreamFailure(failure);
    const answer = readShape(reply, body, "answer");
    return {
      text: answer.message?.content ?? answer.response ?? "",
      finishReason: finishReason(answer) ?? "stop",
      usage: rawUsage(answer),
      model: answer.model ?? undefined,
    };
  },
  openStream: () => new ReplyStream(),
  readFailure,
  refusedFeature({ message }) {
    if (/does not support thinking|\bthink\b/i.test(message)) return "effort";
    if (/\bformat\b|grammar|schema/i.test(message)) return "json_schema";
    return null;
  },
  models: ollamaList,
  embed: {
    batchSize: 64,
    request: (model, texts) => ({
      method: "POST",
      path: "/api/embed",
      body: { model, input: texts, truncate: false },
    }),
    read(body) {
      const parsed = readShape(
        z.object({ embeddings: z.array(z.array(z.number())), prompt_eval_count: count }),
        body,
        "embeddings",
      );
      return { vectors: parsed.embeddings, inputTokens: parsed.prompt_eval_count ?? undefined };
    },
  },
} satisfies Omit<ProtocolAdapter, "name" | "generate">;

export const ollama: ProtocolAdapter = {
  ...ollamaBase,
  name: "ollama",
  generate: (call) => ({
    method: "POST",
    path: "/api/chat",
    body: { ...commonFields(call), messages: call.messages },
  }),
};

/**
 * One prompt instead of a conversation, for models whose template takes nothing else. What a system
 * message says stands at the prompt's start: as a parameter it would be dropped with the template.
 */
export const ollamaGenerate: ProtocolAdapter = {
  ...ollamaBase,
  name: "ollama-generate",
  generate: (call) => ({
    method: "POST",
    path: "/api/generate",
    body: { ...commonFields(call), prompt: onePrompt(call.messages) },
  }),
};

function onePrompt(messages: ProtocolCall["messages"]): string {
  const isSystem = ({ role }: ProtocolCall["messages"][number]) => role === "system";
  return [...messages.filter(isSystem), ...messages.filter((message) => !isSystem(message))]
    .map(({ content }) => content)
    .join("\n\n");
}
