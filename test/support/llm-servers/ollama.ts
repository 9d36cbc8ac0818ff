/**
 * Ollama's chat, generate, tags, show, pull, delete, embed and version, as its API page describes them:
 * NDJSON, durations in nanoseconds, `done_reason`, errors as `{"error": "…"}`. A prompt that is longer
 * than `num_ctx` is cut without a word unless `truncate` is false, and a system prompt is dropped where
 * the model's template has no place for it, as the real one does.
 */

import { z } from "zod";
import { OllamaLibrary, type LibraryModel } from "./ollama-library.ts";
import { countTokens, echo, tokens, type Prompt } from "./scripted-model.ts";
import {
  Refusal,
  startServer,
  type Dialect,
  type LlmServer,
  type LlmServerOptions,
  type Protocol,
} from "./wire.ts";

export interface OllamaModel {
  name: string;
  /** "8.0B" */
  parameterSize: string;
  sizeBytes: number;
  contextTokens: number;
  /** Default completion. */
  capabilities?: string[];
  /** Of models that another host runs. */
  remoteHost?: string;
  /** Default one for conversations. */
  template?: string;
  /** The server's own code that writes its prompts. */
  renderer?: string;
}

export interface OllamaServerOptions extends Omit<LlmServerOptions, "models"> {
  models?: OllamaModel[];
  /** What can be pulled; default nothing. */
  library?: LibraryModel[];
}

const MODELS: OllamaModel[] = [
  { name: "llama3.2:3b", parameterSize: "3.2B", sizeBytes: 2_019_393_189, contextTokens: 131_072 },
  { name: "smollm2:135m", parameterSize: "134.52M", sizeBytes: 270_898_672, contextTokens: 8_192 },
  {
    name: "nomic-embed-text:latest",
    parameterSize: "137M",
    sizeBytes: 274_302_450,
    contextTokens: 2_048,
    capabilities: ["embedding"],
  },
];

/** Continues a prompt, and knows no conversation. */
export const COMPLETION_MODEL: OllamaModel = {
  name: "stories15m:text",
  parameterSize: "15.19M",
  sizeBytes: 60_800_000,
  contextTokens: 4_096,
  template: "{{ .Prompt }}",
};

const CHAT_TEMPLATE =
  "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n";
const DEFAULT_NUM_CTX = 4096;

const error = (status: number, message: string) => new Refusal(status, { error: message });

const options = z
  .looseObject({
    num_ctx: z.number().int().positive().optional(),
    num_predict: z.number().int().optional(),
    temperature: z.number().optional(),
    stop: z.array(z.string()).optional(),
  })
  .optional();
const format = z
  .union([z.literal("json"), z.literal(""), z.record(z.string(), z.unknown())])
  .optional();
const common = {
  model: z.string().min(1),
  stream: z.boolean().optional(),
  think: z.union([z.boolean(), z.enum(["low", "medium", "high"])]).optional(),
  truncate: z.boolean().optional(),
  shift: z.boolean().optional(),
  keep_alive: z.union([z.string(), z.number()]).optional(),
  options,
  format,
};
const chatRequest = z.looseObject({
  ...common,
  messages: z.array(
    z.looseObject({ role: z.enum(["system", "user", "assistant", "tool"]), content: z.string() }),
  ),
});
const generateRequest = z.looseObject({
  ...common,
  prompt: z.string(),
  system: z.string().optional(),
  raw: z.boolean().optional(),
});

function check<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw error(
    400,
    issue.path[0] === "model"
      ? "model is required"
      : `json: cannot unmarshal value into Go struct field ${issue.path.join(".")}: ${issue.message}`,
  );
}

function dialect(kind: "chat" | "generate"): Dialect {
  const piece = (prompt: Prompt, content: string) => ({
    model: prompt.model,
    created_at: new Date().toISOString(),
    ...(kind === "chat" ? { message: { role: "assistant", content } } : { response: content }),
  });
  const last = (prompt: Prompt, content: string, finished: Parameters<Dialect["complete"]>[1]) => ({
    ...piece(prompt, content),
    done: true,
    done_reason: finished.finishReason === "length" ? "length" : "stop",
    total_duration: 4_883_583_458,
    load_duration: 1_334_875,
    ...(finished.usage
      ? {
          prompt_eval_count: finished.usage.inputTokens,
          prompt_eval_duration: 342_546_000,
          eval_count: finished.usage.outputTokens,
          eval_duration: 4_535_599_000,
        }
      : {}),
  });
  const line = (value: unknown) => `${JSON.stringify(value)}\n`;
  return {
    contentType: "application/json; charset=utf-8",
    streamType: "application/x-ndjson",
    headers: () => ({}),
    complete: (prompt, finished) => last(prompt, finished.text, finished),
    stream: (prompt, finished) => ({
      lead: [],
      pieces: finished.pieces.map((content) => line({ ...piece(prompt, content), done: false })),
      tail: [line(last(prompt, "", finished))],
    }),
    streamError: () =>
      line({ error: "an error was encountered while running the model: CUDA error" }),
    malformed: '{"model":"llama3.2:3b","message":{"role":"assist\n',
    refusal(kindOfRefusal) {
      switch (kindOfRefusal) {
        case "rate-limited":
          return { status: 429, body: { error: "too many requests" } };
        case "overloaded":
          return {
            status: 503,
            body: { error: "server busy, please try again.  maximum pending requests exceeded" },
          };
        case "server-error":
          return {
            status: 500,
            body: { error: "llama runner process has terminated: exit status 2" },
          };
        case "context-overflow":
          return { status: 400, body: { error: "the input length exceeds the context length" } };
      }
    },
    unsupported: (param) => error(400, `invalid option provided: ${param} is not supported`),
  };
}

