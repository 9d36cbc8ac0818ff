/**
 * Ollama's own protocol: chat, generate (raw prompts), the models it holds, embeddings, pulling a
 * model. Unlike the others it cuts a prompt that is too long without a word: the room is therefore
 * always stated (`num_ctx`), cutting is refused (`truncate`, `shift`), and the client checks before.
 */

import { z } from "zod";
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
  type RemoteModel,
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

const tags = z.object({
  models: z.array(
    z.object({
      name: z.string(),
      size: count,
      digest: text,
      remote_host: text,
      details: z
        .object({ family: text, parameter_size: text })
        .optional()
        .nullable()
        .catch(undefined),
    }),
  ),
});

/** "8.0B" → 8, "134.52M" → 0.13452. */
export function parseParameterSize(size: string | null | undefined): number | undefined {
  const match = /^([\d.]+)\s*([MBT])/i.exec(size ?? "");
  if (!match) return undefined;
  const unit = { m: 1e-3, b: 1, t: 1e3 }[match[2]!.toLowerCase()]!;
  return Number(match[1]) * unit;
}

const details = z.object({
  model_info: z.record(z.string(), z.unknown()).optional().nullable().catch(undefined),
  capabilities: z.array(z.string()).optional().nullable().catch(undefined),
  license: text,
});

/** What `/api/show` says of a model: its context and what it can do. */
export const ollamaDetails = {
  request: (name: string) =>
    ({ method: "POST", path: "/api/show", body: { model: name } }) as const,
  read(body: unknown): Partial<RemoteModel> {
    const { model_info, capabilities, license } = readShape(details, body, "model's description");
    const context = Object.entries(model_info ?? {}).find(([key]) =>
      key.endsWith(".context_length"),
    )?.[1];
    const licence = license?.trim().split("\n")[0]?.trim();
    return {
      ...(typeof context === "number" ? { contextTokens: context } : {}),
      ...(capabilities ? { generates: capabilities.includes("completion") } : {}),
      ...(licence ? { licence: licence.slice(0, 80) } : {}),
    };
  },
};

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
  models: {
    request: { method: "GET", path: "/api/tags" },
    read: (body) =>
      readShape(tags, body, "list of models").models.map((model) => {
        const parametersB = parseParameterSize(model.details?.parameter_size);
        return {
          name: model.name,
          generates: !/bert|embed/i.test(`${model.details?.family ?? ""} ${model.name}`),
          ...(model.size ? { sizeBytes: model.size } : {}),
          ...(parametersB === undefined ? {} : { parametersB }),
          ...(model.remote_host ? { forwarded: true } : {}),
          ...(model.digest ? { digest: model.digest } : {}),
        };
      }),
  },
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

/** One prompt instead of a conversation, for models without a chat template. */
export const ollamaGenerate: ProtocolAdapter = {
  ...ollamaBase,
  name: "ollama-generate",
  generate(call) {
    const system = call.messages.filter(({ role }) => role === "system");
    const turns = call.messages.filter(({ role }) => role !== "system");
    return {
      method: "POST",
      path: "/api/generate",
      body: {
        ...commonFields(call),
        ...(system.length > 0 ? { system: system.map(({ content }) => content).join("\n\n") } : {}),
        prompt: turns.map(({ content }) => content).join("\n\n"),
      },
    };
  },
};
