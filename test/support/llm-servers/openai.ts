/**
 * OpenAI's chat completions, responses, models and embeddings, as its API reference describes them:
 * status codes, error objects, event names and their order, the usage chunk, `[DONE]`, limit headers.
 */

import { z } from "zod";
import { countTokens, echo, tokens, type Prompt } from "./scripted-model.ts";
import {
  Refusal,
  startServer,
  type Dialect,
  type Finished,
  type LlmServer,
  type LlmServerOptions,
  type Protocol,
} from "./wire.ts";

export interface OpenAiServerOptions extends LlmServerOptions {
  /** True behaves like the imitators: no key needed, `max_tokens`, unknown fields ignored. */
  compatible?: boolean;
}

const error = (
  status: number,
  message: string,
  type: string,
  code: string | null = null,
  param: string | null = null,
) => new Refusal(status, { error: { message, type, param, code } }, limitHeaders());

const limitHeaders = (): Record<string, string> => ({
  "x-request-id": `req_${crypto.randomUUID().replaceAll("-", "")}`,
  "x-ratelimit-limit-requests": "10000",
  "x-ratelimit-remaining-requests": "9999",
  "x-ratelimit-reset-requests": "6ms",
  "x-ratelimit-limit-tokens": "200000",
  "x-ratelimit-remaining-tokens": "199900",
  "x-ratelimit-reset-tokens": "30ms",
});

const textContent = z.union([
  z.string(),
  z.array(z.object({ type: z.enum(["text", "input_text", "output_text"]), text: z.string() })),
]);
const plain = (content: z.infer<typeof textContent>): string =>
  typeof content === "string" ? content : content.map((part) => part.text).join("");

const schemaFormat = z.object({
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
  schema: z.record(z.string(), z.unknown()),
  strict: z.boolean().nullish(),
});

const chatRequest = z.strictObject({
  model: z.string(),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(["system", "developer", "user", "assistant"]),
        content: textContent,
        name: z.string().optional(),
      }),
    )
    .min(1),
  max_tokens: z.number().int().positive().nullish(),
  max_completion_tokens: z.number().int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  response_format: z
    .union([
      z.strictObject({ type: z.enum(["text", "json_object"]) }),
      z.strictObject({ type: z.literal("json_schema"), json_schema: schemaFormat }),
    ])
    .optional(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high"]).nullish(),
  seed: z.number().int().nullish(),
  user: z.string().optional(),
});

const responsesRequest = z.strictObject({
  model: z.string(),
  instructions: z.string().nullish(),
  input: z.union([
    z.string(),
    z.array(
      z.strictObject({
        type: z.literal("message").optional(),
        role: z.enum(["system", "developer", "user", "assistant"]),
        content: textContent,
      }),
    ),
  ]),
  max_output_tokens: z.number().int().min(16).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
  reasoning: z
    .strictObject({ effort: z.enum(["none", "minimal", "low", "medium", "high"]) })
    .optional(),
  text: z
    .strictObject({
      format: z.union([
        z.strictObject({ type: z.enum(["text", "json_object"]) }),
        z.strictObject({ type: z.literal("json_schema"), ...schemaFormat.shape }),
      ]),
    })
    .optional(),
});

function check<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const param = issue.code === "unrecognized_keys" ? issue.keys[0]! : issue.path.join(".");
  throw issue.code === "unrecognized_keys"
    ? error(
        400,
        `Unrecognized request argument supplied: ${param}`,
        "invalid_request_error",
        "unknown_parameter",
        param,
      )
    : error(
        400,
        `Invalid value for '${param}': ${issue.message}.`,
        "invalid_request_error",
        "invalid_type",
        param,
      );
}

/** Strict schemas must close every object and require every property. */
function checkStrict(format: z.infer<typeof schemaFormat>): void {
  if (!format.strict) return;
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const object = node as Record<string, unknown>;
    if (object["type"] === "object") {
      const names = Object.keys((object["properties"] ?? {}) as object);
      const required = (object["required"] ?? []) as string[];
      if (
        object["additionalProperties"] !== false ||
        names.some((name) => !required.includes(name))
      )
        throw error(
          400,
          `Invalid schema for response_format '${format.name}': 'additionalProperties' is required to be supplied and to be false.`,
          "invalid_request_error",
          null,
          "response_format",
        );
    }
    Object.values(object).forEach(visit);
  };
  visit(format.schema);
}

