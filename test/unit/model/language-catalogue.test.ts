import { prebuiltAppConfig } from "@mlc-ai/web-llm";
import { describe, expect, it } from "vitest";
import { WEBLLM_MODELS, WLLAMA_MODELS } from "../../../src/model/language-catalogue.ts";
import { findWeights } from "../../../src/model/weights.ts";

describe("the catalogue of in-browser models", () => {
  it("has WebLLM's own addresses, memory figures and overrides", () => {
    for (const model of WEBLLM_MODELS) {
      const record = prebuiltAppConfig.model_list.find(({ model_id }) => model_id === model.name);
      expect(record, model.name).toBeDefined();
      expect(model.weightsUrl).toBe(record!.model);
      expect(model.libraryUrl).toBe(record!.model_lib);
      expect(model.needs.memoryBytes).toBe(Math.round(record!.vram_required_MB! * 1024 * 1024));
      expect({ ...model.overrides, context_window_size: model.contextTokens }).toEqual(
        record!.overrides,
      );
      if (record!.required_features?.includes("shader-f16"))
        expect(model.needs.shaderF16).toBe(true);
    }
  });

  it("has an f32 variant beside nearly every f16 one, for devices without shader-f16", () => {
    const names = new Set(WEBLLM_MODELS.map(({ name }) => name));
    const alone = WEBLLM_MODELS.filter(
      ({ name, needs }) => needs.shaderF16 && !names.has(name.replace("f16", "f32")),
    );
    // WebLLM has none of these.
    expect(alone.map(({ name }) => name)).toEqual(["gemma3-1b-it-q4f16_1-MLC"]);
  });

  it("has a model of every tier, unique names, and the bytes of the weights table", () => {
    const all = [...WEBLLM_MODELS, ...WLLAMA_MODELS];
    expect(new Set(all.map(({ tier }) => tier))).toEqual(new Set(["fast", "balanced", "high"]));
    expect(new Set(all.map(({ provider, name }) => `${provider}:${name}`)).size).toBe(all.length);
    for (const model of WLLAMA_MODELS) {
      expect(model.ggufUrl).toMatch(/^https:\/\/.+\/resolve\/.+\.gguf$/);
      // One file of wllama can't be larger.
      expect(model.sizeBytes ?? 0).toBeLessThan(2 ** 31);
      if (!model.weights) continue;
      const [file] = findWeights(model.weights).files;
      expect([model.sizeBytes, model.sha256]).toEqual([file!.sizeBytes, file!.sha256]);
    }
  });
});
