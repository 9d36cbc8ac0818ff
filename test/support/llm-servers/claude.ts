/**
 * Anthropic's messages and models, as its API reference describes them: the version header, required
 * fields, `message_start … message_stop` with pings between, cumulative usage, error types, 529.
 */

import { z } from "zod";
import { countTokens, echo, type Prompt } from "./scripted-model.ts";
import {
  Refusal,
  startServer,
  type Dialect,
  type Finished,
  type LlmServer,
  type LlmServerOptions,
  type Protocol,
} from "./wire.ts";

const errorBody = (type: string, message: string) => ({
  type: "error",
  error: { type, message },
  request_id: `req_${crypto.randomUUID().replaceAll("-", "")}`,
});
const error = (status: number, type: string, message: string) =>
  new Refusal(status, errorBody(type, message), headers());

const headers = (): Record<string, string> => ({
  "request-id": `req_${crypto.randomUUID().replaceAll("-", "")}`,
  "anthropic-ratelimit-requests-limit": "50",
  "anthropic-ratelimit-requests-remaining": "49",
  "anthropic-ratelimit-requests-reset": new Date(Date.now() + 60_000).toISOString(),
});

const content = z.union([
  z.string(),
  z.array(z.strictObject({ type: z.literal("text"), text: z.string().min(1) })),
]);
const plain = (value: z.infer<typeof content>): string =>
  typeof value === "string" ? value : value.map((part) => part.text).join("");

const messagesRequest = z.strictObject({
  model: z.string(),
  max_tokens: z.number().int().min(1),
  messages: z.array(z.strictObject({ role: z.enum(["user", "assistant"]), content })).min(1),
  system: content.optional(),
  temperature: z.number().min(0).max(1).optional(),
  stop_sequences: z
    .array(z.string().regex(/\S/, "each stop sequence must contain non-whitespace"))
    .optional(),
  stream: z.boolean().optional(),
  metadata: z.strictObject({ user_id: z.string().optional() }).optional(),
  output_config: z
    .strictObject({
      format: z.strictObject({
        type: z.literal("json_schema"),
        schema: z.record(z.string(), z.unknown()),
      }),
    })
    .optional(),
});