const THOUGHT_TOKENS = 192;
const thinks = (model: string): boolean =>
  /^(?:o\d|gpt-[5-9])/.test(model) && !model.includes("chat");

function chatDialect(includeUsage: boolean): Dialect {
  const id = `chatcmpl-${crypto.randomUUID()}`;
  const created = Math.floor(Date.now() / 1000);
  const reason = (finished: Finished) =>
    finished.finishReason === "filtered" ? "content_filter" : finished.finishReason;
  const usage = ({ usage: counts }: Finished) =>
    counts && {
      prompt_tokens: counts.inputTokens,
      completion_tokens: counts.outputTokens,
      total_tokens: counts.inputTokens + counts.outputTokens,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: counts.thoughtTokens, audio_tokens: 0 },
    };
  const chunk = (prompt: Prompt, choices: unknown[], extra: object = {}) =>
    `data: ${JSON.stringify({
      id,
      object: "chat.completion.chunk",
      created,
      model: prompt.model,
      service_tier: "default",
      system_fingerprint: "fp_stand_in",
      choices,
      ...(includeUsage ? { usage: null } : {}),
      ...extra,
    })}\n\n`;
  const delta = (prompt: Prompt, value: object, finish: string | null = null) =>
    chunk(prompt, [{ index: 0, delta: value, logprobs: null, finish_reason: finish }]);
  return {
    contentType: "application/json",
    streamType: "text/event-stream; charset=utf-8",
    headers: limitHeaders,
    complete: (prompt, finished) => ({
      id,
      object: "chat.completion",
      created,
      model: prompt.model,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: finished.text, refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: reason(finished),
        },
      ],
      ...(finished.usage ? { usage: usage(finished) } : {}),
      service_tier: "default",
    }),
    stream: (prompt, finished) => ({
      lead: [delta(prompt, { role: "assistant", content: "", refusal: null })],
      pieces: finished.pieces.map((content) => delta(prompt, { content })),
      tail: [
        delta(prompt, {}, reason(finished)),
        ...(includeUsage && finished.usage ? [chunk(prompt, [], { usage: usage(finished) })] : []),
        "data: [DONE]\n\n",
      ],
    }),
    streamError: () =>
      `data: ${JSON.stringify({ error: { message: "The server had an error while processing your request. Sorry about that!", type: "server_error", param: null, code: null } })}\n\n`,
    malformed: 'data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"br\n\n',
    refusal: refusalOf,
    unsupported: (param) =>
      error(
        400,
        `Unsupported parameter: '${param}' is not supported with this model.`,
        "invalid_request_error",
        "unsupported_parameter",
        param,
      ),
  };
}

function refusalOf(kind: Parameters<Dialect["refusal"]>[0], prompt: Prompt) {
  const body = (
    message: string,
    type: string,
    code: string | null,
    param: string | null = null,
  ) => ({
    error: { message, type, param, code },
  });
  switch (kind) {
    case "rate-limited":
      return {
        status: 429,
        body: body(
          `Rate limit reached for ${prompt.model} on requests per min (RPM): Limit 3, Used 3, Requested 1.`,
          "requests",
          "rate_limit_exceeded",
        ),
      };
    case "overloaded":
      return {
        status: 503,
        body: body(
          "The engine is currently overloaded, please try again later",
          "server_error",
          null,
        ),
      };
    case "server-error":
      return {
        status: 500,
        body: body(
          "The server had an error while processing your request. Sorry about that!",
          "server_error",
          null,
        ),
      };
    case "context-overflow":
      return {
        status: 400,
        body: body(
          "This model's maximum context length is 128000 tokens. However, your messages resulted in 130004 tokens. Please reduce the length of the messages.",
          "invalid_request_error",
          "context_length_exceeded",
          "messages",
        ),
      };
  }
}

