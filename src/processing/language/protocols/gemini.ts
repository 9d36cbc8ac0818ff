/** Google's generateContent and streamGenerateContent. The key goes into a header, never into the address. */

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
} from "./protocol-adapter.ts";

const response = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({
            parts: z
              .array(
                z.object({ text, thought: z.boolean().optional().nullable().catch(undefined) }),
              )
              .optional()
              .nullable(),
          })
          .optional()
          .nullable(),
        finishReason: text,
      }),
    )
    .optional()
    .nullable(),
  promptFeedback: z.object({ blockReason: text }).optional().nullable().catch(undefined),
  usageMetadata: z
    .object({
      promptTokenCount: count,
      candidatesTokenCount: count,
      thoughtsTokenCount: count,
      cachedContentTokenCount: count,
    })
    .optional()
    .nullable()
    .catch(undefined),
  modelVersion: text,
});
type Response = z.infer<typeof response>;

const errorBody = z.object({
  error: z.object({
    message: z.string(),
    status: text,
    details: z
      .array(z.looseObject({ "@type": text, retryDelay: text }))
      .optional()
      .nullable()
      .catch(undefined),
  }),
});

const FILTERED = new Set([
  "SAFETY",
  "RECITATION",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "IMAGE_SAFETY",
  "LANGUAGE",
]);

function readFailure(body: unknown): ProviderFailure | null {
  // Outside of SSE a stream is one array of parts.
  const parsed = errorBody.safeParse(Array.isArray(body) ? body[0] : body);
  if (!parsed.success) return null;
  const { error } = parsed.data;
  const delay = error.details?.find((detail) => detail.retryDelay)?.retryDelay;
  const seconds = delay ? Number.parseFloat(delay) : Number.NaN;
  return {
    message: error.message,
    type: error.status ?? undefined,
    ...(Number.isFinite(seconds) ? { retryAfterMs: Math.ceil(seconds * 1000) } : {}),
  };
}

function finishReason(part: Response): Answer["finishReason"] {
  if (part.promptFeedback?.blockReason) return "filtered";
  const reason = part.candidates?.[0]?.finishReason;
  if (!reason || reason === "FINISH_REASON_UNSPECIFIED") return undefined;
  if (reason === "MAX_TOKENS") return "length";
  return FILTERED.has(reason) ? "filtered" : "stop";
}

function partText(part: Response): string {
  const parts = part.candidates?.[0]?.content?.parts ?? [];
  return parts.map((one) => (one.thought ? "" : (one.text ?? ""))).join("");
}

function rawUsage({ usageMetadata: usage }: Response): RawUsage | null {
  if (!usage) return null;
  const thoughts = usage.thoughtsTokenCount ?? 0;
  return {
    inputTokens: usage.promptTokenCount ?? undefined,
    outputTokens:
      typeof usage.candidatesTokenCount === "number"
        ? usage.candidatesTokenCount + thoughts
        : undefined,
    cachedInputTokens: usage.cachedContentTokenCount ?? undefined,
    hiddenTokens: thoughts,
  };
}

class ContentStream implements AnswerStream {
  done = false; // the protocol has no end mark: the last part names a finish reason
  #result: Omit<Answer, "text"> = { finishReason: undefined, usage: null, model: undefined };

  push(event: { data: string }): string {
    const body = parseJson(event.data);
    const failure = readFailure(body);
    if (failure) throw new StreamFailure(failure);
    const part = readShape(response, body, "stream");
    this.#result = {
      finishReason: finishReason(part) ?? this.#result.finishReason,
      usage: rawUsage(part) ?? this.#result.usage,
      model: part.modelVersion ?? this.#result.model,
    };
    return partText(part);
  }

  result(): Omit<Answer, "text"> {
    return this.#result;
  }
}

/** As few thoughts as the model allows: they count as output. */
function thinkingConfig(call: ProtocolCall): Record<string, unknown> {
  if (call.without.has("effort")) return {};
  if (/^gemini-2\.5-pro/.test(call.model)) return { thinkingConfig: { thinkingBudget: 128 } };
  if (/^gemini-2\.5/.test(call.model)) return { thinkingConfig: { thinkingBudget: 0 } };
  if (/^gemini-(?:[3-9]|\d\d)/.test(call.model))
    return { thinkingConfig: { thinkingLevel: "low" } };
  return {};
}