/** Structured outputs take closed objects only. */
function checkClosed(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  const object = node as Record<string, unknown>;
  if (object["type"] === "object" && object["additionalProperties"] !== false)
    throw error(
      400,
      "invalid_request_error",
      "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    );
  Object.values(object).forEach(checkClosed);
}

function dialect(): Dialect {
  const id = `msg_${crypto.randomUUID().replaceAll("-", "")}`;
  const event = (type: string, fields: object = {}) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  const stopReason = ({ finishReason }: Finished) =>
    ({ stop: "end_turn", length: "max_tokens", filtered: "refusal" })[finishReason];
  const usage = (finished: Finished, outputTokens: number) =>
    finished.usage && {
      input_tokens: finished.usage.inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: outputTokens,
      service_tier: "standard",
    };
  return {
    contentType: "application/json",
    streamType: "text/event-stream; charset=utf-8",
    headers,
    complete: (prompt, finished) => ({
      id,
      type: "message",
      role: "assistant",
      model: prompt.model,
      content: finished.text === "" ? [] : [{ type: "text", text: finished.text }],
      stop_reason: stopReason(finished),
      stop_sequence: null,
      ...(finished.usage ? { usage: usage(finished, finished.usage.outputTokens) } : {}),
    }),
    stream: (prompt, finished) => ({
      lead: [
        event("message_start", {
          message: {
            id,
            type: "message",
            role: "assistant",
            model: prompt.model,
            content: [],
            stop_reason: null,
            stop_sequence: null,
            ...(finished.usage ? { usage: usage(finished, 1) } : {}),
          },
        }),
        event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
        event("ping"),
      ],
      pieces: finished.pieces.map((text) =>
        event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
      ),
      tail: [
        event("content_block_stop", { index: 0 }),
        event("message_delta", {
          delta: { stop_reason: stopReason(finished), stop_sequence: null },
          ...(finished.usage ? { usage: { output_tokens: finished.usage.outputTokens } } : {}),
        }),
        event("message_stop"),
      ],
    }),
    streamError: () =>
      event("error", { error: { type: "overloaded_error", message: "Overloaded" } }),
    malformed: 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"del\n\n',
    refusal(kind, prompt) {
      switch (kind) {
        case "rate-limited":
          return {
            status: 429,
            body: errorBody(
              "rate_limit_error",
              "This request would exceed the rate limit for your organization of 50 requests per minute.",
            ),
          };
        case "overloaded":
          return { status: 529, body: errorBody("overloaded_error", "Overloaded") };
        case "server-error":
          return { status: 500, body: errorBody("api_error", "Internal server error") };
        case "context-overflow":
          return {
            status: 400,
            body: errorBody(
              "invalid_request_error",
              `prompt is too long: ${prompt.inputTokens + 200_000} tokens > 200000 maximum`,
            ),
          };
      }
    },
    unsupported: (param) =>
      error(400, "invalid_request_error", `${param}: Extra inputs are not permitted`),
  };
}

export function startClaudeServer(options: LlmServerOptions = {}): Promise<LlmServer> {
  const models = options.models ?? ["claude-haiku-4-5", "claude-sonnet-5-5"];
  const protocol: Protocol = {
    authorize({ headers: given }, key) {
      if (given["x-api-key"] !== key)
        throw error(
          401,
          "authentication_error",
          given["x-api-key"] ? "invalid x-api-key" : "x-api-key header is required",
        );
      if (!given["anthropic-version"])
        throw error(400, "invalid_request_error", "anthropic-version: header is required");
      if (given["origin"] && given["anthropic-dangerous-direct-browser-access"] !== "true")
        throw error(
          401,
          "authentication_error",
          "CORS requests must set 'anthropic-dangerous-direct-browser-access' header",
        );
    },
    notFound: () => error(404, "not_found_error", "Not found"),
    badJson: () => error(400, "invalid_request_error", "The request body is not valid JSON"),
    routes: {
      "POST /v1/messages": () => async (request, context) => {
        const parsed = messagesRequest.safeParse(request.body);
        if (!parsed.success) {
          const issue = parsed.error.issues[0]!;
          throw error(
            400,
            "invalid_request_error",
            issue.code === "unrecognized_keys"
              ? `${[...issue.path, issue.keys[0]].join(".")}: Extra inputs are not permitted`
              : `${issue.path.join(".")}: ${issue.message === "Invalid input: expected number, received undefined" ? "Field required" : issue.message}`,
          );
        }
        const body = parsed.data;
        if (!models.includes(body.model))
          throw error(404, "not_found_error", `model: ${body.model}`);
        if (body.output_config) checkClosed(body.output_config.format.schema);
        const messages = body.messages.map(({ role, content: value }) => ({
          role,
          content: plain(value),
        }));
        if (messages[0]!.role !== "user")
          throw error(
            400,
            "invalid_request_error",
            'messages: first message must use the "user" role',
          );
        if (messages.some(({ content: value }) => value === ""))
          throw error(
            400,
            "invalid_request_error",
            "messages: text content blocks must be non-empty",
          );
        const system = body.system === undefined ? "" : plain(body.system);
        const prompt: Prompt = {
          model: body.model,
          system,
          user: messages.findLast(({ role }) => role === "user")?.content ?? "",
          messages,
          maxTokens: body.max_tokens,
          stop: body.stop_sequences ?? [],
          temperature: body.temperature,
          json: body.output_config ? { schema: body.output_config.format.schema } : undefined,
          stream: body.stream ?? false,
          inputTokens: countTokens([{ content: system }, ...messages]),
        };
        await context.answer(prompt, dialect());
      },
      "GET /v1/models": () => async (_request, context) =>
        context.json({
          data: models.map((id) => ({
            type: "model",
            id,
            display_name: id,
            created_at: "2025-10-01T00:00:00Z",
          })),
          has_more: false,
          first_id: models[0] ?? null,
          last_id: models.at(-1) ?? null,
        }),
    },
  };
  return startServer(protocol, echo, options);
}
