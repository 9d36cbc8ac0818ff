import { expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import { providerSettingsReader } from "../../../src/engine/provider-settings.ts";
import { SettingsStore } from "../../../src/engine/settings-store.ts";
import { AppError } from "../../../src/errors.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { FetchTransport } from "../../../src/processing/language/fetch-transport.ts";
import { createHttpSources } from "../../../src/processing/language/http-model-source.ts";
import { fixedKeys, startOllamaServer } from "../../support/llm-servers/index.ts";

const MODEL = {
  name: "tidal:7b",
  parameterSize: "7B",
  sizeBytes: 4_000_000_000,
  contextTokens: 16_384,
};

it("a host that its client leaves alone is held back for the router and on the providers' page", async () => {
  const server = await startOllamaServer({ models: [MODEL] });
  const fileStore = new MemoryFileStore(new MemoryVolume());
  const engine = await createEngine({
    fileStore,
    embedder: noEmbedder,
    sql: () => Promise.reject(new AppError("internal", "No SQL here.")),
    keys: fixedKeys({}),
    languageSources: createHttpSources({
      transport: new FetchTransport({ environment: "process" }),
      keys: fixedKeys({}),
      settings: providerSettingsReader(new SettingsStore(fileStore)),
      catalogue: [],
      retry: { maxRetries: 0 },
      // Sooner than the engine itself would hold the provider back.
      breaker: { threshold: 1, pauseMs: 90_000 },
    }),
  });
  const { language } = engine;
  const ollama = async () =>
    (await language.providers()).find(({ provider }) => provider === "ollama")!;
  await language.configureProvider({ provider: "ollama", baseUrl: server.url });
  const request = {
    kind: "mail",
    mode: "balanced",
    inputTokens: 400,
    outputTokens: 100,
    model: "ollama:tidal:7b",
  } as const;
  expect((await language.route(request)).modelId).toBe("ollama:tidal:7b");
  expect((await ollama()).pausedUntil).toBeUndefined();

  server.fault({ kind: "server-error" });
  await expect(language.probe("ollama:tidal:7b")).rejects.toMatchObject({ code: "model_failed" });
  const { pausedUntil, error } = await ollama();
  expect(pausedUntil).toBeGreaterThan(Date.now() + 60_000);
  expect(error).toContain("llama runner process has terminated");
  const decision = await language.route(request);
  expect(decision.modelId).toBe(null);
  expect(JSON.stringify(decision)).toMatch(/Held back for \d+ s after repeated failures of Ollama/);
  await engine.close();
  await server.close();
});
