/**
 * One request and its answer over a transport, without any repetition: sends it, watches its times,
 * checks status and content type, reads the body or the stream, and ends in an `Answer` or a
 * `ProviderError`. `client.ts` puts limits, retries and checks around it.
 */

import { AppError, isAbortError, throwIfAborted } from "../../errors.ts";
import type { HttpResponse, HttpTransport } from "../../ports/http.ts";
import type { CallDeadline, CallTimeouts, ExchangeWatch } from "./call-deadline.ts";
import { readJsonLines } from "./ndjson.ts";
import {
  excerpt,
  parseJson,
  StreamFailure,
  type Answer,
  type ProtocolAdapter,
  type ProtocolRequest,
} from "./protocols/protocol-adapter.ts";
import { ProviderError, statusError, streamError, type Origin } from "./provider-error.ts";
import { redact } from "./redaction.ts";
import { readServerSentEvents } from "./sse.ts";
import type { TextGate } from "./text-gate.ts";

/** No answer that was asked for is that long. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** As much of a refusal is read as can be shown. */
const MAX_REFUSAL_BYTES = 64 * 1024;

export interface ExchangeParts {
  transport: HttpTransport;
  adapter: ProtocolAdapter;
  /** Without a slash at its end. */
  baseUrl: string;
  origin: Origin;
  timeouts: CallTimeouts;
  deadline: CallDeadline;
  nowMs: () => number;
}

/** Sends a request and gives its JSON. */
export async function requestJson(
  parts: ExchangeParts,
  request: ProtocolRequest,
): Promise<unknown> {
  return exchange(parts, request, parts.timeouts.totalMs, async (response) =>
    readJsonBody(parts, response),
  );
}

/** Sends a request whose answer is its status alone. */
export async function requestNothing(
  parts: ExchangeParts,
  request: ProtocolRequest,
): Promise<void> {
  return exchange(parts, request, parts.timeouts.totalMs, async (response) => {
    // Read to its end, so that the connection is of use again.
    await readText(response, MAX_REFUSAL_BYTES, true);
  });
}

/** A whole answer at once. */
export async function requestAnswer(
  parts: ExchangeParts,
  request: ProtocolRequest,
): Promise<Answer> {
  return exchange(parts, request, parts.timeouts.totalMs, async (response) =>
    parts.adapter.readAnswer(await readJsonBody(parts, response)),
  );
}

/**
 * An answer as it comes: every piece of text that the gate lets through goes to `onText`. The result's
 * text is empty: the receiver has it. Ends early, without an error, when the gate is full.
 */
export async function streamAnswer(
  parts: ExchangeParts,
  request: ProtocolRequest,
  gate: TextGate,
  onText: (delta: string) => void,
): Promise<Answer> {
  const { adapter, origin, timeouts } = parts;
  return exchange(parts, request, timeouts.firstByteMs, async (response, watch) => {
    const type = contentType(response);
    if (type === "application/json" && adapter.streamFormat === "sse") {
      // Some servers ignore `stream` and answer at once.
      const answer = adapter.readAnswer(await readJsonBody(parts, response));
      emit(gate.push(answer.text), onText);
      return { ...answer, text: "" };
    }
    refusePage(parts, type, "");
    const stream = adapter.openStream();
    const read = adapter.streamFormat === "sse" ? readServerSentEvents : readJsonLines;
    for await (const event of read(watched(parts, response, watch))) {
      throwIfAborted(watch.signal);
      emit(gate.push(stream.push(event)), onText);
      if (stream.done || gate.ended) break;
    }
    const result = stream.result();
    if (result.finishReason === undefined && !gate.ended)
      throw new ProviderError(
        "model_failed",
        `${origin.provider} (${origin.host}) ended its answer in the middle: the stream was cut.`,
        { hint: "Try again.", retryable: true, fault: true },
      );
    return { ...result, text: "" };
  });
}

/** An answer of one JSON document a line, each handed out as it comes: the progress of long work. */
export async function requestDocuments(
  parts: ExchangeParts,
  request: ProtocolRequest,
  onDocument: (body: unknown) => void,
): Promise<void> {
  return exchange(parts, request, parts.timeouts.firstByteMs, async (response, watch) => {
    refusePage(parts, contentType(response), "");
    for await (const { data } of readJsonLines(watched(parts, response, watch))) {
      throwIfAborted(watch.signal);
      onDocument(parseJson(data));
    }
  });
}

