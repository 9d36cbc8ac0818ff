import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LanguageProvider, ProviderSettings } from "../../../../src/model/language-model.ts";
import { FetchTransport } from "../../../../src/processing/language/fetch-transport.ts";
import {
  createHttpSources,
  type HttpModelSource,
  type HttpSourceOptions,
} from "../../../../src/processing/language/http-model-source.ts";
import { httpCatalogue } from "../../../../src/model/http-models.ts";
import { ProviderHealth } from "../../../../src/processing/language/selection/provider-health.ts";
import {
  fixedKeys,
  startOllamaServer,
  startOpenAiServer,
  type LlmServer,
} from "../../../support/llm-servers/index.ts";
import { HeldClock } from "./held-clock.ts";
import { ask, LETTER } from "./servers.ts";

let closing: (() => Promise<void>)[] = [];
beforeEach(() => void (closing = []));
afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

async function started(server: Promise<LlmServer>): Promise<LlmServer> {
  const running = await server;
  closing.push(() => running.close());
  return running;
}

/** A source whose settings may be changed while it lives. */
function sourceOf(
  provider: LanguageProvider,
  settings: Partial<ProviderSettings>,
  options: Partial<HttpSourceOptions> & { key?: string } = {},
): { source: HttpModelSource; settings: Partial<ProviderSettings> } {
  const { key, ...rest } = options;
  const sources = createHttpSources({
    transport: new FetchTransport({ environment: "process" }),
    keys: fixedKeys(key === undefined ? {} : { [provider]: key }),
    settings: async (asked) => ({ provider: asked, enabled: true, ...settings }),
    catalogue: httpCatalogue(Date.now()),
    retry: { maxRetries: 0 },
    ...rest,
  });
  closing.push(async () => {
    await Promise.all(sources.map((source) => source.close()));
  });
  return { source: sources.find((one) => one.provider === provider)!, settings };
}

const states = async (source: HttpModelSource) =>
  new Set((await source.list()).map(({ state }) => state));

