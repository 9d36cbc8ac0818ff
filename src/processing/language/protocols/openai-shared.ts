/** What both OpenAI protocols and the servers that imitate them have in common: headers, refusals, models, embeddings, strict schemas. */

import { z } from "zod";
import {
  count,
  readShape,
  text,
  type Feature,
  type ProtocolAdapter,
  type ProtocolCall,
  type ProviderFailure,
} from "./protocol-adapter.ts";

export function openAiHeaders(key: string | null): Record<string, string> {
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

const errorObject = z.object({
  message: text,
  type: text,
  code: z.union([z.string(), z.number()]).optional().nullable().catch(undefined),
  param: text,
});
/** Imitators send `{error: "…"}`, `{message}`, `{detail}` or an object as OpenAI's. */
const errorBody = z.object({
  error: z.union([errorObject, z.string()]).optional().nullable().catch(undefined),
  message: text,
  detail: z.unknown().optional(),
  type: text,
  code: z.union([z.string(), z.number()]).optional().nullable().catch(undefined),
  param: text,
});

export function readOpenAiFailure(body: unknown): ProviderFailure | null {
  const parsed = errorBody.safeParse(body);
  if (!parsed.success) return null;
  const { error, detail } = parsed.data;
  if (typeof error === "string") return { message: error };
  const source = error ?? parsed.data;
  const message =
    source.message ??
    (typeof detail === "string" ? detail : detail ? JSON.stringify(detail) : undefined);
  if (!message) return null;
  return {
    message,
    type:
      source.code === undefined || source.code === null
        ? (source.type ?? undefined)
        : String(source.code),
    param: source.param ?? undefined,
  };
}

const PARAM_FEATURES: [RegExp, Feature][] = [
  [/^temperature$/, "temperature"],
  [/^stop$/, "stop"],
  [/^(?:response_format|text)(?:\.|$)/, "json_schema"],
  [/^stream_options/, "stream_usage"],
  [/^max_completion_tokens$/, "max_completion_tokens"],
  [/^reasoning(?:_effort|\.effort)?$/, "effort"],
];

/** By the parameter that the refusal names, else by the words of servers that name none. */
export function refusedOpenAiFeature(failure: ProviderFailure): Feature | null {
  const named = PARAM_FEATURES.find(([pattern]) => pattern.test(failure.param ?? ""));
  if (named) return named[1];
  if (failure.param) return null;
  const words =
    /unsupported|not supported|unrecognized|unknown|unexpected|extra (?:fields|inputs)|not permitted|invalid/i;
  if (!words.test(failure.message)) return null;
  for (const parameter of [
    "stream_options",
    "response_format",
    "max_completion_tokens",
    "reasoning_effort",
    "temperature",
  ])
    if (failure.message.includes(parameter))
      return PARAM_FEATURES.find(([pattern]) => pattern.test(parameter))![1];
  return null;
}

const modelList = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      // vLLM, llama.cpp, LM Studio and OpenRouter tell the context, each by its own name.
      max_model_len: count,
      context_length: count,
      max_context_length: count,
      meta: z
        .object({ n_ctx: count, n_ctx_train: count, size: count, n_params: count })
        .optional()
        .nullable()
        .catch(undefined),
    }),
  ),
});

export const openAiModels: NonNullable<ProtocolAdapter["models"]> = {
  request: { method: "GET", path: "/models" },
  read: (body) =>
    readShape(modelList, body, "list of models").data.map((model) => {
      const contextTokens =
        model.max_model_len ??
        model.context_length ??
        model.max_context_length ??
        model.meta?.n_ctx ??
        model.meta?.n_ctx_train;
      return {
        name: model.id,
        generates:
          !/embed|whisper|tts|dall-e|moderation|rerank|image|audio|realtime|transcri/i.test(
            model.id,
          ),
        ...(contextTokens ? { contextTokens } : {}),
        ...(model.meta?.size ? { sizeBytes: model.meta.size } : {}),
        ...(model.meta?.n_params ? { parametersB: model.meta.n_params / 1e9 } : {}),
      };
    }),
};

const embeddings = z.object({
  data: z.array(
    z.object({ index: z.number().int().nonnegative().optional(), embedding: z.array(z.number()) }),
  ),
  usage: z.object({ prompt_tokens: count }).optional().nullable().catch(undefined),
});

export const openAiEmbeddings: NonNullable<ProtocolAdapter["embed"]> = {
  batchSize: 256,
  request: (model, texts) => ({
    method: "POST",
    path: "/embeddings",
    body: { model, input: texts, encoding_format: "float" },
  }),
  read(body) {
    const { data, usage } = readShape(embeddings, body, "embeddings");
    const vectors: number[][] = [];
    data.forEach((row, at) => (vectors[row.index ?? at] = row.embedding));
    return { vectors, inputTokens: usage?.prompt_tokens ?? undefined };
  },
};

/**
 * The schema as strict modes want it: every object closed, every property required. Null when that
 * would refuse documents that the schema asks for (open objects, maps). What fits it fits the original.
 */
export function strictSchema(schema: Record<string, unknown>): Record<string, unknown> | null {
  let strict = true;
  const visit = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(visit);
    if (typeof node !== "object" || node === null) return node;
    const object = Object.fromEntries(
      Object.entries(node).map(([key, value]) => [
        key,
        key === "properties" && typeof value === "object" && value !== null
          ? Object.fromEntries(Object.entries(value).map(([name, child]) => [name, visit(child)]))
          : key === "enum" || key === "const" || key === "default" || key === "examples"
            ? value
            : visit(value),
      ]),
    );
    const isObject = object["type"] === "object" || "properties" in object;
    if (!isObject) return object;
    if (object["additionalProperties"] !== undefined && object["additionalProperties"] !== false)
      strict = false;
    if (object["properties"] === undefined) strict = false;
    return {
      ...object,
      additionalProperties: false,
      required: Object.keys((object["properties"] as object | undefined) ?? {}),
    };
  };
  const closed = visit(schema) as Record<string, unknown>;
  return strict ? closed : null;
}

export function openAiJsonOutput(call: ProtocolCall): "schema" | "mode" | "none" {
  if (call.json?.schema && !call.without.has("json_schema")) return "schema";
  return call.without.has("json_mode") ? "none" : "mode";
}
