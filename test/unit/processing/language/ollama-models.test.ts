import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstallProgress } from "../../../../src/ports/language-model.ts";
import { FetchTransport } from "../../../../src/processing/language/fetch-transport.ts";
import {
  createHttpSources,
  type HttpModelSource,
} from "../../../../src/processing/language/http-model-source.ts";
import { httpCatalogue } from "../../../../src/model/http-models.ts";
import {
  ollamaDetails,
  parseParameterSize,
} from "../../../../src/processing/language/protocols/ollama-models.ts";
import {
  COMPLETION_MODEL,
  fixedKeys,
  startOllamaServer,
  type LibraryModel,
  type LlmServer,
} from "../../../support/llm-servers/index.ts";
import { ask, LETTER } from "./servers.ts";

const NAME = "smollm2:360m";
const LAYERS = [
  { digest: `sha256:${"a".repeat(64)}`, sizeBytes: 725_548_000 },
  { digest: `sha256:${"b".repeat(64)}`, sizeBytes: 1_200 },
];
const TOTAL_BYTES = 725_549_200;

const offered = (more: Partial<LibraryModel> = {}): LibraryModel => ({
  name: NAME,
  parameterSize: "361.82M",
  sizeBytes: TOTAL_BYTES,
  contextTokens: 8_192,
  layers: LAYERS,
  ...more,
});

let server: LlmServer;
let sources: HttpModelSource[];
let source: HttpModelSource;

async function start(library: LibraryModel[]): Promise<void> {
  server = await startOllamaServer({ models: [], library });
  sources = createHttpSources({
    transport: new FetchTransport({ environment: "process" }),
    keys: fixedKeys({}),
    settings: async (provider) => ({ provider, enabled: true, baseUrl: server.url }),
    catalogue: httpCatalogue(Date.now()),
    retry: { maxRetries: 0 },
  });
  source = sources.find(({ provider }) => provider === "ollama")!;
}

beforeEach(() => start([offered()]));
afterEach(async () => {
  await Promise.all(sources.map((one) => one.close()));
  await server.close();
});

const info = async (name = NAME) => (await source.list()).find((model) => model.name === name);