/** Thinking that is turned off needs no room. */
function thinksNot(call: ProtocolCall): boolean {
  return /^gemini-2\.5-(?!pro)/.test(call.model) && !call.without.has("effort");
}

function jsonConfig(call: ProtocolCall): Record<string, unknown> {
  if (!call.json || call.without.has("json_mode")) return {};
  const schema = call.without.has("json_schema") ? undefined : call.json.schema;
  return {
    responseMimeType: "application/json",
    ...(schema ? { responseJsonSchema: schema } : {}),
  };
}

const modelPath = (name: string): string =>
  name.startsWith("models/") || name.startsWith("tunedModels/") ? name : `models/${name}`;

export const gemini: ProtocolAdapter = {
  name: "gemini",
  streamFormat: "sse",
  mayThink: false,
  headers: (key) => (key === null ? {} : { "x-goog-api-key": key }),
  jsonOutput(call) {
    if (call.without.has("json_mode")) return "none";
    return call.json?.schema && !call.without.has("json_schema") ? "schema" : "mode";
  },
  generate(call) {
    const system = call.messages.filter(({ role }) => role === "system");
    return {
      method: "POST",
      path: `/${modelPath(call.model)}:${call.stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
      body: {
        ...(system.length > 0
          ? { systemInstruction: { parts: system.map(({ content }) => ({ text: content })) } }
          : {}),
        contents: call.messages
          .filter(({ role }) => role !== "system")
          .map(({ role, content }) => ({
            role: role === "assistant" ? "model" : "user",
            parts: [{ text: content }],
          })),
        generationConfig: {
          maxOutputTokens: call.maxTokens + (thinksNot(call) ? 0 : call.thinkingTokens),
          ...(call.temperature === undefined || call.without.has("temperature")
            ? {}
            : { temperature: call.temperature }),
          ...(call.stop?.length && !call.without.has("stop")
            ? { stopSequences: call.stop.slice(0, 5) }
            : {}),
          ...thinkingConfig(call),
          ...jsonConfig(call),
        },
      },
    };
  },
  readAnswer(body) {
    const failure = readFailure(body);
    if (failure) throw new StreamFailure(failure);
    const answer = readShape(response, body, "answer");
    return {
      text: partText(answer),
      finishReason: finishReason(answer) ?? "stop",
      usage: rawUsage(answer),
      model: answer.modelVersion ?? undefined,
    };
  },
  openStream: () => new ContentStream(),
  readFailure,
  refusedFeature({ message, type }) {
    if (type !== undefined && type !== "INVALID_ARGUMENT") return null;
    if (/responseJsonSchema|response_json_schema|schema/i.test(message)) return "json_schema";
    if (/JSON mode|responseMimeType|response_mime_type/i.test(message)) return "json_mode";
    if (/thinking/i.test(message)) return "effort";
    return null;
  },
  models: {
    request: { method: "GET", path: "/models?pageSize=1000" },
    read: (body) =>
      readShape(
        z.object({
          models: z.array(
            z.object({
              name: z.string(),
              displayName: text,
              inputTokenLimit: count,
              outputTokenLimit: count,
              supportedGenerationMethods: z.array(z.string()).optional(),
            }),
          ),
        }),
        body,
        "list of models",
      ).models.map((model) => ({
        name: model.name.replace(/^models\//, ""),
        generates: model.supportedGenerationMethods?.includes("generateContent") ?? true,
        ...(model.displayName ? { title: model.displayName } : {}),
        ...(model.inputTokenLimit ? { contextTokens: model.inputTokenLimit } : {}),
        ...(model.outputTokenLimit ? { maxOutputTokens: model.outputTokenLimit } : {}),
      })),
  },
  embed: {
    batchSize: 100,
    request: (model, texts) => ({
      method: "POST",
      path: `/${modelPath(model)}:batchEmbedContents`,
      body: {
        requests: texts.map((one) => ({
          model: modelPath(model),
          content: { parts: [{ text: one }] },
        })),
      },
    }),
    read: (body) => ({
      vectors: readShape(
        z.object({ embeddings: z.array(z.object({ values: z.array(z.number()) })) }),
        body,
        "embeddings",
      ).embeddings.map((row) => row.values),
    }),
  },
};
