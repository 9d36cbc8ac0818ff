/**
 * What the stand-in servers of all protocols share: a real HTTP server (1.1, or 2 over TLS), a log of
 * requests, a scripted model, faults. A protocol adds its routes, checks, and shapes (`Dialect`).
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { selfSignedCertificate } from "./certificate.ts";
import { tokens, type Prompt, type Reply, type Responder } from "./scripted-model.ts";

export interface RecordedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
  httpVersion: string;
}

/** What goes wrong with one answer. `after`: pieces of text that are sent before it. */
export type Fault =
  | { kind: "status"; status: number; body?: unknown; headers?: Record<string, string> }
  | { kind: "rate-limited"; retryAfter?: string; headers?: Record<string, string> }
  | { kind: "overloaded" }
  | { kind: "server-error" }
  | { kind: "context-overflow" }
  /** Nothing at all is sent for so long. */
  | { kind: "slow-start"; delayMs: number }
  /** A pause before each piece. */
  | { kind: "slow-stream"; delayMs: number }
  /** Sends some and then nothing more, with the connection open. */
  | { kind: "stall"; after: number }
  /** The connection breaks. */
  | { kind: "cut"; after: number }
  /** The answer ends properly as HTTP, but without the protocol's end. */
  | { kind: "ends-early"; after: number }
  | { kind: "malformed"; after: number }
  | { kind: "error-in-stream"; after: number }
  /** A proxy's login page with status 200. */
  | { kind: "html" }
  | { kind: "empty" }
  | { kind: "filtered" }
  /** Ignores the limit of tokens and repeats itself that many times. */
  | { kind: "overlong"; times: number }
  | { kind: "usage"; inputTokens: number; outputTokens: number }
  | { kind: "no-usage" }
  /** Answers with a whole document although a stream was asked for. */
  | { kind: "ignores-stream" }
  | { kind: "redirect"; location: string }
  /** Refuses a parameter, in the provider's words. */
  | { kind: "unsupported"; param: string };

export interface LlmServer {
  /** "http://127.0.0.1:PORT", without a path. */
  readonly url: string;
  /** Every request so far, oldest first. */
  readonly requests: RecordedRequest[];
  /** The certificate of a TLS server. */
  readonly certificate?: string;
  /** The next `times` generating requests go wrong so; faults are used up in the order given. */
  fault(fault: Fault, times?: number): void;
  /** What the model answers from now on; a text, or a function of the prompt. */
  respond(responder: string | Reply | Responder): void;
  /** Connections that were opened. */
  readonly connections: number;
  /** Requests under way at once, at most so far. */
  readonly mostAtOnce: number;
  close(): Promise<void>;
}

export interface LlmServerOptions {
  /** The only key that is accepted. Default "test-key". */
  key?: string;
  /** Names of the models that exist. */
  models?: string[];
  /** HTTP/2 (and 1.1) over TLS with a certificate of its own. */
  http2?: boolean;
  /** Port to listen on; default a free one. */
  port?: number;
}

/** HTTP/2's compatibility classes have the same members; only their types have no common call. */
type Request = IncomingMessage;
type Response = ServerResponse & { stream?: Http2ServerResponse["stream"] };

/** A refusal in a protocol's shape. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(`${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** The finished answer of the model, cut at stop sequences and the limit, with its counts. */
export interface Finished {
  text: string;
  pieces: string[];
  finishReason: "stop" | "length" | "filtered";
  /** Output holds the thoughts. */
  usage: { inputTokens: number; outputTokens: number; thoughtTokens: number } | null;
}

export interface Dialect {
  contentType: string;
  streamType: string;
  headers(): Record<string, string>;
  complete(prompt: Prompt, finished: Finished): unknown;
  /** The stream's text in three parts: what comes before the text, one for each piece, what ends it. */
  stream(prompt: Prompt, finished: Finished): { lead: string[]; pieces: string[]; tail: string[] };
  /** An error in the middle of a stream. */
  streamError(): string;
  malformed: string;
  refusal(
    kind: "rate-limited" | "overloaded" | "server-error" | "context-overflow",
    prompt: Prompt,
  ): { status: number; body: unknown };
  unsupported(param: string): Refusal;
  /** An answer that the content filter took away, where that isn't a finish reason alone. */
  filtered?(prompt: Prompt): unknown;
}

export type Route = (request: RecordedRequest, context: RouteContext) => Promise<void>;

export interface RouteContext {
  json(body: unknown, status?: number, headers?: Record<string, string>): void;
  /** One JSON document a line, as long as the client is there. */
  lines(documents: AsyncIterable<unknown>): Promise<void>;
  /** Lets the model answer in the protocol's shape, with whatever fault is next. */
  answer(prompt: Prompt, dialect: Dialect): Promise<void>;
  /** Whether the client went away. */
  signal: AbortSignal;
}