function emit(text: string, onText: (delta: string) => void): void {
  if (text !== "") onText(text);
}

/** The body's chunks; once the first one came, a silence between two of them ends the exchange. */
async function* watched(
  parts: ExchangeParts,
  response: HttpResponse,
  watch: ExchangeWatch,
): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const chunk of response.body) {
    if (first)
      watch.limit(parts.timeouts.idleMs, () =>
        stalled(parts, "stopped in the middle of its answer"),
      );
    else watch.touch();
    first = false;
    yield chunk;
  }
}

async function exchange<T>(
  parts: ExchangeParts,
  request: ProtocolRequest,
  silenceMs: number,
  read: (response: HttpResponse, watch: ExchangeWatch) => Promise<T>,
): Promise<T> {
  const { transport, adapter, baseUrl, origin, timeouts, deadline, nowMs } = parts;
  const watch = deadline.watch();
  watch.limit(silenceMs, () =>
    stalled(parts, `didn't answer within ${Math.round(silenceMs / 100) / 10} s`),
  );
  try {
    const response = await transport.send({
      method: request.method,
      url: `${baseUrl}${request.path}`,
      headers: {
        accept: adapter.streamFormat === "sse" ? "application/json, text/event-stream" : "*/*",
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...adapter.headers(origin.key, transport.environment),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      signal: watch.signal,
      connectTimeoutMs: timeouts.connectMs,
    });
    if (response.status < 200 || response.status > 299) {
      const body = await readText(response, MAX_REFUSAL_BYTES, true);
      throw statusError(response.status, body, response, adapter, origin, nowMs());
    }
    return await read(response, watch);
  } catch (error) {
    const explained = classify(watch.explain(error), origin);
    // What wasn't read of the answer would keep its connection.
    watch.abandon();
    throw explained;
  } finally {
    watch.close();
  }
}

/** Everything that can go wrong in between as an error that the policies understand. */
function classify(error: unknown, origin: Origin): unknown {
  if (isAbortError(error) || error instanceof ProviderError) return error;
  if (error instanceof StreamFailure) return streamError(error, origin);
  if (error instanceof AppError) {
    // Broken JSON and cut connections are the server's or the network's fault.
    const fault = error.code === "network" || error.code === "model_failed";
    const who = `${origin.provider} (${origin.host})`;
    return new ProviderError(
      error.code,
      redact(error.message.includes(origin.host) ? error.message : `${who}: ${error.message}`, [
        origin.key,
      ]),
      {
        hint: error.hint ?? "Try again.",
        retryable: error.retryable,
        fault,
        // The system's own error: its code says whether anything was sent. Nothing of the request is in it.
        ...(error.code === "network" && error.cause !== undefined ? { cause: error.cause } : {}),
      },
    );
  }
  return error;
}

function stalled({ origin }: ExchangeParts, what: string): ProviderError {
  return new ProviderError("network", `${origin.provider} (${origin.host}) ${what}.`, {
    hint: "Try again, give it more time in the provider's settings, or choose another model.",
    retryable: true,
    fault: true,
  });
}

function contentType(response: HttpResponse): string {
  return (response.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** A proxy's login page, an error page with status 200, a wrong address. */
function refusePage({ origin }: ExchangeParts, type: string, body: string): void {
  const isPage = type === "text/html" || type === "application/xhtml+xml" || type === "text/xml";
  if (!isPage && !/^\s*<(?:!doctype|html)/i.test(body)) return;
  throw new ProviderError(
    "network",
    `${origin.provider} (${origin.host}) answered with a web page instead of data.`,
    {
      hint: "Check the provider's address; a proxy or a login page may stand in between.",
      retryable: false,
    },
  );
}

async function readJsonBody(parts: ExchangeParts, response: HttpResponse): Promise<unknown> {
  refusePage(parts, contentType(response), "");
  const body = await readText(response, MAX_BODY_BYTES, false);
  refusePage(parts, "", body);
  return parseJson(body);
}

async function readText(response: HttpResponse, maxBytes: number, cut: boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.byteLength;
    text += decoder.decode(chunk, { stream: true });
    if (sizeBytes <= maxBytes) continue;
    if (cut) break;
    throw new AppError(
      "model_failed",
      `The answer is longer than ${maxBytes / 1024 / 1024} MB: “${excerpt(text, 60)}”.`,
      { hint: "Check that the address is that of a language model's server." },
    );
  }
  return text + decoder.decode();
}