describe("loading a model onto an Ollama server", () => {
  it("tells how far it is, and the model answers", async () => {
    await source.add({ provider: "ollama", name: NAME });
    expect(await info()).toMatchObject({ state: "missing", local: true });
    const progress: InstallProgress[] = [];
    await source.install!(NAME, { onProgress: (step) => progress.push(step) });
    expect(progress.length).toBeGreaterThan(5);
    progress.reduce((before, { doneBytes, totalBytes }) => {
      expect(doneBytes).toBeGreaterThanOrEqual(before);
      expect(doneBytes).toBeLessThanOrEqual(totalBytes);
      return doneBytes;
    }, 0);
    expect(progress.at(-1)).toEqual({ doneBytes: TOTAL_BYTES, totalBytes: TOTAL_BYTES });
    expect(await info()).toMatchObject({
      state: "ready",
      local: true,
      installedBytes: TOTAL_BYTES,
    });
    const model = await source.open(NAME);
    expect((await model.generate({ messages: ask() })).text).toBe(LETTER);
  });

  it("pauses when it is cancelled, and goes on where it was", async () => {
    await source.add({ provider: "ollama", name: NAME });
    const cancelled = new AbortController();
    let arrived = 0;
    const first = source.install!(NAME, {
      signal: cancelled.signal,
      onProgress: ({ doneBytes }) => {
        arrived = doneBytes;
        if (doneBytes > TOTAL_BYTES / 4) cancelled.abort();
      },
    });
    await expect(first).rejects.toMatchObject({ name: "AbortError" });
    expect(arrived).toBeLessThan(TOTAL_BYTES);
    expect(await info()).toMatchObject({ state: "partial" });
    const again: number[] = [];
    await source.install!(NAME, { onProgress: ({ doneBytes }) => again.push(doneBytes) });
    expect(again[0]).toBeGreaterThanOrEqual(arrived);
    expect(await info()).toMatchObject({ state: "ready" });
  });

  it("isn't begun when it was cancelled before", async () => {
    await expect(source.install!(NAME, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(server.requests).toEqual([]);
  });

  it("says when the library doesn't have it", async () => {
    await expect(source.install!("no-such-model:1b")).rejects.toMatchObject({
      code: "model_missing",
      message: expect.stringContaining("no-such-model:1b") as string,
      hint: expect.stringContaining("name") as string,
    });
    await expect(source.install!("two words")).rejects.toMatchObject({ code: "invalid_input" });
  });

  it.each([
    ["write /root/.ollama/models/blobs/x: no space left on device", "storage_full", false],
    ["max retries exceeded: unexpected EOF", "network", true],
    [
      "pull model manifest: 412: this model requires a newer version of Ollama",
      "unsupported_version",
      false,
    ],
    ["", "network", true],
  ])("that ends with “%s” is %s, and what arrived stays", async (failure, code, retryable) => {
    await Promise.all(sources.map((one) => one.close()));
    await server.close();
    await start([offered({ failure })]);
    await source.add({ provider: "ollama", name: NAME });
    await expect(source.install!(NAME)).rejects.toMatchObject({ code, retryable });
    expect(await info()).toMatchObject({ state: "partial" });
    const again: number[] = [];
    await source.install!(NAME, { onProgress: ({ doneBytes }) => again.push(doneBytes) }).catch(
      () => undefined,
    );
    expect(again[0]).toBe(LAYERS[0]!.sizeBytes);
  });

  it("says network when the server isn't there", async () => {
    await server.close();
    await expect(source.install!(NAME)).rejects.toMatchObject({ code: "network" });
  });

  it("is offered by no other provider", () => {
    for (const other of sources)
      expect("install" in other && !!other.install).toBe(other === source);
  });
});

describe("removing a model from an Ollama server", () => {
  it("deletes it there; a second time it isn't there", async () => {
    await source.install!(NAME);
    expect((await info())?.state).toBe("ready");
    await source.remove(NAME);
    expect(await info()).toBeUndefined();
    await expect(source.remove(NAME)).rejects.toMatchObject({ code: "not_found" });
    await expect(source.open(NAME)).rejects.toMatchObject({
      code: "model_missing",
      hint: expect.stringContaining("models install ollama:") as string,
    });
  });

  it("takes one of the owner's from the list first, and leaves it on the server", async () => {
    await source.add({ provider: "ollama", name: NAME });
    await source.install!(NAME);
    await source.remove(NAME);
    const left = await info();
    expect(left).toMatchObject({ state: "ready" });
    expect(left?.custom).toBeUndefined();
    await source.remove(NAME);
    expect(await info()).toBeUndefined();
  });
});

describe("how an Ollama model is asked", () => {
  const show = (more: Record<string, unknown>) =>
    ollamaDetails.read({ capabilities: ["completion"], ...more }).completionOnly ?? false;

  it.each([
    ["{{ .Prompt }}", true],
    ["{{ .Prompt }}{{ .Suffix }}", true],
    ["[INST] {{ .Prompt }} [/INST]", true],
    ["{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}", false],
    ["{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ end }}", false],
    ["", false],
  ])("template “%s”: by one prompt %s", (template, alone) => {
    expect(show({ template })).toBe(alone);
  });

  it("is a conversation where the server itself writes the prompt, or the model has tools", () => {
    const template = "{{ .Prompt }}";
    expect(show({ template, renderer: "own" })).toBe(false);
    expect(show({ template, modelfile: "FROM x\nRENDERER own\n" })).toBe(false);
    expect(show({ template, capabilities: ["completion", "tools"] })).toBe(false);
    expect(show({ template, remote_host: "https://elsewhere.example" })).toBe(false);
    expect(show({})).toBe(false);
  });

  it("puts what a system message says at the start of the prompt, where it can't be dropped", async () => {
    const own = await startOllamaServer({
      models: [
        COMPLETION_MODEL,
        { ...COMPLETION_MODEL, name: "chats:1b", template: "{{ .System }}{{ .Prompt }}" },
      ],
    });
    const [ollama] = createHttpSources({
      transport: new FetchTransport({ environment: "process" }),
      keys: fixedKeys({}),
      settings: async (provider) => ({ provider, enabled: true, baseUrl: own.url }),
      catalogue: [],
    });
    const completing = await ollama!.open(COMPLETION_MODEL.name);
    await completing.generate({ messages: ask("The pier is closed."), maxTokens: 50 });
    expect(own.requests.at(-1)).toMatchObject({
      path: "/api/generate",
      body: {
        model: COMPLETION_MODEL.name,
        prompt: "Answer in one paragraph.\n\nThe pier is closed.",
        truncate: false,
        stream: false,
      },
    });
    const conversing = await ollama!.open("chats:1b");
    await conversing.generate({ messages: ask("The pier is closed."), maxTokens: 50 });
    expect(own.requests.at(-1)).toMatchObject({ path: "/api/chat" });
    await ollama!.close();
    await own.close();
  });

  it.each([
    ["8.0B", 8],
    ["134.52M", 0.13452],
    ["1T", 1000],
    ["", undefined],
    [undefined, undefined],
    ["many", undefined],
  ])("reads %s as %s billion parameters", (size, expected) => {
    const read = parseParameterSize(size);
    if (expected === undefined) expect(read).toBeUndefined();
    else expect(read).toBeCloseTo(expected, 6);
  });
});
