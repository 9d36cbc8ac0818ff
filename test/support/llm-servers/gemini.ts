/**
 * Google's generateContent, streamGenerateContent (SSE), models and batchEmbedContents, as its API
 * reference describes them: candidates, finish reasons, prompt feedback, usage metadata, google.rpc
 * errors with RetryInfo. Unknown fields are refused as the real JSON transcoding does.
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

const errorBody = (code: number, status: string, message: string, details?: unknown[]) => ({
  error: { code, message, status, ...(details ? { details } : {}) },
});
const error = (code: number, status: string, message: string, details?: unknown[]) =>
  new Refusal(code, errorBody(code, status, message, details));

const parts = z.array(z.strictObject({ text: z.string() })).min(1);

const generateRequest = z.strictObject({
  contents: z.array(z.strictObject({ role: z.enum(["user", "model"]).optional(), parts })).min(1),
  systemInstruction: z.strictObject({ role: z.string().optional(), parts }).optional(),
  generationConfig: z
    .strictObject({
      maxOutputTokens: z.number().int().positive().optional(),
      temperature: z.number().min(0).max(2).optional(),
      topP: z.number().optional(),
      stopSequences: z.array(z.string().min(1)).max(5).optional(),
      responseMimeType: z.enum(["text/plain", "application/json", "text/x.enum"]).optional(),
      responseSchema: z.record(z.string(), z.unknown()).optional(),
      responseJsonSchema: z.record(z.string(), z.unknown()).optional(),
      thinkingConfig: z
        .strictObject({
          thinkingBudget: z.number().int().optional(),
          thinkingLevel: z.enum(["minimal", "low", "medium", "high"]).optional(),
          includeThoughts: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
  safetySettings: z.array(z.unknown()).optional(),
});

const RATINGS = [
  { category: "HARM_CATEGORY_HARASSMENT", probability: "NEGLIGIBLE" },
  { category: "HARM_CATEGORY_DANGEROUS_CONTENT", probability: "NEGLIGIBLE" },
];

function dialect(): Dialect {
  const responseId = crypto.randomUUID();
  const reason = ({ finishReason }: Finished) =>
    ({ stop: "STOP", length: "MAX_TOKENS", filtered: "SAFETY" })[finishReason];
  const usage = ({ usage: counts }: Finished, outputTokens?: number) =>
    counts
      ? {
          usageMetadata: {
            promptTokenCount: counts.inputTokens,
            ...(outputTokens === undefined
              ? {}
              : { candidatesTokenCount: outputTokens - counts.thoughtTokens }),
            ...(counts.thoughtTokens > 0 ? { thoughtsTokenCount: counts.thoughtTokens } : {}),
            totalTokenCount: counts.inputTokens + (outputTokens ?? 0),
            promptTokensDetails: [{ modality: "TEXT", tokenCount: counts.inputTokens }],
          },
        }
      : {};
  const body = (
    prompt: Prompt,
    finished: Finished,
    text: string | null,
    finish: string | null,
    outputTokens?: number,
  ) => ({
    candidates: [
      {
        ...(text === null ? {} : { content: { parts: [{ text }], role: "model" } }),
        ...(finish === null ? {} : { finishReason: finish, safetyRatings: RATINGS }),
        index: 0,
      },
    ],
    ...usage(finished, outputTokens),
    modelVersion: prompt.model,
    responseId,
  });
  const event = (value: unknown) => `data: ${JSON.stringify(value)}\r\n\r\n`;
  return {
    contentType: "application/json; charset=UTF-8",
    streamType: "text/event-stream",
    headers: () => ({ "server-timing": "gfet4t7; dur=320" }),
    complete: (prompt, finished) =>
      body(
        prompt,
        finished,
        finished.finishReason === "filtered" && finished.text === "" ? null : finished.text,
        reason(finished),
        finished.usage?.outputTokens,
      ),
    stream: (prompt, finished) => ({
      lead: [],
      pieces: finished.pieces.map((text, at) =>
        event(
          body(
            prompt,
            finished,
            text,
            null,
            finished.usage ? at + 1 + finished.usage.thoughtTokens : undefined,
          ),
        ),
      ),
      // The last part names the finish reason; a part of its own keeps it apart from the text.
      tail: [
        event(
          body(
            prompt,
            finished,
            finished.finishReason === "filtered" ? null : "",
            reason(finished),
            finished.usage?.outputTokens,
          ),
        ),
      ],
    }),
    streamError: () =>
      event(errorBody(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")),
    malformed: 'data: {"candidates": [{"content": {"parts": [{"te\r\n\r\n',
    refusal(kind) {
      switch (kind) {
        case "rate-limited":
          return {
            status: 429,
            body: errorBody(
              429,
              "RESOURCE_EXHAUSTED",
              "Resource has been exhausted (e.g. check quota).",
              [
                {
                  "@type": "type.googleapis.com/google.rpc.RetryInfo",
                  retryDelay: "0.05s",
                },
              ],
            ),
          };
        case "overloaded":
          return {
            status: 503,
            body: errorBody(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
          };
        case "server-error":
          return {
            status: 500,
            body: errorBody(
              500,
              "INTERNAL",
              "An internal error has occurred. Please retry or report.",
            ),
          };
        case "context-overflow":
          return {
            status: 400,
            body: errorBody(
              400,
              "INVALID_ARGUMENT",
              "The input token count (1048580) exceeds the maximum number of tokens allowed (1048576).",
            ),
          };
      }
    },
    unsupported: (param) =>
      error(
        400,
        "INVALID_ARGUMENT",
        `Invalid JSON payload received. Unknown name "${param}" at 'generation_config': Cannot find field.`,
      ),
    filtered: (prompt) => ({
      promptFeedback: { blockReason: "SAFETY", safetyRatings: RATINGS },
      usageMetadata: { promptTokenCount: prompt.inputTokens, totalTokenCount: prompt.inputTokens },
      modelVersion: prompt.model,
      responseId,
    }),
  };
}

export function startGeminiServer(options: LlmServerOptions = {}): Promise<LlmServer> {
  const models = options.models ?? [
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash",
    "gemini-embedding-001",
  ];
  const exists = (name: string) => {
    if (!models.includes(name))
      throw error(
        404,
        "NOT_FOUND",
        `models/${name} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.`,
      );
  };
  const protocol: Protocol = {
    authorize({ headers, path }, key) {
      const given =
        headers["x-goog-api-key"] ?? new URL(path, "http://host").searchParams.get("key");
      if (given === key) return;
      throw given
        ? error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [
            {
              "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              reason: "API_KEY_INVALID",
              domain: "googleapis.com",
            },
          ])
        : error(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity).",
          );
    },
    notFound: () => error(404, "NOT_FOUND", "Requested entity was not found."),
    badJson: () =>
      error(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unexpected token."),
    routes: {
      "GET /v1beta/models": () => async (_request, context) =>
        context.json({
          models: models.map((name) => ({
            name: `models/${name}`,
            version: "001",
            displayName: name,
            inputTokenLimit: 1_048_576,
            outputTokenLimit: 65_536,
            supportedGenerationMethods: name.includes("embedding")
              ? ["embedContent", "batchEmbedContents"]
              : ["generateContent", "countTokens"],
          })),
        }),
      "POST /v1beta/models/{name}": (rest) => async (request, context) => {
        const [name = "", method = ""] = rest.split("?")[0]!.split(":");
        exists(name);
        if (method === "batchEmbedContents") {
          const batch = z
            .strictObject({
              requests: z
                .array(
                  z.strictObject({
                    model: z.literal(`models/${name}`),
                    content: z.strictObject({ parts }),
                    outputDimensionality: z.number().optional(),
                  }),
                )
                .min(1)
                .max(100),
            })
            .safeParse(request.body);
          if (!batch.success)
            throw error(
              400,
              "INVALID_ARGUMENT",
              `* BatchEmbedContentsRequest: ${batch.error.issues[0]!.message}`,
            );
          return context.json({
            embeddings: batch.data.requests.map(({ content }) => ({
              values: Array.from({ length: 12 }, (_, at) =>
                Math.sin(at + content.parts[0]!.text.length),
              ),
            })),
          });
        }
        if (method !== "generateContent" && method !== "streamGenerateContent")
          throw protocol.notFound(request);
        const parsed = generateRequest.safeParse(request.body);
        if (!parsed.success) {
          const issue = parsed.error.issues[0]!;
          throw error(
            400,
            "INVALID_ARGUMENT",
            issue.code === "unrecognized_keys"
              ? `Invalid JSON payload received. Unknown name "${issue.keys[0]}"${issue.path.length ? ` at '${issue.path.join(".")}'` : ""}: Cannot find field.`
              : `Invalid value at '${issue.path.join(".")}': ${issue.message}`,
          );
        }
        const { contents, systemInstruction, generationConfig: config } = parsed.data;
        if (
          (config?.responseSchema || config?.responseJsonSchema) &&
          config.responseMimeType !== "application/json"
        )
          throw error(
            400,
            "INVALID_ARGUMENT",
            "response schema requires response_mime_type to be application/json",
          );
        const messages = contents.map(({ role, parts: list }) => ({
          role: role === "model" ? "assistant" : "user",
          content: list.map(({ text }) => text).join(""),
        }));
        const system = systemInstruction?.parts.map(({ text }) => text).join("\n") ?? "";
        const stream = method === "streamGenerateContent";
        if (stream && !request.path.includes("alt=sse"))
          throw error(400, "INVALID_ARGUMENT", "This stand-in streams by alt=sse alone.");
        const schema = config?.responseJsonSchema ?? config?.responseSchema;
        const prompt: Prompt = {
          model: name,
          system,
          user: messages.findLast(({ role }) => role === "user")?.content ?? "",
          messages,
          maxTokens: config?.maxOutputTokens,
          stop: config?.stopSequences ?? [],
          temperature: config?.temperature,
          json:
            config?.responseMimeType === "application/json"
              ? schema
                ? { schema }
                : {}
              : undefined,
          stream,
          inputTokens: countTokens([{ content: system }, ...messages]),
          ...(config?.thinkingConfig?.thinkingBudget === 0 ? {} : { thoughtTokens: 96 }),
        };
        await context.answer(prompt, dialect());
      },
    },
  };
  return startServer(protocol, echo, options);
}