describe("the list of a paid provider", () => {
  it("needs a key, is ready with one, and asks no one for either", async () => {
    const server = await started(startOpenAiServer());
    const without = sourceOf("openai", { baseUrl: server.url });
    const list = await without.source.list();
    expect(list.length).toBeGreaterThan(3);
    for (const model of list) {
      expect(model.state).toBe("needs_key");
      expect(model.reason).toMatch(/OpenAI needs a key/);
      expect(model.id).toBe(`openai:${model.name}`);
    }
    await expect(without.source.open("gpt-4o-mini")).rejects.toMatchObject({
      code: "unauthorized",
    });
    const ready = sourceOf("openai", { baseUrl: server.url }, { key: "test-key" });
    expect(await states(ready.source)).toEqual(new Set(["ready"]));
    expect((await ready.source.list()).every(({ local, price }) => !local && price)).toBe(true);
    expect(server.requests).toEqual([]);
  });

  it.each([
    [{ enabled: false }, /turned off/],
    [{ baseUrl: "not an address" }, /no address of a server/],
    [{ baseUrl: "ftp://host/v1" }, /no address of a server/],
    [{ baseUrl: "https://user:password@host/v1" }, /name or password/],
    [{ baseUrl: "https://host/v1?x=1" }, /after “\?” or “#”/],
    [{ baseUrl: "http://api.example.com/v1" }, /unencrypted/],
  ] satisfies [Partial<ProviderSettings>, RegExp][])(
    "with %j is unavailable and says why",
    async (settings, reason) => {
      const { source } = sourceOf("openai", settings, { key: "sk-very-secret-0123" });
      const [model] = await source.list();
      expect(model).toMatchObject({ state: "unavailable" });
      expect(model!.reason).toMatch(reason);
      expect(model!.reason).not.toContain("sk-very-secret");
      expect(model!.reason).not.toContain("password@");
      await expect(source.open("gpt-4o-mini")).rejects.toMatchObject({ code: "invalid_input" });
    },
  );

  it("follows a change of settings at the next look", async () => {
    const { source, settings } = sourceOf("claude", { enabled: false }, { key: "test-key" });
    expect(await states(source)).toEqual(new Set(["unavailable"]));
    settings.enabled = true;
    expect(await states(source)).toEqual(new Set(["ready"]));
  });
});

describe("the list of a server of one's own", () => {
  it("joins what is known by name with what is there", async () => {
    const server = await started(
      startOllamaServer({
        models: [
          {
            name: "llama3.2:3b",
            parameterSize: "3.2B",
            sizeBytes: 2_019_393_189,
            contextTokens: 4_096,
          },
          {
            name: "tidal:latest",
            parameterSize: "700M",
            sizeBytes: 500_000_000,
            contextTokens: 16_384,
          },
          {
            name: "cloudy:480b",
            parameterSize: "480B",
            sizeBytes: 384,
            contextTokens: 262_144,
            remoteHost: "https://elsewhere.example",
          },
          {
            name: "nomic-embed-text:latest",
            parameterSize: "137M",
            sizeBytes: 274_302_450,
            contextTokens: 2_048,
            capabilities: ["embedding"],
          },
        ],
      }),
    );
    const { source } = sourceOf("ollama", { baseUrl: server.url });
    const list = await source.list();
    const byName = new Map(list.map((model) => [model.name, model]));
    // The server's context is smaller than the table's: the smaller one holds.
    expect(byName.get("llama3.2:3b")).toMatchObject({
      state: "ready",
      local: true,
      contextTokens: 4_096,
      installedBytes: 2_019_393_189,
      price: { inputUsd: 0, outputUsd: 0 },
    });
    expect(byName.get("tidal:latest")).toMatchObject({
      state: "ready",
      local: true,
      tier: "fast",
      contextTokens: 16_384,
    });
    // Passed on to another machine: neither local nor free.
    expect(byName.get("cloudy:480b")).toMatchObject({ state: "ready", local: false, price: null });
    expect(byName.has("nomic-embed-text:latest")).toBe(false);
    const absent = list.filter(({ state }) => state === "missing");
    expect(absent.length).toBeGreaterThan(3);
    expect(list.filter(({ name }) => name === "llama3.2:3b")).toHaveLength(1);
  });

  it("is unavailable with the reason when nothing listens, and ready once it does", async () => {
    const clock = new HeldClock();
    const gone = await startOllamaServer();
    await gone.close();
    const port = Number(new URL(gone.url).port);
    const { source } = sourceOf("ollama", { baseUrl: gone.url }, { clock });
    const [model] = await source.list();
    expect(model).toMatchObject({ state: "unavailable", local: true });
    expect(model!.reason).toMatch(/can't be reached.*Check the address/s);
    await expect(source.open("llama3.2:3b")).rejects.toMatchObject({ code: "network" });
    await started(startOllamaServer({ port }));
    clock.advance(10_000);
    expect((await source.list()).find(({ name }) => name === "llama3.2:3b")).toMatchObject({
      state: "ready",
    });
  });

  it("needs a key when the server refuses to list without one", async () => {
    const server = await started(startOpenAiServer({ models: ["own-7b"] }));
    const { source } = sourceOf("openai-compatible", { baseUrl: server.url }, { key: "wrong-key" });
    await source.add({ provider: "openai-compatible", name: "own-7b" });
    const list = await source.list();
    expect(list).toMatchObject([{ name: "own-7b", state: "needs_key", custom: true }]);
    expect(JSON.stringify(list)).not.toContain("wrong-key");
  });

  it("asks once for looks that come together, and again after a while", async () => {
    const clock = new HeldClock();
    const server = await started(startOllamaServer());
    const { source } = sourceOf("ollama", { baseUrl: server.url }, { clock });
    const asked = () => server.requests.filter(({ path }) => path === "/api/tags").length;
    await Promise.all([source.list(), source.list(), source.list()]);
    expect(asked()).toBe(1);
    clock.advance(60_000);
    await source.list();
    expect(asked()).toBe(2);
    // What a model can do was said once; its digest didn't change.
    expect(server.requests.filter(({ path }) => path === "/api/show")).toHaveLength(3);
  });

  it("forgets what another address said", async () => {
    const one = await started(startOpenAiServer({ compatible: true, models: ["one-7b"] }));
    const two = await started(startOpenAiServer({ compatible: true, models: ["two-7b"] }));
    const { source, settings } = sourceOf("openai-compatible", { baseUrl: one.url });
    expect((await source.list()).map(({ name }) => name)).toEqual(["one-7b"]);
    settings.baseUrl = two.url;
    expect((await source.list()).map(({ name }) => name)).toEqual(["two-7b"]);
  });
});

describe("models of the owner's own", () => {
  it("are listed with what was said of them, replaced by the same name, and taken away", async () => {
    const { source } = sourceOf("openai", {}, { key: "test-key" });
    const added = await source.add({
      provider: "openai",
      name: "ft:gpt-4o-mini:me",
      title: "Mine",
      contextTokens: 64_000,
      price: { inputUsd: 1, outputUsd: 2 },
    });
    expect(added).toMatchObject({
      id: "openai:ft:gpt-4o-mini:me",
      title: "Mine",
      contextTokens: 64_000,
      price: { inputUsd: 1, outputUsd: 2 },
      custom: true,
      state: "ready",
    });
    await source.add({ provider: "openai", name: "ft:gpt-4o-mini:me", title: "Mine, again" });
    const own = (await source.list()).filter(({ custom }) => custom);
    expect(own).toMatchObject([{ title: "Mine, again", price: null }]);
    await source.remove("ft:gpt-4o-mini:me");
    expect((await source.list()).some(({ custom }) => custom)).toBe(false);
    await expect(source.remove("ft:gpt-4o-mini:me")).rejects.toMatchObject({ code: "not_found" });
    await expect(source.remove("gpt-4o-mini")).rejects.toMatchObject({ code: "not_found" });
  });

  it.each(["", "two words", "x".repeat(201), "a\nb"])("are refused as %j", async (name) => {
    const { source } = sourceOf("openai", {}, { key: "test-key" });
    await expect(source.add({ provider: "openai", name })).rejects.toMatchObject({
      code: "invalid_input",
      hint: expect.any(String) as string,
    });
  });

  it("are refused by another provider's source", async () => {
    const { source } = sourceOf("openai", {}, { key: "test-key" });
    await expect(
      source.add({ provider: "claude", name: "claude-haiku-4-5" }),
    ).rejects.toMatchObject({ code: "invalid_input" });
  });

  it("have the context that their server says, unless less was said of them", async () => {
    const tidal = { parameterSize: "7B", sizeBytes: 4_000_000_000, contextTokens: 32_768 };
    const server = await started(
      startOllamaServer({
        models: ["plain:7b", "less:7b", "more:7b"].map((name) => ({ name, ...tidal })),
      }),
    );
    const { source } = sourceOf("ollama", { baseUrl: server.url });
    await source.add({ provider: "ollama", name: "plain:7b" });
    await source.add({ provider: "ollama", name: "less:7b", contextTokens: 4_096 });
    await source.add({ provider: "ollama", name: "more:7b", contextTokens: 131_072 });
    const own = (await source.list()).filter(({ custom }) => custom);
    expect(own.map(({ name, contextTokens }) => [name, contextTokens])).toEqual([
      ["plain:7b", 32_768],
      ["less:7b", 4_096],
      ["more:7b", 32_768],
    ]);
  });

  it("answer at a server that takes any name, though it doesn't list them", async () => {
    const server = await started(startOpenAiServer({ compatible: true, models: ["own-7b"] }));
    const { source } = sourceOf("openai-compatible", { baseUrl: server.url });
    await expect(source.open("another-7b")).rejects.toMatchObject({ code: "model_missing" });
    await source.add({ provider: "openai-compatible", name: "another-7b" });
    expect((await source.list()).find(({ custom }) => custom)).toMatchObject({
      state: "unavailable",
      reason: expect.stringContaining("doesn't list it") as string,
    });
    const model = await source.open("another-7b");
    await expect(model.generate({ messages: ask() })).rejects.toMatchObject({
      code: "model_missing",
    });
  });
});

describe("a host that fails again and again", () => {
  it("is held back until a time that the owner is told, and asked again afterwards", async () => {
    const server = await started(startOpenAiServer({ compatible: true, models: ["own-7b"] }));
    const { source, settings } = sourceOf(
      "openai-compatible",
      { baseUrl: server.url },
      { breaker: { threshold: 2, pauseMs: 60_000 } },
    );
    const health = new ProviderHealth({ now: () => Date.now(), elapsed: () => 0 }, [source]);
    const model = await source.open("own-7b");
    expect(source.pausedUntil()).toBe(null);
    expect(health.pausedUntil().size).toBe(0);
    server.fault({ kind: "server-error" }, 2);
    for (const _ of [1, 2])
      await expect(model.generate({ messages: ask() })).rejects.toMatchObject({
        code: "model_failed",
      });
    const until = source.pausedUntil()!;
    expect(until).toBeGreaterThan(Date.now() + 30_000);
    expect(health.pausedUntil()).toEqual(new Map([["openai-compatible", until]]));
    const asked = server.requests.length;
    await expect(model.generate({ messages: ask() })).rejects.toMatchObject({
      message: expect.stringContaining("left alone") as string,
    });
    expect(server.requests).toHaveLength(asked);

    // Another server has done nothing wrong.
    const other = await started(startOpenAiServer({ compatible: true, models: ["own-7b"] }));
    settings.baseUrl = other.url;
    expect((await model.generate({ messages: ask() })).text).toBe(LETTER);
    expect(source.pausedUntil()).toBe(null);
    expect(health.pausedUntil().size).toBe(0);
  });

  it("counts the longer one of two pauses", () => {
    const clock = new HeldClock();
    let until = clock.now() + 500_000;
    const health = new ProviderHealth(clock, [
      { provider: "openai", pausedUntil: () => until },
      { provider: "wllama" },
    ]);
    expect(health.pausedUntil()).toEqual(new Map([["openai", until]]));
    until = clock.now() + 5;
    clock.advance(10);
    expect(health.pausedUntil().size).toBe(0);
  });
});

it("says closed after close, and closes its clients", async () => {
  const server = await started(startOllamaServer());
  const { source } = sourceOf("ollama", { baseUrl: server.url });
  const model = await source.open("llama3.2:3b");
  await source.close();
  await source.close();
  await expect(source.open("llama3.2:3b")).rejects.toMatchObject({ code: "closed" });
  await expect(source.install!("llama3.2:3b")).rejects.toMatchObject({ code: "closed" });
  await expect(model.generate({ messages: ask() })).rejects.toMatchObject({ code: "closed" });
});
