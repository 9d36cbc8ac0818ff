/**
 * Turns what a provider answered in place of text into one clear `AppError`: which code, whether the
 * same call may succeed later, how long the provider asks to wait.
 */

import { AppError, type AppErrorOptions, type ErrorCode } from "../../errors.ts";
import {
  excerpt,
  type Feature,
  type ProtocolAdapter,
  type ProviderFailure,
  StreamFailure,
} from "./protocols/protocol-adapter.ts";
import { redact } from "./redaction.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Who answered, for messages. */
export interface Origin {
  /** "OpenAI", "Ollama": as people call it. */
  provider: string;
  host: string;
  model: string;
  key: string | null;
}

export interface ProviderErrorOptions extends AppErrorOptions {
  status?: number | undefined;
  /** The provider asks to wait that long. */
  retryAfterMs?: number | undefined;
  /** The server is at fault, not the request: counts against it. */
  fault?: boolean;
  /** False: this call must not be tried again by itself, though a later one may succeed. */
  retryNow?: boolean;
  /** The call may be sent again without this part. */
  feature?: Feature | null;
}

/** An `AppError` with what the policies need to know. */
export class ProviderError extends AppError {
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly fault: boolean;
  readonly retryNow: boolean;
  readonly feature: Feature | null;

  constructor(code: ErrorCode, message: string, options: ProviderErrorOptions = {}) {
    super(code, message, options);
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.fault = options.fault ?? false;
    this.retryNow = options.retryNow ?? this.retryable;
    this.feature = options.feature ?? null;
  }
}

const OVERFLOW =
  /context[ _]?(?:length|size|window)|maximum context|prompt is too long|input is too long|too many (?:input )?tokens|token count .*exceeds|exceed_context_size|exceeds? the (?:available )?context|request_too_large|string_above_max_length/i;
const KEY_REFUSED =
  /api[ _-]?key (?:not valid|not found|expired|is invalid)|invalid[ _](?:x-)?api[ _-]?key|incorrect api key|authentication_error|API_KEY_INVALID/i;
const OUT_OF_MONEY =
  /insufficient_quota|exceeded your current quota|credit balance|billing|payment required/i;
const OVERLOADED = /overloaded/i;
const FAULT_TYPES =
  /overloaded|server_error|api_error|internal|unavailable|timeout|DEADLINE_EXCEEDED|UNKNOWN/i;
const LIMIT_TYPES = /rate_limit|RESOURCE_EXHAUSTED|too_many_requests/i;

/** The refusal of a whole request: any status but 2xx. `body` is its text as far as it was read. */
export function statusError(
  status: number,
  body: string,
  headers: { header(name: string): string | null },
  adapter: ProtocolAdapter,
  origin: Origin,
  nowMs: number,
): ProviderError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = undefined;
  }
  const failure = adapter.readFailure(parsed);
  const wait = retryAfterMs(headers, nowMs) ?? failure?.retryAfterMs;
  return failureError(failure ?? { message: plainText(body) }, origin, {
    status,
    recognized: failure !== null,
    retryAfterMs: wait,
    feature:
      (status === 400 || status === 422) && failure
        ? (adapter.refusedFeature?.(failure) ?? null)
        : null,
  });
}

/** An error that came inside of a stream or of an answer with status 200. */
export function streamError(error: StreamFailure, origin: Origin): ProviderError {
  const { failure } = error;
  const type = failure.type ?? "";
  const status = LIMIT_TYPES.test(type)
    ? 429
    : OVERLOADED.test(type)
      ? 529
      : FAULT_TYPES.test(type) || type === ""
        ? 500
        : 400;
  return failureError(failure, origin, {
    status,
    recognized: true,
    retryAfterMs: failure.retryAfterMs,
    feature: null,
  });
}

interface Circumstances {
  status: number;
  recognized: boolean;
  retryAfterMs: number | undefined;
  feature: Feature | null;
}

function failureError(
  failure: ProviderFailure,
  origin: Origin,
  { status, recognized, retryAfterMs: wait, feature }: Circumstances,
): ProviderError {
  const words = redact(excerpt(failure.message, 300), [origin.key]);
  const evidence = `${failure.type ?? ""} ${failure.message}`;
  const who = `${origin.provider} (${origin.host})`;
  const said = words === "" ? `status ${status}, without a word` : `“${words}”`;
  const common = { status, retryAfterMs: wait };

  if (status === 401 || status === 403 || (status === 400 && KEY_REFUSED.test(evidence)))
    return new ProviderError("unauthorized", `${who} refused the key: ${said}.`, {
      ...common,
      hint: "Check the key and what it may be used for, then set it again.",
    });
  if (status === 413 || OVERFLOW.test(evidence))
    return new ProviderError(
      "too_large",
      `The text is longer than ${origin.model} takes: ${said}.`,
      { ...common, hint: "Split the text, or choose a model with a larger context." },
    );
  if (status === 402 || ((status === 429 || status === 400) && OUT_OF_MONEY.test(evidence)))
    return new ProviderError("rate_limited", `${who} has no credit left for this key: ${said}.`, {
      ...common,
      hint: "Look at the plan and the balance of the provider's account, or choose another model.",
      retryable: false,
    });
  if (status === 429)
    return new ProviderError("rate_limited", `${who} asks to wait: ${said}.`, {
      ...common,
      hint: wait
        ? `Try again in ${Math.ceil(wait / 1000)} s, or lower its limits in the settings.`
        : "Try again later, or lower its limits in the settings.",
      retryable: true,
    });
  if (status === 404)
    return recognized
      ? new ProviderError("model_missing", `${who} has no model “${origin.model}”: ${said}.`, {
          ...common,
          hint:
            origin.provider === "Ollama"
              ? `Install it (“llm-compress models install ollama:${origin.model}”), or choose one from the list.`
              : "Choose one from the list of models.",
        })
      : new ProviderError("network", `${who} knows no such address: ${said}.`, {
          ...common,
          hint: "Check the provider's address in the settings (its path, too).",
        });
  if (status === 408 || status === 409 || status === 425 || status >= 500) {
    const overloaded = status === 529 || OVERLOADED.test(evidence);
    const retryable = status !== 501 && status !== 505;
    return new ProviderError(
      "model_failed",
      `${who} ${overloaded ? "is overloaded" : `failed with status ${status}`}: ${said}.`,
      {
        ...common,
        hint: "Try again later, or choose another model.",
        retryable,
        fault: status >= 500,
      },
    );
  }
  if (status >= 300 && status < 400)
    return new ProviderError(
      "network",
      `${who} sends requests on to another address, which is not followed.`,
      { ...common, hint: "Set the final address in the provider's settings." },
    );
  return new ProviderError("invalid_input", `${who} refused the request: ${said}.`, {
    ...common,
    hint: "The provider's words say what it didn't take.",
    feature,
  });
}

/** The words of an HTML page, or the text itself. */
function plainText(body: string): string {
  return /<\s*(?:!doctype|html|head|body)/i.test(body)
    ? body
        .replace(/<(script|style)[\s\S]*?<\/\1>/gi, " ")
        .replace(/<[^>]*>/g, " ")
        .replace(/\s+/g, " ")
    : body;
}