function responsesDialect(): Dialect {
  const id = `resp_${crypto.randomUUID().replaceAll("-", "")}`;
  const itemId = `msg_${crypto.randomUUID().replaceAll("-", "")}`;
  let sequence = 0;
  const event = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  const part = (text: string) => ({ type: "output_text", annotations: [], logprobs: [], text });
  const response = (prompt: Prompt, finished: Finished | null) => {
    const filtered = finished?.finishReason === "filtered";
    const incomplete = finished !== null && finished.finishReason !== "stop";
    return {
      id,
      object: "response",
      created_at: Math.floor(Date.now() / 1000),
      status: finished === null ? "in_progress" : incomplete ? "incomplete" : "completed",
      error: null,
      incomplete_details: incomplete
        ? { reason: filtered ? "content_filter" : "max_output_tokens" }
        : null,
      model: prompt.model,
      output:
        finished === null
          ? []
          : [
              { id: `rs_${id}`, type: "reasoning", summary: [] },
              {
                id: itemId,
                type: "message",
                status: incomplete ? "incomplete" : "completed",
                role: "assistant",
                content: [part(finished.text)],
              },
            ],
      store: false,
      usage: finished?.usage
        ? {
            input_tokens: finished.usage.inputTokens,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: finished.usage.outputTokens,
            output_tokens_details: { reasoning_tokens: finished.usage.thoughtTokens },
            total_tokens: finished.usage.inputTokens + finished.usage.outputTokens,
          }
        : null,
    };
  };
  const at = { item_id: itemId, output_index: 0, content_index: 0 };
  return {
    contentType: "application/json",
    streamType: "text/event-stream; charset=utf-8",
    headers: limitHeaders,
    complete: response,
    stream: (prompt, finished) => ({
      lead: [
        event("response.created", { response: response(prompt, null) }),
        event("response.in_progress", { response: response(prompt, null) }),
        event("response.output_item.added", {
          output_index: 0,
          item: {
            id: itemId,
            type: "message",
            status: "in_progress",
            role: "assistant",
            content: [],
          },
        }),
        event("response.content_part.added", { ...at, part: part("") }),
      ],
      pieces: finished.pieces.map((delta) =>
        event("response.output_text.delta", { ...at, delta, logprobs: [] }),
      ),
      tail: [
        event("response.output_text.done", { ...at, text: finished.text, logprobs: [] }),
        event("response.content_part.done", { ...at, part: part(finished.text) }),
        event("response.output_item.done", {
          output_index: 0,
          item: response(prompt, finished).output[1],
        }),
        event(finished.finishReason === "stop" ? "response.completed" : "response.incomplete", {
          response: response(prompt, finished),
        }),
      ],
    }),
    streamError: () =>
      event("error", {
        code: "server_error",
        message: "The server had an error while processing your request.",
        param: null,
      }),
    malformed:
      'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","del\n\n',
    refusal: refusalOf,
    unsupported: (param) =>
      error(
        400,
        `Unsupported parameter: '${param}' is not supported with this model.`,
        "invalid_request_error",
        null,
        param,
      ),
  };
}

/** Vectors that depend on the text alone. */
function vectorOf(text: string, width: number): number[] {
  const vector = new Array<number>(width).fill(0);
  for (const [at, char] of [...text].entries())
    vector[(char.codePointAt(0)! + at) % width]! += 1 / (1 + at);
  return vector;
}

