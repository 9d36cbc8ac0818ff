import { describe, expect, it } from "vitest";
import {
  checkCustomModel,
  EMPTY_FORM,
  nameFromUrl,
  urlProblem,
  type CustomModelForm,
} from "../../../../src/application/ui/lib/custom-model.ts";
import { checkProvider, providerForm } from "../../../../src/application/ui/lib/provider-form.ts";
import type { ProviderSettings } from "../../../../src/model/language-model.ts";

const form = (part: Partial<CustomModelForm>): CustomModelForm => ({ ...EMPTY_FORM, ...part });

describe("adding a model", () => {
  it("takes weights and library for WebGPU, and leaves open what was left open", () => {
    const { model, problems } = checkCustomModel(
      form({
        name: "my-model",
        weightsUrl: " https://example.org/my-model-MLC ",
        libraryUrl: "http://localhost:9000/my-model.wasm",
      }),
    );
    expect(problems).toEqual({});
    expect(model).toEqual({
      provider: "webllm",
      name: "my-model",
      tier: "fast",
      weightsUrl: "https://example.org/my-model-MLC",
      libraryUrl: "http://localhost:9000/my-model.wasm",
    });
  });

  it("names every mistake beside its field", () => {
    const { model, problems } = checkCustomModel(
      form({ name: "two words", weightsUrl: "ftp://example.org/x", contextTokens: "12" }),
    );
    expect(model).toBeNull();
    expect(Object.keys(problems).sort()).toEqual([
      "contextTokens",
      "libraryUrl",
      "name",
      "weightsUrl",
    ]);
    expect(problems.weightsUrl).toContain("ftp:");
  });

  it("checks a SHA-256 by its form and hands it on in lower case", () => {
    const gguf = form({ provider: "wllama", name: "m", ggufUrl: "https://example.org/m.gguf" });
    expect(checkCustomModel({ ...gguf, sha256: "abc" }).problems.sha256).toBeDefined();
    expect(checkCustomModel({ ...gguf, sha256: "AB".repeat(32) }).model).toMatchObject({
      sha256: "ab".repeat(32),
    });
  });

  it("wants both prices of a server's model or none", () => {
    const server = form({ provider: "openai-compatible", name: "m" });
    expect(checkCustomModel({ ...server, inputUsd: "0.5" }).problems.outputUsd).toBeDefined();
    expect(checkCustomModel({ ...server, inputUsd: "-1", outputUsd: "2" }).model).toBeNull();
    expect(checkCustomModel({ ...server, inputUsd: "0,5", outputUsd: "2" }).model).toMatchObject({
      price: { inputUsd: 0.5, outputUsd: 2 },
    });
    expect(checkCustomModel(server).model).not.toHaveProperty("price");
  });

  it("says whether the library needs 16-bit shaders only when asked to", () => {
    const webllm = form({
      name: "m",
      weightsUrl: "https://a.org/m",
      libraryUrl: "https://a.org/m.wasm",
    });
    expect(checkCustomModel(webllm).model).not.toHaveProperty("shaderF16");
    expect(checkCustomModel({ ...webllm, shaderF16: "no" }).model).toMatchObject({
      shaderF16: false,
    });
  });

  it("refuses addresses that carry a password", () => {
    expect(urlProblem("https://me:secret@example.org/", "It")).toContain("password");
    expect(urlProblem("", "The address")).toBe("The address is needed.");
    expect(urlProblem("example.org/model", "It")).toContain("not an address");
  });

  it("takes a path on the page's own server for a model's files, not for another host", () => {
    const own = form({ name: "m", weightsUrl: "/models/tiny/", libraryUrl: " /lib/tiny.wasm" });
    expect(checkCustomModel(own).model).toMatchObject({
      weightsUrl: "/models/tiny/",
      libraryUrl: "/lib/tiny.wasm",
    });
    expect(checkCustomModel({ ...own, weightsUrl: "//elsewhere/tiny" }).model).toBeNull();
  });

  it("proposes a name from the address", () => {
    expect(nameFromUrl("/models/tiny-q0f32/")).toBe("tiny-q0f32");
    expect(nameFromUrl("https://example.org/files/tiny%20llama.gguf")).toBe("tiny-llama");
    expect(nameFromUrl("https://hub.org/me/My-Model-MLC/resolve/main/")).toBe("My-Model-MLC");
    expect(nameFromUrl("nonsense")).toBe("");
    expect(nameFromUrl("https://example.org/%E0%A4%A")).toBe("%E0%A4%A");
  });
});

describe("how a provider is reached", () => {
  const settings: ProviderSettings = {
    provider: "ollama",
    enabled: true,
    baseUrl: "http://localhost:11434",
    timeoutMs: 60_000,
  };

  it("sends only what changed", () => {
    const before = providerForm(settings);
    expect(checkProvider(settings, before).change).toEqual({ provider: "ollama" });
    expect(checkProvider(settings, { ...before, requestsPerMinute: "30" }).change).toEqual({
      provider: "ollama",
      requestsPerMinute: 30,
    });
  });

  it("goes back to the default where a field was emptied", () => {
    const { change } = checkProvider(settings, { ...providerForm(settings), baseUrl: "" });
    expect(change).toHaveProperty("baseUrl", undefined);
  });

  it("tells time in seconds and keeps it in milliseconds", () => {
    expect(providerForm(settings).timeoutSeconds).toBe("60");
    expect(
      checkProvider(settings, { ...providerForm(settings), timeoutSeconds: "90" }).change,
    ).toMatchObject({ timeoutMs: 90_000 });
  });

  it("refuses addresses and limits that can't be", () => {
    const { change, problems } = checkProvider(settings, {
      ...providerForm(settings),
      baseUrl: "localhost",
      concurrency: "0",
      tokensPerMinute: "many",
    });
    expect(change).toBeNull();
    expect(Object.keys(problems).sort()).toEqual(["baseUrl", "concurrency", "tokensPerMinute"]);
  });
});
