import { describe, expect, it } from "vitest";
import { SettingsStore } from "../../../../src/engine/settings-store.ts";
import { httpCatalogue } from "../../../../src/model/http-models.ts";
import { MemoryFileStore } from "../../../../src/platform/memory/memory-file-store.ts";
import type { HttpTransport } from "../../../../src/ports/http.ts";
import { systemClock } from "../../../../src/ports/clock.ts";
import { CostLedger } from "../../../../src/processing/language/cost/cost-ledger.ts";
import { createHttpSources } from "../../../../src/processing/language/http-model-source.ts";
import { MeteredCaller } from "../../../../src/processing/language/metered-caller.ts";
import { ModelProfiler } from "../../../../src/processing/language/selection/model-profiler.ts";
import { ProviderHealth } from "../../../../src/processing/language/selection/provider-health.ts";
import { fixedKeys } from "../../../support/llm-servers/index.ts";

interface Reply {
  status: number;
  body?: string;
  headers?: Record<string, string>;
}

const DOWN: Reply = { status: 503, body: '{"error":{"message":"down"}}' };
const ANSWER: Reply = {
  status: 200,
  body: JSON.stringify({
    model: "gpt-4o-mini",
    choices: [{ message: { content: '{"note":"A kettle."}' }, finish_reason: "stop" }],
    usage: { prompt_tokens: 200, completion_tokens: 3 },
  }),
};

/** OpenAI's protocol over a transport that answers as told and keeps what was sent. */
async function setUp(
  reply: (count: number) => Reply,
  options: {
    budgetUsd?: number;
    limits?: object;
    retry?: { maxRetries: number; initialDelayMs?: number };
    breaker?: object;
  } = {},
) {
  const sent: { signal: AbortSignal | undefined }[] = [];
  const transport: HttpTransport = {
    environment: "process",
    close: () => Promise.resolve(),
    send: (request) => {
      sent.push({ signal: request.signal });
      const { status, body = "", headers = {} } = reply(sent.length);
      const all: Record<string, string> = { "content-type": "application/json", ...headers };
      return Promise.resolve({
        status,
        headers: Object.entries(all),
        header: (name: string) => all[name] ?? null,
        body: (async function* () {
          yield await Promise.resolve(new TextEncoder().encode(body));
        })(),
      });
    },
  };
  const source = createHttpSources({
    transport,
    keys: fixedKeys({ openai: "key" }),
    settings: (provider) =>
      Promise.resolve({
        provider,
        enabled: true,
        baseUrl: "https://llm.test/v1",
        ...options.limits,
      }),
    catalogue: httpCatalogue(Date.now()),
    retry: options.retry ?? { maxRetries: 0 },
    ...(options.breaker ? { breaker: options.breaker } : {}),
  }).find(({ provider }) => provider === "openai")!;
  const store = new SettingsStore(new MemoryFileStore());
  const ledger = await CostLedger.open(store, systemClock, () => options.budgetUsd ?? 10);
  const caller = new MeteredCaller({
    ledger,
    profiler: await ModelProfiler.open(store, systemClock),
    health: new ProviderHealth(systemClock, []),
    clock: systemClock,
    lend: async (_id, _signal, work) => work(await source.open("gpt-4o-mini")),
  });
  const info = (await source.list()).find(({ name }) => name === "gpt-4o-mini")!;
  const ask = (request: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
    caller.call(info, {
      messages: [{ role: "user", content: "Summarise this note, please. ".repeat(40) }],
      answerTokens: 500,
      schema: { type: "object" },
      ...request,
    });
  return { ask, ledger, sent };
}

describe("a call that never left", () => {
  it("costs nothing while the provider is left alone after failures", async () => {
    const { ask, ledger, sent } = await setUp(() => DOWN, { breaker: { threshold: 2 } });
    for (let i = 0; i < 6; i++) await expect(ask()).rejects.toThrow();
    expect(sent).toHaveLength(2);
    expect(ledger.report().calls.filter(({ usd }) => usd > 0)).toHaveLength(2);
  });

  it("costs nothing when it is cancelled while it waits for the limits", async () => {
    const { ask, ledger, sent } = await setUp(() => ANSWER, { limits: { requestsPerMinute: 1 } });
    await ask().catch(() => undefined);
    const spent = ledger.report().todayUsd;
    const control = new AbortController();
    const waiting = Array.from({ length: 3 }, () => ask({ signal: control.signal }));
    setTimeout(() => control.abort(), 50);
    for (const call of waiting) await expect(call).rejects.toMatchObject({ name: "AbortError" });
    expect(sent).toHaveLength(1);
    expect(ledger.report().todayUsd).toBe(spent);
  });

  it("is refused at once while the provider wants a longer pause than it may wait", async () => {
    const busy = { status: 429, body: "{}", headers: { "retry-after": "3600" } };
    const { ask, ledger, sent } = await setUp(() => busy);
    await expect(ask()).rejects.toMatchObject({ code: "rate_limited" });
    const from = performance.now();
    await expect(ask({ timeoutMs: 20_000 })).rejects.toMatchObject({ code: "rate_limited" });
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(sent).toHaveLength(1);
    expect(ledger.report().todayUsd).toBe(0);
  });
});

it("counts a call once when the budget has nothing left for its second attempt", async () => {
  const { ask, ledger, sent } = await setUp(() => DOWN, {
    retry: { maxRetries: 2, initialDelayMs: 1 },
    budgetUsd: 0.002,
  });
  await expect(ask()).rejects.toMatchObject({ code: "budget_exceeded" });
  const { calls, reservedUsd } = ledger.report();
  expect(calls).toHaveLength(sent.length);
  expect(reservedUsd).toBe(0);
});

it("lets go of an answer that nobody reads", async () => {
  const page = { status: 200, body: "<html>", headers: { "content-type": "text/html" } };
  const { ask, sent } = await setUp(() => page);
  await expect(ask()).rejects.toThrow("web page");
  expect(sent[0]!.signal!.aborted).toBe(true);
});