export interface Protocol {
  /** Refuses a wrong key; called before the route. */
  authorize(request: RecordedRequest, key: string): void;
  /** "POST /v1/messages" → route; a name in braces matches the rest: "POST /v1beta/models/{name}". */
  routes: Record<string, (name: string) => Route>;
  notFound(request: RecordedRequest): Refusal;
  /** Origins of pages that the service itself lets in; default none. */
  allowsOrigin?(origin: string): boolean;
  badJson(message: string): Refusal;
}

export async function startServer(
  protocol: Protocol,
  defaultResponder: Responder,
  options: LlmServerOptions,
): Promise<LlmServer> {
  const requests: RecordedRequest[] = [];
  const faults: Fault[] = [];
  let responder = defaultResponder;
  let running = 0;
  let mostAtOnce = 0;

  const handle = async (incoming: Request, response: Response): Promise<void> => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    running++;
    mostAtOnce = Math.max(mostAtOnce, running);
    try {
      const { origin } = incoming.headers;
      if (origin !== undefined && protocol.allowsOrigin?.(origin)) {
        response.setHeader("access-control-allow-origin", origin);
        if (incoming.method === "OPTIONS") {
          response.setHeader("access-control-allow-methods", "GET,POST,PUT,DELETE,HEAD,OPTIONS");
          response.setHeader("access-control-allow-headers", "Authorization,Content-Type");
          response.statusCode = 204;
          return void response.end();
        }
      }
      const bytes: Buffer[] = [];
      for await (const chunk of incoming) bytes.push(chunk as Buffer);
      const request = record(incoming, Buffer.concat(bytes).toString("utf8"));
      requests.push(request);
      const context: RouteContext = {
        json: (body, status = 200, headers = {}) => sendJson(response, status, body, headers),
        lines: async (documents) => {
          response.writeHead(200, { "content-type": "application/x-ndjson" });
          for await (const document of documents) {
            if (gone.signal.aborted) return;
            response.write(`${JSON.stringify(document)}\n`);
          }
          response.end();
        },
        answer: (prompt, dialect) =>
          answer(response, prompt, dialect, faults.shift(), responder, gone.signal),
        signal: gone.signal,
      };
      protocol.authorize(request, options.key ?? "test-key");
      if (typeof request.body === "string" && request.body !== "" && request.method === "POST")
        throw protocol.badJson(request.body);
      await findRoute(protocol, request)(request, context);
    } catch (error) {
      if (error instanceof Refusal) sendJson(response, error.status, error.body, error.headers);
      else if (!gone.signal.aborted)
        sendJson(response, 500, { error: { message: String(error), type: "stand_in_defect" } }, {});
    } finally {
      running--;
    }
  };

  const listener = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => void handle(request as Request, response as unknown as Response);
  const identity = options.http2 ? selfSignedCertificate("127.0.0.1") : null;
  const server: Server | Http2SecureServer = identity
    ? createSecureServer(
        { key: identity.privateKey, cert: identity.certificate, allowHTTP1: true },
        listener,
      )
    : createServer(listener);
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on(identity ? "secureConnection" : "connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `${identity ? "https" : "http"}://127.0.0.1:${port}`,
    requests,
    ...(identity ? { certificate: identity.certificate } : {}),
    fault: (fault, times = 1) => faults.push(...Array.from({ length: times }, () => fault)),
    respond: (next) =>
      (responder =
        typeof next === "function"
          ? next
          : () => (typeof next === "string" ? { text: next } : next)),
    get connections() {
      return connections;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function record(incoming: Request, text: string): RecordedRequest {
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // stays the text; the protocol refuses it
  }
  return {
    method: incoming.method ?? "",
    path: incoming.url ?? "",
    headers: Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
    ),
    body,
    httpVersion: incoming.httpVersion,
  };
}

function findRoute(protocol: Protocol, request: RecordedRequest): Route {
  const path = request.path.split("?")[0]!;
  const own = `${request.method} ${path}`;
  const exact = protocol.routes[own];
  if (exact) return exact("");
  for (const [pattern, route] of Object.entries(protocol.routes)) {
    const brace = pattern.indexOf("{");
    if (brace !== -1 && own.startsWith(pattern.slice(0, brace))) return route(own.slice(brace));
  }
  throw protocol.notFound(request);
}

function sendJson(
  response: Response,
  status: number,
  body: unknown,
  headers: Record<string, string>,
): void {
  if (response.headersSent) return;
  const isText = typeof body === "string";
  response.writeHead(status, {
    "content-type": isText ? "text/plain; charset=utf-8" : "application/json",
    ...headers,
  });
  response.end(isText ? body : JSON.stringify(body));
}

const PAGE =
  "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to go on</body></html>";

