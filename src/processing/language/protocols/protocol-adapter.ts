/**
 * What the client needs of a provider's protocol: how a call is written, how an answer, a stream and
 * a refusal are read. Adapters are pure: no network, no time, no keys kept.
 */

import { z } from "zod";
import { AppError } from "../../../errors.ts";
import type { ChatMessage } from "../../../ports/language-model.ts";
import type { StreamEvent } from "../sse.ts";

/** One call, ready to be written down in a protocol. */
export interface ProtocolCall {
  model: string;
  messages: readonly ChatMessage[];
  maxTokens: number;
  /** Room for hidden thinking, on top of `maxTokens`; 0 for models that don't think. */
  thinkingTokens: number;
  temperature?: number;
  stop?: readonly string[];
  json?: { schema?: Record<string, unknown>; name: string };
  stream: boolean;
  /** Room for prompt and answer that a server has to make, where it has to be told. */
  contextTokens: number;
  /** Features that this server or model refused before; they are left out. */
  without: ReadonlySet<Feature>;
}

/** Parts of a call that not every server or model takes. */
export const FEATURES = [
  "temperature",
  "stop",
  "json_schema",
  "json_mode",
  "stream_usage",
  "max_completion_tokens",
  "effort", // how much a model thinks before it answers
] as const;
export type Feature = (typeof FEATURES)[number];

export interface ProtocolRequest {
  method: "GET" | "POST" | "DELETE";
  /** Below the base address, starting with "/". */
  path: string;
  body?: unknown;
}

/** Tokens as the provider counted them, unchecked. */
export interface RawUsage {
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  cachedInputTokens?: number | undefined;
  /** Tokens of hidden thinking inside of `outputTokens`. */
  hiddenTokens?: number | undefined;
}

export interface Answer {
  text: string;
  /** Undefined: the provider didn't say; for a stream that means it was cut. */
  finishReason: "stop" | "length" | "filtered" | undefined;
  usage: RawUsage | null;
  model: string | undefined;
}

/** Reads one stream. `push` gives the text that an event adds; a provider's error in it is thrown. */
export interface AnswerStream {
  push(event: StreamEvent): string;
  /** True once the end mark came: what follows is not read. */
  readonly done: boolean;
  /** Everything but the text, which the client joined. */
  result(): Omit<Answer, "text">;
}

/** A refusal in the provider's words. */
export interface ProviderFailure {
  message: string;
  /** The provider's own kind of error: "overloaded_error", "context_length_exceeded". */
  type?: string | undefined;
  /** Parameter that it concerns. */
  param?: string | undefined;
  /** The provider asks to wait that long. */
  retryAfterMs?: number | undefined;
}

export interface RemoteModel {
  name: string;
  title?: string;
  contextTokens?: number;
  maxOutputTokens?: number;
  sizeBytes?: number;
  /** Billions of parameters, where the server says. */
  parametersB?: number;
  licence?: string;
  /** False: an embedder or the like. */
  generates: boolean;
  /** True when it continues one prompt and knows no conversation. */
  completionOnly?: boolean;
  /** True when the server passes the text on to another one. */
  forwarded?: boolean;
  digest?: string;
}

export interface ProtocolAdapter {
  readonly name: string;
  readonly streamFormat: "sse" | "ndjson";
  /** True when models may write `<think>…</think>` into their answers. */
  readonly mayThink: boolean;
  headers(key: string | null, environment: "page" | "process"): Record<string, string>;
  generate(call: ProtocolCall): ProtocolRequest;
  /** How far the protocol itself holds the answer to the JSON that is asked for; the client does the rest. */
  jsonOutput(call: ProtocolCall): "schema" | "mode" | "none";
  readAnswer(body: unknown): Answer;
  openStream(): AnswerStream;
  /** Reads the body of a refusal, JSON or not; null when it has no such shape. */
  readFailure(body: unknown): ProviderFailure | null;
  /** The feature that a refusal is about, when the call may be sent again without it. */
  refusedFeature?(failure: ProviderFailure): Feature | null;
  models?: { request: ProtocolRequest; read(body: unknown): RemoteModel[] };
  embed?: {
    /** Texts in one request. */
    batchSize: number;
    request(model: string, texts: readonly string[]): ProtocolRequest;
    /** Vectors in the order of the texts, with the tokens used where the provider says. */
    read(body: unknown): { vectors: number[][]; inputTokens?: number | undefined };
  };
}

/** An error that a provider sent inside of a stream, still in its words. */
export class StreamFailure extends Error {
  override readonly name = "StreamFailure";
  readonly failure: ProviderFailure;

  constructor(failure: ProviderFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Parses the data of a stream's event, or any other JSON of a provider. `model_failed` when it isn't JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError(
      "model_failed",
      `The server sent something that is not JSON: “${excerpt(text)}”.`,
      {
        hint: "Try again; when it stays so, check that the address speaks the chosen protocol.",
        retryable: true,
        cause: error,
      },
    );
  }
}

/** Checks a provider's JSON. `model_failed` naming the first field that is not as the protocol says. */
export function readShape<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.length ? ` at ${issue.path.join(".")}` : "";
  throw new AppError(
    "model_failed",
    `The ${what} is not as the protocol says${where}: ${issue?.message ?? "unknown shape"}.`,
    { hint: "Check that the address speaks the chosen protocol.", retryable: true },
  );
}

/** A field that servers leave out, set to null, or fill with something else. */
export const count = z.number().optional().nullable().catch(undefined);
export const text = z.string().optional().nullable().catch(undefined);

export function excerpt(value: string, length = 120): string {
  const line = value.replace(/\s+/g, " ").trim();
  return line.length <= length ? line : `${line.slice(0, length)}…`;
}
