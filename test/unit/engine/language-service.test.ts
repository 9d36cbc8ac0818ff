import { afterEach, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { EngineEvent } from "../../../src/engine.ts";
import type { LocalEngine } from "../../../src/engine/local-engine.ts";
import { providerSettingsReader } from "../../../src/engine/provider-settings.ts";
import { SettingsStore } from "../../../src/engine/settings-store.ts";
import { AppError } from "../../../src/errors.ts";
import { httpCatalogue } from "../../../src/model/http-models.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import type { LanguageModelSource } from "../../../src/ports/language-model.ts";
import { FetchTransport } from "../../../src/processing/language/fetch-transport.ts";
import { createHttpSources } from "../../../src/processing/language/http-model-source.ts";
import {
  fixedKeys,
  startOllamaServer,
  startOpenAiServer,
  type LlmServer,
} from "../../support/llm-servers/index.ts";

const QWEN = {
  name: "qwen2.5:3b",
  parameterSize: "3.1B",
  sizeBytes: 1_929_912_432,
  contextTokens: 32_768,
};

/** Two services on this machine; OpenAI counts as another machine all the same. */
class Bench {
  readonly volume: MemoryVolume;
  readonly keys = fixedKeys({ openai: "test-key" });
  openai!: LlmServer;
  ollama!: LlmServer;
  engine!: LocalEngine;

  constructor(volume = new MemoryVolume()) {
    this.volume = volume;
  }

  async open(extra: readonly LanguageModelSource[] = []): Promise<this> {
    this.openai ??= await startOpenAiServer({ models: ["gpt-5-mini", "gpt-4o-mini"] });
    this.ollama ??= await startOllamaServer({ models: [QWEN] });
    const fileStore = new MemoryFileStore(this.volume);
    const settings = new SettingsStore(fileStore);
    this.engine = await createEngine({
      fileStore,
      embedder: {
        load: () => Promise.resolve(null),
        state: () =>
          Promise.resolve({
            name: "none",
            state: "missing",
            sizeBytes: 0,
            installedBytes: 0,
            licence: "",
          }),
      },
      sql: () => Promise.reject(new AppError("internal", "No SQL here.")),
      keys: this.keys,
      languageSources: [
        ...createHttpSources({
          transport: new FetchTransport({ environment: "process" }),
          keys: this.keys,
          settings: providerSettingsReader(settings),
          catalogue: httpCatalogue(Date.now()),
          retry: { maxRetries: 0 },
        }),
        ...extra,
      ],
    });
    const { language } = this.engine;
    await language.configureProvider({ provider: "openai", baseUrl: `${this.openai.url}/v1` });
    await language.configureProvider({ provider: "ollama", baseUrl: this.ollama.url });
    return this;
  }

  async close(): Promise<void> {
    await this.engine.close();
    await Promise.all([this.openai.close(), this.ollama.close()]);
  }
}

let bench: Bench;
afterEach(() => bench.close());

const ROUTE = { kind: "mail", mode: "balanced", inputTokens: 500, outputTokens: 150 } as const;

describe("the list of models", () => {
  it("joins what every source has, with states and prices", async () => {
    bench = await new Bench().open();
    const models = await bench.engine.language.list();
    const byId = new Map(models.map((model) => [model.id, model]));
    expect(byId.get("ollama:qwen2.5:3b")).toMatchObject({ state: "ready", local: true });
    expect(byId.get("ollama:gemma3:4b")).toMatchObject({ state: "missing" });
    expect(byId.get("openai:gpt-5-mini")).toMatchObject({
      state: "ready",
      local: false,
      price: { inputUsd: 0.25, outputUsd: 2 },
      thinkingTokens: 4096,
    });
    expect(byId.get("claude:claude-haiku-5-5")).toMatchObject({ state: "needs_key" });
  });

  it("isn't broken by a source that throws or forgets to answer", async () => {
    const broken: LanguageModelSource = {
      provider: "chrome",
      list: () => Promise.reject(new Error("no window")),
      open: () => Promise.reject(new AppError("model_missing", "none")),
      close: () => Promise.resolve(),
    };
    bench = await new Bench().open([broken]);
    const models = await bench.engine.language.list();
    expect(models.some(({ id }) => id === "ollama:qwen2.5:3b")).toBe(true);
  });

  it("keeps a model of one's own over a restart, until it is removed", async () => {
    bench = await new Bench().open();
    const { language } = bench.engine;
    const price = { inputUsd: 1, outputUsd: 2 };
    const added = await language.add({ provider: "openai", name: "my-tuned", price });
    expect(added).toMatchObject({ id: "openai:my-tuned", custom: true, price });
    await bench.engine.close();
    await bench.open();
    expect((await bench.engine.language.list()).map(({ id }) => id)).toContain("openai:my-tuned");
    await bench.engine.language.remove("openai:my-tuned");
    await bench.engine.close();
    await bench.open();
    expect((await bench.engine.language.list()).map(({ id }) => id)).not.toContain(
      "openai:my-tuned",
    );
  });

  it.each([
    [{ provider: "openai", name: "two words" }, /name/],
    [{ provider: "wllama", name: "x", ggufUrl: "not an address" }, /ggufUrl/],
    [
      { provider: "wllama", name: "x", ggufUrl: "https://a.example/x.gguf", sha256: "12" },
      /sha256/,
    ],
    [{ provider: "openai", name: "x", price: { inputUsd: -1, outputUsd: 1 } }, /price/],
    [{ provider: "nobody", name: "x" }, /provider/],
  ] as const)("refuses %o, naming the field", async (model, field) => {
    bench = await new Bench().open();
    await expect(bench.engine.language.add(model as never)).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringMatching(field),
    });
  });

  it("has no WebLLM in Node", async () => {
    bench = await new Bench().open();
    await expect(
      bench.engine.language.add({
        provider: "webllm",
        name: "x",
        weightsUrl: "https://a.example/w",
        libraryUrl: "https://a.example/l.wasm",
      }),
    ).rejects.toMatchObject({ code: "unsupported_input" });
  });
});