export function startOpenAiServer(options: OpenAiServerOptions = {}): Promise<LlmServer> {
  const models = options.models ?? ["gpt-4o-mini", "gpt-5-mini", "text-embedding-3-small"];
  const exists = (model: string) => {
    if (!models.includes(model))
      throw error(
        404,
        `The model \`${model}\` does not exist or you do not have access to it.`,
        "invalid_request_error",
        "model_not_found",
      );
  };
  const promptOf = (
    model: string,
    messages: { role: string; content: z.infer<typeof textContent> }[],
    rest: Pick<Prompt, "maxTokens" | "stop" | "temperature" | "json" | "stream">,
  ): Prompt => {
    const flat = messages.map(({ role, content }) => ({ role, content: plain(content) }));
    return {
      model,
      messages: flat,
      system: flat
        .filter(({ role }) => role === "system" || role === "developer")
        .map(({ content }) => content)
        .join("\n"),
      user: flat.findLast(({ role }) => role === "user")?.content ?? "",
      inputTokens: countTokens(flat),
      ...(!options.compatible && thinks(model) ? { thoughtTokens: THOUGHT_TOKENS } : {}),
      ...rest,
    };
  };
  const protocol: Protocol = {
    authorize({ headers }, key) {
      const given = headers["authorization"];
      if (options.compatible) {
        if (given === undefined || given === `Bearer ${key}`) return;
      } else if (given === `Bearer ${key}`) return;
      throw given === undefined
        ? error(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            "invalid_request_error",
          )
        : error(
            401,
            `Incorrect API key provided: ${given.slice(7)}. You can find your API key at https://platform.openai.com/account/api-keys.`,
            "invalid_request_error",
            "invalid_api_key",
          );
    },
    notFound: ({ method, path }) =>
      error(404, `Invalid URL (${method} ${path})`, "invalid_request_error", null, null),
    badJson: () =>
      error(400, "We could not parse the JSON body of your request.", "invalid_request_error"),
    routes: {
      "POST /v1/chat/completions": () => async (request, context) => {
        const body = check(
          options.compatible ? z.looseObject(chatRequest.shape) : chatRequest,
          request.body,
        ) as z.infer<typeof chatRequest>;
        exists(body.model);
        if (!options.compatible && thinks(body.model)) {
          for (const name of ["max_tokens", "stop"] as const)
            if (body[name] !== undefined && body[name] !== null)
              throw error(
                400,
                `Unsupported parameter: '${name}' is not supported with this model.${name === "max_tokens" ? " Use 'max_completion_tokens' instead." : ""}`,
                "invalid_request_error",
                "unsupported_parameter",
                name,
              );
          if (body.temperature !== undefined && body.temperature !== null && body.temperature !== 1)
            throw error(
              400,
              `Unsupported value: 'temperature' does not support ${body.temperature} with this model. Only the default (1) value is supported.`,
              "invalid_request_error",
              "unsupported_value",
              "temperature",
            );
        }
        const format = body.response_format;
        if (format?.type === "json_schema") checkStrict(format.json_schema);
        if (
          format?.type === "json_object" &&
          !body.messages.some(({ content }) => /json/i.test(plain(content)))
        )
          throw error(
            400,
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "invalid_request_error",
            null,
            "messages",
          );
        if (body.stream_options && !body.stream)
          throw error(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "invalid_request_error",
            null,
            "stream_options",
          );
        const prompt = promptOf(body.model, body.messages, {
          maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
          stop: body.stop == null ? [] : typeof body.stop === "string" ? [body.stop] : body.stop,
          temperature: body.temperature ?? undefined,
          json:
            format?.type === "json_schema"
              ? { schema: format.json_schema.schema }
              : format?.type === "json_object"
                ? {}
                : undefined,
          stream: body.stream ?? false,
        });
        await context.answer(prompt, chatDialect(body.stream_options?.include_usage ?? false));
      },
      "POST /v1/responses": () => async (request, context) => {
        const body = check(responsesRequest, request.body);
        exists(body.model);
        const format = body.text?.format;
        if (format?.type === "json_schema") checkStrict(format);
        const input =
          typeof body.input === "string" ? [{ role: "user", content: body.input }] : body.input;
        const messages = body.instructions
          ? [{ role: "system", content: body.instructions }, ...input]
          : input;
        const prompt = promptOf(body.model, messages, {
          maxTokens: body.max_output_tokens ?? undefined,
          stop: [],
          temperature: body.temperature ?? undefined,
          json:
            format?.type === "json_schema"
              ? { schema: format.schema }
              : format?.type === "json_object"
                ? {}
                : undefined,
          stream: body.stream ?? false,
        });
        await context.answer(prompt, responsesDialect());
      },
      "GET /v1/models": () => async (_request, context) =>
        context.json({
          object: "list",
          data: models.map((id) => ({
            id,
            object: "model",
            created: 1_700_000_000,
            owned_by: "system",
          })),
        }),
      "POST /v1/embeddings": () => async (request, context) => {
        const body = check(
          z.strictObject({
            model: z.string(),
            input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2048)]),
            encoding_format: z.enum(["float", "base64"]).optional(),
            dimensions: z.number().int().positive().optional(),
          }),
          request.body,
        );
        exists(body.model);
        const inputs = typeof body.input === "string" ? [body.input] : body.input;
        const used = inputs.reduce((sum, text) => sum + tokens(text).length, 0);
        context.json({
          object: "list",
          data: inputs.map((text, index) => ({
            object: "embedding",
            index,
            embedding: vectorOf(text, body.dimensions ?? 16),
          })),
          model: body.model,
          usage: { prompt_tokens: used, total_tokens: used },
        });
      },
    },
  };
  return startServer(protocol, echo, options);
}