export function startOllamaServer(given: OllamaServerOptions = {}): Promise<LlmServer> {
  const models = [...(given.models ?? MODELS)];
  const library = new OllamaLibrary(given.library ?? []);
  const find = (name: string): OllamaModel => {
    const found = models.find((model) => model.name === name || model.name === `${name}:latest`);
    if (!found) throw error(404, `model '${name}' not found`);
    return found;
  };
  const respondTo = (
    body: z.infer<typeof chatRequest> | z.infer<typeof generateRequest>,
    given: { role: string; content: string }[],
  ): Prompt => {
    const model = find(body.model);
    const placesSystem = /\.(?:Messages|System)\b/.test(model.template ?? CHAT_TEMPLATE);
    const messages = given.filter(({ role }) => placesSystem || role !== "system");
    if (model.capabilities && !model.capabilities.includes("completion"))
      throw error(400, `"${body.model}" does not support chat`);
    if (body.think && !model.capabilities?.includes("thinking"))
      throw error(400, `"${body.model}" does not support thinking`);
    const room = body.options?.num_ctx ?? DEFAULT_NUM_CTX;
    let user = messages.findLast(({ role }) => role === "user")?.content ?? "";
    let inputTokens = countTokens(messages);
    if (inputTokens > room) {
      if (body.truncate === false) throw error(400, "the input length exceeds the context length");
      user = tokens(user).slice(-room).join("");
      inputTokens = room;
    }
    const json =
      body.format === "json"
        ? {}
        : typeof body.format === "object"
          ? { schema: body.format }
          : undefined;
    const limit = body.options?.num_predict;
    return {
      model: body.model,
      system: messages
        .filter(({ role }) => role === "system")
        .map(({ content }) => content)
        .join("\n"),
      user,
      messages,
      maxTokens: limit !== undefined && limit > 0 ? limit : undefined,
      stop: body.options?.stop ?? [],
      temperature: body.options?.temperature,
      json,
      stream: body.stream ?? true,
      inputTokens,
    };
  };
  const protocol: Protocol = {
    authorize: () => undefined,
    // Unless OLLAMA_ORIGINS says more: pages of this machine.
    allowsOrigin: (origin) =>
      /^https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::\d+)?$/.test(origin),
    notFound: () => new Refusal(404, "404 page not found"),
    badJson: () => error(400, "invalid character in JSON body"),
    routes: {
      "POST /api/chat": () => async (request, context) => {
        const body = check(chatRequest, request.body);
        await context.answer(respondTo(body, body.messages), dialect("chat"));
      },
      "POST /api/generate": () => async (request, context) => {
        const body = check(generateRequest, request.body);
        const messages = [
          ...(body.system ? [{ role: "system", content: body.system }] : []),
          { role: "user", content: body.prompt },
        ];
        await context.answer(respondTo(body, messages), dialect("generate"));
      },
      "GET /api/tags": () => async (_request, context) =>
        context.json({
          models: models.map((model) => ({
            name: model.name,
            model: model.name,
            modified_at: "2026-10-01T10:00:00Z",
            size: model.sizeBytes,
            digest: `digest-${model.name}`,
            ...(model.remoteHost
              ? { remote_host: model.remoteHost, remote_model: model.name }
              : {}),
            details: {
              parent_model: "",
              format: "gguf",
              family: model.capabilities?.includes("embedding") ? "nomic-bert" : "llama",
              parameter_size: model.parameterSize,
              quantization_level: "Q4_K_M",
            },
          })),
        }),
      "POST /api/show": () => async (request, context) => {
        const { model: name } = check(z.looseObject({ model: z.string() }), request.body);
        const model = find(name);
        context.json({
          license: "Apache License\nVersion 2.0, January 2004",
          modelfile: `FROM ${model.name}\n${model.renderer ? `RENDERER ${model.renderer}\n` : ""}`,
          template: model.template ?? CHAT_TEMPLATE,
          ...(model.renderer ? { renderer: model.renderer } : {}),
          details: { family: "llama", parameter_size: model.parameterSize },
          model_info: {
            "general.architecture": "llama",
            "llama.context_length": model.contextTokens,
          },
          capabilities: model.capabilities ?? ["completion"],
        });
      },
      "POST /api/pull": () => async (request, context) => {
        const { model: name } = check(
          z.looseObject({ model: z.string().min(1), stream: z.literal(true).optional() }),
          request.body,
        );
        await context.lines(
          library.pull(name, context.signal, (model) => {
            if (!models.some((known) => known.name === model.name)) models.push(model);
          }),
        );
      },
      "DELETE /api/delete": () => async (request, context) => {
        const { model: name } = check(z.looseObject({ model: z.string().min(1) }), request.body);
        models.splice(models.indexOf(find(name)), 1);
        context.json("");
      },
      "POST /api/embed": () => async (request, context) => {
        const body = check(
          z.looseObject({
            model: z.string(),
            input: z.union([z.string(), z.array(z.string())]),
            truncate: z.boolean().optional(),
          }),
          request.body,
        );
        find(body.model);
        const inputs = typeof body.input === "string" ? [body.input] : body.input;
        context.json({
          model: body.model,
          embeddings: inputs.map((text) =>
            Array.from({ length: 8 }, (_, at) => Math.cos(at + text.length) / Math.sqrt(8)),
          ),
          total_duration: 14_143_917,
          prompt_eval_count: inputs.reduce((sum, text) => sum + tokens(text).length, 0),
        });
      },
      "GET /api/version": () => async (_request, context) => context.json({ version: "0.13.5" }),
    },
  };
  return startServer(protocol, echo, { ...given, models: models.map(({ name }) => name) });
}