async function answer(
  response: Response,
  prompt: Prompt,
  dialect: Dialect,
  fault: Fault | undefined,
  responder: Responder,
  gone: AbortSignal,
): Promise<void> {
  switch (fault?.kind) {
    case "status":
      return sendJson(response, fault.status, fault.body ?? "", fault.headers ?? {});
    case "redirect":
      return sendJson(response, 307, "", { location: fault.location });
    case "html":
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      return void response.end(PAGE);
    case "unsupported":
      throw dialect.unsupported(fault.param);
    case "rate-limited":
    case "overloaded":
    case "server-error":
    case "context-overflow": {
      const { status, body } = dialect.refusal(fault.kind, prompt);
      return sendJson(response, status, body, {
        ...dialect.headers(),
        ...(fault.kind === "rate-limited" ? (fault.headers ?? {}) : {}),
        ...(fault.kind === "rate-limited" && fault.retryAfter !== undefined
          ? { "retry-after": fault.retryAfter }
          : {}),
      });
    }
    case "slow-start":
      await pause(fault.delayMs, gone);
      break;
    default:
  }
  if (fault?.kind === "filtered" && dialect.filtered && !prompt.stream)
    return sendJson(response, 200, dialect.filtered(prompt), dialect.headers());
  const finished = finish(prompt, await responder(prompt), fault);
  if (!prompt.stream || fault?.kind === "ignores-stream") {
    const body = JSON.stringify(dialect.complete(prompt, finished));
    const broken = fault?.kind === "cut" || fault?.kind === "malformed" || fault?.kind === "stall";
    response.writeHead(200, { "content-type": dialect.contentType, ...dialect.headers() });
    if (!broken) return void response.end(body);
    response.write(body.slice(0, body.length / 2));
    if (fault.kind === "malformed") return void response.end();
    return fault.kind === "cut" ? breakOff(response) : hang(gone);
  }
  await streamOut(response, dialect, dialect.stream(prompt, finished), fault, gone);
}

async function streamOut(
  response: Response,
  dialect: Dialect,
  parts: { lead: string[]; pieces: string[]; tail: string[] },
  fault: Fault | undefined,
  gone: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    "content-type": dialect.streamType,
    "cache-control": "no-cache",
    ...dialect.headers(),
  });
  for (const part of parts.lead) write(response, part);
  for (const [at, piece] of parts.pieces.entries()) {
    if (gone.aborted) return;
    if (fault && "after" in fault && at >= fault.after) break;
    if (fault?.kind === "slow-stream") await pause(fault.delayMs, gone);
    write(response, piece);
    // Pieces must reach the reader as single chunks, as they do from a model.
    if (at % 8 === 7) await new Promise(setImmediate);
  }
  if (fault?.kind === "cut") return breakOff(response);
  if (fault?.kind === "stall") return hang(gone);
  if (fault?.kind === "ends-early") return void response.end();
  if (fault?.kind === "malformed") {
    write(response, dialect.malformed);
    await new Promise(setImmediate);
  }
  if (fault?.kind === "error-in-stream") {
    write(response, dialect.streamError());
    return void response.end();
  }
  for (const part of parts.tail) write(response, part);
  response.end();
}

function write(response: Response, text: string): void {
  response.write(text);
}

function breakOff(response: Response): Promise<void> {
  // What was written must be on its way before the connection breaks.
  return new Promise((resolve) =>
    setTimeout(() => {
      if (response.stream) response.stream.close(2);
      else response.socket?.destroy();
      resolve();
    }, 20),
  );
}

function hang(gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) resolve();
    else gone.addEventListener("abort", () => resolve(), { once: true });
  });
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    gone.addEventListener("abort", end, { once: true });
  });
}

function finish(prompt: Prompt, reply: Reply, fault: Fault | undefined): Finished {
  const thoughtTokens = Math.min(prompt.thoughtTokens ?? 0, prompt.maxTokens ?? 0);
  let text = fault?.kind === "empty" || fault?.kind === "filtered" ? "" : reply.text;
  let finishReason: Finished["finishReason"] =
    fault?.kind === "filtered" ? "filtered" : (reply.finishReason ?? "stop");
  if (fault?.kind === "overlong") text = `${text} `.repeat(fault.times);
  else {
    for (const stop of prompt.stop) {
      const at = text.indexOf(stop);
      if (at !== -1) text = text.slice(0, at);
    }
    const all = tokens(text);
    const room = prompt.maxTokens === undefined ? all.length : prompt.maxTokens - thoughtTokens;
    if (all.length > room) {
      text = all.slice(0, Math.max(0, room)).join("");
      finishReason = "length";
    }
  }
  const pieces = tokens(text);
  const counted = {
    inputTokens: prompt.inputTokens,
    outputTokens: Math.max(1, pieces.length) + thoughtTokens,
    thoughtTokens,
  };
  const usage =
    fault?.kind === "no-usage" || reply.usage === null
      ? null
      : fault?.kind === "usage"
        ? { inputTokens: fault.inputTokens, outputTokens: fault.outputTokens, thoughtTokens }
        : { ...counted, ...reply.usage };
  return { text, pieces, finishReason, usage };
}
