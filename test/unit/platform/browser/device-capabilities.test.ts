import { describe, expect, it, vi } from "vitest";
import {
  deviceObstacle,
  needsShaderF16,
  WEBLLM_LIMITS,
  type AdapterReport,
} from "../../../../src/platform/browser/language/device-capabilities.ts";
import {
  parseWebLlmModel,
  parseWllamaModel,
} from "../../../../src/platform/browser/language/custom-model.ts";
import {
  completeConfig,
  folderCandidates,
} from "../../../../src/platform/browser/language/webllm-installer.ts";

const software: AdapterReport = {
  name: "google swiftshader",
  features: new Set(["subgroups", "timestamp-query"]),
  limits: { ...WEBLLM_LIMITS },
};

describe("what a device can run", () => {
  it("refuses an adapter without shader-f16 only when the library needs it", () => {
    const device = { webgpu: software };
    expect(deviceObstacle({ webgpu: true, shaderF16: false }, device)).toBeNull();
    expect(deviceObstacle({ webgpu: true, shaderF16: true }, device)).toMatch(/shader-f16/);
    const f16 = { webgpu: { ...software, features: new Set(["shader-f16"]) } };
    expect(deviceObstacle({ webgpu: true, shaderF16: true }, f16)).toBeNull();
  });

  it("names the limit that is too low, and what is missing without WebGPU", () => {
    const limits = { ...WEBLLM_LIMITS, maxStorageBuffersPerShaderStage: 8 };
    expect(deviceObstacle({ webgpu: true }, { webgpu: { ...software, limits } })).toMatch(
      /maxStorageBuffersPerShaderStage is 8, and WebLLM needs 10/,
    );
    const none = { webgpu: null, webgpuReason: "This browser has no WebGPU." };
    expect(deviceObstacle({ webgpu: true }, none)).toMatch(/no WebGPU.*WebAssembly/);
    expect(deviceObstacle({}, none)).toBeNull();
  });

  it("refuses for memory only what can't fit", () => {
    const needs = { memoryBytes: 5e9 };
    expect(deviceObstacle(needs, { webgpu: null, memoryGb: 4 })).toMatch(/5\.0 GB.*4 GB/);
    expect(deviceObstacle(needs, { webgpu: null, memoryGb: 8 })).toBeNull();
    expect(deviceObstacle(needs, { webgpu: null })).toBeNull();
  });

  it("reads the need for 16-bit floats from the quantization in a name", () => {
    expect(needsShaderF16("SmolLM2-360M-q4f16_1_cs1k-webgpu.wasm")).toBe(true);
    expect(needsShaderF16("model-q0f32-webgpu.wasm", "my-q4f16-weights")).toBe(false);
    expect(needsShaderF16("private.wasm", "tiny")).toBe(false);
  });
});

describe("a model added by its address", () => {
  const weightsUrl = "https://example.org/tiny-q4f16_1-MLC";
  const libraryUrl = "http://localhost:8000/tiny.wasm";

  it("is described with what its owner said, defaults elsewhere", () => {
    expect(parseWebLlmModel({ provider: "webllm", name: "tiny", weightsUrl, libraryUrl })).toEqual({
      provider: "webllm",
      name: "tiny",
      title: "tiny",
      tier: "balanced",
      contextTokens: 4096,
      custom: true,
      weightsUrl,
      libraryUrl,
      needs: { webgpu: true, shaderF16: true },
    });
    const said = {
      provider: "webllm",
      name: "tiny",
      weightsUrl,
      libraryUrl,
      shaderF16: false,
    } as const;
    expect(parseWebLlmModel(said).needs.shaderF16).toBe(false);
    const sha256 = "AB".repeat(32);
    const gguf = parseWllamaModel({ provider: "wllama", name: "g", ggufUrl: libraryUrl, sha256 });
    expect(gguf.sha256).toBe(sha256.toLowerCase());
  });

  it.each([
    [{ name: "", weightsUrl, libraryUrl }, /name: a name is needed/],
    [{ name: "a/b", weightsUrl, libraryUrl }, /name: no slashes/],
    [{ name: "a", weightsUrl: "tiny", libraryUrl }, /weightsUrl: an address/],
    [{ name: "a", weightsUrl, libraryUrl: "javascript:1" }, /libraryUrl: an address/],
    [{ name: "a", weightsUrl, libraryUrl, contextTokens: 3 }, /contextTokens/],
  ])("is refused with the field that is wrong: %j", (model, reason) => {
    expect(() => parseWebLlmModel({ provider: "webllm", ...model })).toThrow(reason);
  });

  it("may be on the page's own server, by its path", () => {
    vi.stubGlobal("location", { origin: "http://localhost:4173" });
    const own = { name: "tiny", weightsUrl: "/models/tiny/", libraryUrl: "/lib/tiny.wasm" };
    expect(parseWebLlmModel({ provider: "webllm", ...own })).toMatchObject({
      weightsUrl: "http://localhost:4173/models/tiny/",
      libraryUrl: "http://localhost:4173/lib/tiny.wasm",
    });
    const other = { ...own, weightsUrl: "//elsewhere/tiny" };
    expect(() => parseWebLlmModel({ provider: "webllm", ...other })).toThrow(/weightsUrl/);
    vi.unstubAllGlobals();
  });

  it("is looked for in a plain folder and in a hub's repository, or where a revision is named", () => {
    expect(folderCandidates("http://localhost:8000/m")).toEqual([
      "http://localhost:8000/m/",
      "http://localhost:8000/m/resolve/main/",
    ]);
    expect(folderCandidates("https://huggingface.co/a/b/?x=1")).toEqual([
      "https://huggingface.co/a/b/resolve/main/",
    ]);
    expect(folderCandidates("https://hub.example/a/b/resolve/v2")).toEqual([
      "https://hub.example/a/b/resolve/v2/",
    ]);
    expect(folderCandidates("http://h/m/mlc-chat-config.json")[0]).toBe("http://h/m/");
  });

  it("gets what WebLLM needs of a description and its owner left out, and nothing else", () => {
    const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const whole = { context_window_size: 512, sliding_window_size: 64, temperature: 0 };
    const served = encode({ ...whole, repetition_penalty: 1.1 });
    expect(completeConfig({ ...whole, repetition_penalty: 1.1 }, served)).toBe(served);
    const sparse = { ...whole, sliding_window_size: null };
    const completed = completeConfig(sparse, encode(sparse));
    expect(JSON.parse(new TextDecoder().decode(completed))).toEqual({
      context_window_size: 512,
      sliding_window_size: -1,
      temperature: 0,
      repetition_penalty: 1,
    });
  });
});
