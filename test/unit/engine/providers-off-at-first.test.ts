import { afterEach, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { LocalEngine } from "../../../src/engine/local-engine.ts";
import { providerSettingsReader } from "../../../src/engine/provider-settings.ts";
import { SettingsStore } from "../../../src/engine/settings-store.ts";
import { AppError } from "../../../src/errors.ts";
import { httpCatalogue } from "../../../src/model/http-models.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { FetchTransport } from "../../../src/processing/language/fetch-transport.ts";
import { createHttpSources } from "../../../src/processing/language/http-model-source.ts";
import { fixedKeys, startOllamaServer, type LlmServer } from "../../support/llm-servers/index.ts";

const OFF = ["ollama"] as const;

let server: LlmServer;
let engine: LocalEngine;
afterEach(async () => {
  await engine.close();
  await server.close();
});

async function open(): Promise<void> {
  server = await startOllamaServer({
    models: [{ name: "qwen2.5:3b", parameterSize: "3.1B", sizeBytes: 2e9, contextTokens: 32_768 }],
  });
  const fileStore = new MemoryFileStore(new MemoryVolume());
  const keys = fixedKeys({});
  const asSet = providerSettingsReader(new SettingsStore(fileStore), OFF);
  engine = await createEngine({
    fileStore,
    embedder: noEmbedder,
    sql: () => Promise.reject(new AppError("internal", "No SQL here.")),
    keys,
    offAtFirst: OFF,
    languageSources: createHttpSources({
      transport: new FetchTransport({ environment: "process" }),
      keys,
      // Its own address stands for the one that every such server has.
      settings: async (provider) => ({
        ...(provider === "ollama" ? { baseUrl: server.url } : {}),
        ...(await asSet(provider)),
      }),
      catalogue: httpCatalogue(Date.now()),
      retry: { maxRetries: 0 },
    }),
  });
}

const stateOf = async () =>
  (await engine.language.list()).find((model) => model.id === "ollama:qwen2.5:3b")?.state;

describe("a provider that is off at first", () => {
  it("isn't asked for anything until its owner sets it up", async () => {
    await open();
    expect(await stateOf()).not.toBe("ready");
    const route = { kind: "mail", mode: "high", inputTokens: 50, outputTokens: 20 } as const;
    expect((await engine.language.route(route)).modelId).toBeNull();
    expect(server.requests).toHaveLength(0);

    const state = await engine.language.configureProvider({ provider: "ollama", timeoutMs: 9_000 });
    expect(state.enabled).toBe(true);
    expect(await stateOf()).toBe("ready");
    expect(server.requests.length).toBeGreaterThan(0);
  });

  it("is on once a model of it was added, and off again when its owner says so", async () => {
    await open();
    await engine.language.add({ provider: "ollama", name: "qwen2.5:3b" });
    expect(await stateOf()).toBe("ready");
    const off = await engine.language.configureProvider({ provider: "ollama", enabled: false });
    expect(off.enabled).toBe(false);
    expect(await stateOf()).toBe("unavailable");
  });
});
