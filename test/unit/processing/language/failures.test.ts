import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../../../src/errors.ts";
import type { Fault, LlmServer } from "../../../support/llm-servers/index.ts";
import { ask, drain, LETTER, openModel, PROTOCOLS, type OpenedModel } from "./servers.ts";

/** Every refusal has a code, says what was wrong and what to do, and never holds the key. */
function expectClear(error: unknown, expected: Partial<AppError>): void {
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject(expected);
  const { message, hint, cause } = error as AppError;
  expect(message.length).toBeGreaterThan(10);
  expect(hint?.length).toBeGreaterThan(5);
  expect(`${message} ${hint} ${String(cause)} ${JSON.stringify(error)}`).not.toContain("test-key");
}

const WHOLE: [fault: Fault, expected: Partial<AppError>][] = [
  [
    { kind: "rate-limited", retryAfter: "7" },
    { code: "rate_limited", retryable: true },
  ],
  [{ kind: "overloaded" }, { code: "model_failed", retryable: true }],
  [{ kind: "server-error" }, { code: "model_failed", retryable: true }],
  [{ kind: "context-overflow" }, { code: "too_large", retryable: false }],
  [{ kind: "html" }, { code: "network", retryable: false }],
  [{ kind: "empty" }, { code: "model_failed", retryable: true }],
  [
    { kind: "cut", after: 4 },
    { code: "network", retryable: true },
  ],
  [
    { kind: "malformed", after: 4 },
    { code: "model_failed", retryable: true },
  ],
  [{ kind: "status", status: 502, body: "<html>Bad Gateway</html>" }, { code: "model_failed" }],
  [{ kind: "status", status: 404, body: "404 page not found" }, { code: "network" }],
  [{ kind: "status", status: 413, body: "too big" }, { code: "too_large" }],
  [{ kind: "status", status: 402, body: "payment required" }, { code: "rate_limited" }],
  [{ kind: "status", status: 403, body: "no" }, { code: "unauthorized" }],
];

const STREAMED: [fault: Fault, expected: Partial<AppError>][] = [
  ...WHOLE.filter(([{ kind }]) => kind !== "cut"),
  [{ kind: "cut", after: 4 }, { retryable: true }],
  [
    { kind: "ends-early", after: 4 },
    { code: "model_failed", retryable: true },
  ],
  [
    { kind: "error-in-stream", after: 4 },
    { code: "model_failed", retryable: true },
  ],
];