describe("settings and keys", () => {
  it("are kept, checked and told of", async () => {
    bench = await new Bench().open();
    const events: EngineEvent[] = [];
    bench.engine.subscribe((event) => events.push(event));
    const { language } = bench.engine;
    expect(await language.settings()).toEqual({
      enabled: true,
      allowRemote: false,
      dailyBudgetUsd: 1,
      model: "auto",
    });
    await language.configure({ dailyBudgetUsd: 0.25, allowRemote: true });
    expect(events.map(({ type }) => type)).toContain("language");
    await expect(language.configure({ dailyBudgetUsd: -1 })).rejects.toMatchObject({
      code: "invalid_input",
    });
    await expect(language.configure({ model: "whatever" })).rejects.toMatchObject({
      code: "invalid_input",
    });
    await bench.engine.close();
    await bench.open();
    expect(await bench.engine.language.settings()).toMatchObject({
      dailyBudgetUsd: 0.25,
      allowRemote: true,
    });
  });

  it("a key is set and removed, and never shown", async () => {
    bench = await new Bench().open();
    const { language } = bench.engine;
    const state = await language.setKey("claude", "sk-secret-1");
    expect(state).toMatchObject({ provider: "claude", key: "memory", available: true });
    expect(JSON.stringify(await language.providers())).not.toContain("sk-secret-1");
    expect(await language.setKey("claude", "")).toMatchObject({ key: "none" });
    await expect(language.setKey("claude", "with blanks in it")).rejects.toMatchObject({
      code: "invalid_input",
    });
  });

  it("a provider that is turned off takes no part", async () => {
    bench = await new Bench().open();
    const { language } = bench.engine;
    expect((await language.route(ROUTE)).modelId).toBe("ollama:qwen2.5:3b");
    await language.configureProvider({ provider: "ollama", enabled: false });
    expect((await language.route(ROUTE)).modelId).toBeNull();
    await expect(
      language.configureProvider({ provider: "ollama", baseUrl: "ftp://x" }),
    ).rejects.toMatchObject({ code: "invalid_input", message: expect.stringMatching(/baseUrl/) });
  });
});

describe("calls", () => {
  it("are measured and paid for", async () => {
    bench = await new Bench().open();
    const { language } = bench.engine;
    bench.openai.respond({ text: "It saves time.", usage: { inputTokens: 20, outputTokens: 5 } });
    const probe = await language.probe("openai:gpt-5-mini");
    expect(probe.text).toBe("It saves time.");
    const spending = await language.spending();
    expect(spending.todayUsd).toBeCloseTo((20 * 0.25 + 5 * 2) / 1e6, 9);
    expect(spending.reservedUsd).toBe(0);
    expect(spending.calls[0]).toMatchObject({ modelId: "openai:gpt-5-mini", ok: true });
    expect((await language.profiles())[0]).toMatchObject({
      modelId: "openai:gpt-5-mini",
      calls: 1,
    });
    expect(spending.prices.find(({ modelId }) => modelId === "openai:gpt-5-mini")).toMatchObject({
      source: expect.stringContaining("https://"),
    });
  });

  it("that the budget doesn't admit never leave", async () => {
    bench = await new Bench().open();
    const { language } = bench.engine;
    await language.configure({ dailyBudgetUsd: 0 });
    const before = bench.openai.requests.length;
    await expect(language.probe("openai:gpt-5-mini")).rejects.toMatchObject({
      code: "budget_exceeded",
    });
    expect(bench.openai.requests.length).toBe(before);
    expect((await language.probe("ollama:qwen2.5:3b")).text).not.toBe("");
  });

  it("of a provider that hides its usage are charged by what came back", async () => {
    bench = await new Bench().open();
    const text = "word ".repeat(60).trim();
    bench.openai.respond({ text, usage: { inputTokens: 1, outputTokens: 1 } });
    await bench.engine.language.probe("openai:gpt-4o-mini");
    const [call] = (await bench.engine.language.spending()).calls;
    expect(call!.outputTokens).toBeGreaterThanOrEqual(60);
    expect(call!.inputTokens).toBeGreaterThan(10);
  });

  it("a provider that keeps failing is held back, and says so", async () => {
    bench = await new Bench().open();
    const { language } = bench.engine;
    await language.configure({ allowRemote: true });
    bench.openai.fault({ kind: "server-error" }, 20);
    for (let i = 0; i < 3; i++)
      await expect(language.probe("openai:gpt-5-mini")).rejects.toBeInstanceOf(AppError);
    const state = (await language.providers()).find(({ provider }) => provider === "openai")!;
    expect(state.pausedUntil).toBeGreaterThan(0);
    expect(state.error).toBeTruthy();
    const decision = await language.route({ ...ROUTE, model: "openai:gpt-5-mini" });
    expect(decision.modelId).toBeNull();
  });

  it("to a model that nobody has are refused with a hint", async () => {
    bench = await new Bench().open();
    await expect(bench.engine.language.probe("ollama:none")).rejects.toMatchObject({
      code: "not_found",
      hint: expect.stringContaining("llm-compress models"),
    });
  });
});

describe("status", () => {
  it("counts the models that could answer now", async () => {
    bench = await new Bench().open();
    expect((await bench.engine.status()).language.readyCount).toBe(1);
    await bench.engine.language.configure({ allowRemote: true });
    expect((await bench.engine.status()).language.readyCount).toBeGreaterThan(2);
  });
});