describe.each(PROTOCOLS)("failures over $name", (protocol) => {
  let server: LlmServer;
  let opened: OpenedModel;
  beforeEach(async () => {
    server = await protocol.start();
    opened = await openModel(protocol, server, { breaker: { threshold: 100 } });
  });
  afterEach(async () => {
    await opened.close();
    await server.close();
  });

  it.each(WHOLE)(
    "whole answer, $kind: a clear error, then the next call works",
    async (fault, expected) => {
      server.fault(fault);
      const error = await opened.model
        .generate({ messages: ask() })
        .catch((cause: unknown) => cause);
      expectClear(error, expected);
      expect((await opened.model.generate({ messages: ask() })).text).toBe(LETTER);
    },
  );

  it.each(STREAMED)(
    "stream, $kind: what came is handed out, then a clear error",
    async (fault, expected) => {
      server.fault(fault);
      const { text, error } = await drain(opened.model.stream({ messages: ask() }));
      expectClear(error, expected);
      expect(LETTER.startsWith(text)).toBe(true);
      if ("after" in fault && fault.kind !== "cut") expect(text).not.toBe("");
      expect((await drain(opened.model.stream({ messages: ask() }))).text).toBe(LETTER);
    },
  );

  it.runIf(protocol.provider !== "ollama")(
    "says filtered when the content filter ended it",
    async () => {
      server.fault({ kind: "filtered" }, 2);
      const whole = await opened.model.generate({ messages: ask() });
      expect(whole).toMatchObject({ finishReason: "filtered", text: "" });
      expect((await drain(opened.model.stream({ messages: ask() }))).result).toMatchObject({
        finishReason: "filtered",
      });
    },
  );

  it("doesn't believe counts that can't be true", async () => {
    for (const [inputTokens, outputTokens] of [
      [0, 0],
      [900_000_000, 900_000_000],
      [-5, 3.5],
    ] as const) {
      server.fault({ kind: "usage", inputTokens, outputTokens });
      const { usage } = await opened.model.generate({ messages: ask(), maxTokens: 300 });
      expect(usage.estimated).toBe(true);
      expect(usage.inputTokens).toBeGreaterThan(30);
      expect(usage.inputTokens).toBeLessThan(100);
      expect(usage.outputTokens).toBeGreaterThan(25);
      expect(usage.outputTokens).toBeLessThan(60);
    }
    server.fault({ kind: "no-usage" });
    expect((await opened.model.generate({ messages: ask() })).usage.estimated).toBe(true);
    const { usage } = await opened.model.generate({ messages: ask() });
    expect(usage.estimated).toBeUndefined();
  });

  it("cuts an answer that is far longer than asked", async () => {
    server.fault({ kind: "overlong", times: 400 }, 2);
    const whole = await opened.model.generate({ messages: ask(), maxTokens: 20 });
    expect(whole.finishReason).toBe("length");
    expect(whole.text.length).toBeLessThan(500);
    const streamed = await drain(opened.model.stream({ messages: ask(), maxTokens: 20 }));
    expect(streamed.result).toMatchObject({ finishReason: "length", text: whole.text });
  });

  it("gives up a server that doesn't begin, and one that stops in the middle", async () => {
    const impatient = await openModel(protocol, server, {
      timeouts: { firstByteMs: 150, idleMs: 150, totalMs: 20_000 },
    });
    server.fault({ kind: "slow-start", delayMs: 30_000 });
    const silent = await drain(impatient.model.stream({ messages: ask() }));
    expectClear(silent.error, { code: "network", retryable: true });
    server.fault({ kind: "stall", after: 5 });
    const stalled = await drain(impatient.model.stream({ messages: ask() }));
    expectClear(stalled.error, { code: "network", retryable: true });
    expect(stalled.text).not.toBe("");
    server.fault({ kind: "slow-start", delayMs: 30_000 });
    const late = await impatient.model
      .generate({ messages: ask(), timeoutMs: 100 })
      .catch((cause: unknown) => cause);
    expectClear(late, { code: "network", message: expect.stringContaining("100 ms") as string });
    await impatient.close();
  });

  it("waits for a stream that is slow, but goes on", async () => {
    const patient = await openModel(protocol, server, {
      timeouts: { firstByteMs: 2_000, idleMs: 2_000 },
    });
    server.fault({ kind: "slow-stream", delayMs: 5 });
    expect((await drain(patient.model.stream({ messages: ask() }))).text).toBe(LETTER);
    await patient.close();
  });

  it("doesn't follow a redirect", async () => {
    server.fault({ kind: "redirect", location: "http://127.0.0.1:9/elsewhere" });
    const error = await opened.model.generate({ messages: ask() }).catch((cause: unknown) => cause);
    expectClear(error, { code: "network" });
  });

  it("says network when nothing listens, and never the key", async () => {
    await server.close();
    const error = await opened.model.generate({ messages: ask() }).catch((cause: unknown) => cause);
    expectClear(error, { code: "network", retryable: true });
  });

  it.runIf(protocol.provider !== "ollama")("refuses a wrong key without repeating it", async () => {
    const secret = "sk-live-0123456789abcdef";
    const strange = await openModel(protocol, server, {
      key: protocol.provider === "openai-compatible" ? "test-key" : secret,
    });
    if (protocol.provider === "openai-compatible")
      server.fault({
        kind: "status",
        status: 401,
        body: { error: { message: `Incorrect API key provided: ${secret}` } },
      });
    const error = await strange.model
      .generate({ messages: ask() })
      .catch((cause: unknown) => cause);
    expectClear(error, { code: "unauthorized", retryable: false });
    expect(JSON.stringify([error, (error as Error).message])).not.toContain(secret);
    await strange.close();
  });
});

describe("servers that answer in other ways", () => {
  it("takes a whole document where a stream was asked for", async () => {
    const protocol = PROTOCOLS.at(-1)!;
    const server = await protocol.start();
    const { model, close } = await openModel(protocol, server);
    server.fault({ kind: "ignores-stream" });
    const { text, result } = await drain(model.stream({ messages: ask() }));
    expect(text).toBe(LETTER);
    expect(result).toMatchObject({ finishReason: "stop", text: LETTER });
    await close();
    await server.close();
  });

  it.each([
    ["temperature", { temperature: 0 }],
    ["stream_options", {}],
    ["response_format", { json: { schema: { type: "object", properties: {} } } }],
  ])("leaves out %s where it is refused, and remembers that", async (param, request) => {
    const protocol = PROTOCOLS.at(-1)!;
    const server = await protocol.start();
    server.respond(({ json }) => ({ text: json ? "{}" : '{"plain": true}' }));
    const { model, close } = await openModel(protocol, server);
    server.fault({ kind: "unsupported", param });
    const sent = () =>
      server.requests.filter(({ method }) => method === "POST").map(({ body }) => body);
    await drain(model.stream({ messages: ask(), ...request }));
    await drain(model.stream({ messages: ask(), ...request }));
    expect(sent()).toHaveLength(3);
    expect(JSON.stringify(sent()[0])).toContain(`"${param}"`);
    if (param !== "response_format") expect(JSON.stringify(sent()[1])).not.toContain(`"${param}"`);
    expect(sent()[1]).toEqual(sent()[2]);
    await close();
    await server.close();
  });
});
