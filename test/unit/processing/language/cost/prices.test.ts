import { describe, expect, it } from "vitest";
import {
  findHttpModel,
  HTTP_MODELS,
  priceAt,
  PRICE_PAGES,
} from "../../../../../src/model/http-models.ts";
import type { LanguageModelInfo } from "../../../../../src/model/language-model.ts";
import { costNano, toUsd } from "../../../../../src/processing/language/cost/money.ts";
import { modelPrice, priceSource } from "../../../../../src/processing/language/cost/prices.ts";

const NOW = Date.UTC(2026, 10, 25);

function info(change: Partial<LanguageModelInfo> & { id: string }): LanguageModelInfo {
  const provider = change.id.slice(0, change.id.indexOf(":")) as LanguageModelInfo["provider"];
  return {
    provider,
    name: change.id.slice(provider.length + 1),
    title: change.id,
    tier: "balanced",
    contextTokens: 8_192,
    local: false,
    price: null,
    state: "ready",
    ...change,
  };
}

describe("the table of models", () => {
  it("has a tier, a context and a price or none for every model, once each", () => {
    const ids = HTTP_MODELS.map(({ provider, name }) => `${provider}:${name}`);
    expect(new Set(ids).size).toBe(ids.length);
    for (const model of HTTP_MODELS) {
      expect(model.contextTokens).toBeGreaterThan(1_000);
      if (model.provider === "ollama") expect(model.prices).toBeUndefined();
      else expect(priceAt(model, NOW)!.outputUsd).toBeGreaterThan(0);
    }
  });

  it("names each provider's price page", () => {
    for (const { provider, prices } of HTTP_MODELS)
      if (prices) expect(PRICE_PAGES[provider]).toMatch(/^https:\/\//);
  });

  it.each([
    ["openai", "gpt-5-mini-2025-08-07", "gpt-5-mini"],
    ["claude", "claude-haiku-4-5-20251001", "claude-haiku-4-5"],
    ["gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"],
    ["ollama", "llama3.2:3b-instruct-q4_K_M", "llama3.2:3b"],
    ["ollama", "phi4-mini:latest", "phi4-mini"],
  ] as const)("knows %s %s as %s", (provider, name, base) => {
    expect(findHttpModel(provider, name)?.name).toBe(base);
  });

  it("knows no model of another name", () => {
    expect(findHttpModel("openai", "gpt-5-minimal")).toBeUndefined();
    expect(findHttpModel("claude", "gpt-5-mini")).toBeUndefined();
  });

  it("changes a price on its day", () => {
    const flash = findHttpModel("gemini", "gemini-3.8-flash")!;
    expect(priceAt(flash, Date.UTC(2026, 11, 31))).toMatchObject({ inputUsd: 0.75 });
    expect(priceAt(flash, Date.UTC(2027, 0, 1))).toMatchObject({ inputUsd: 1.5, outputUsd: 7.5 });
    expect(priceAt(flash, Date.UTC(2020, 0, 1))).toMatchObject({ inputUsd: 0.75 });
  });
});

describe("the price of a model", () => {
  it("is nothing on the owner's machine, whatever a table says", () => {
    const local = info({ id: "ollama:gpt-oss", local: true });
    expect(modelPrice(local, NOW)).toEqual({ inputUsd: 0, outputUsd: 0 });
    expect(priceSource(local)).toContain("your machine");
  });

  it("is the owner's word for a model of their own", () => {
    const own = info({
      id: "openai-compatible:house-model",
      custom: true,
      price: { inputUsd: 3, outputUsd: 4 },
    });
    expect(modelPrice(own, NOW)).toEqual({ inputUsd: 3, outputUsd: 4 });
  });

  it("is the table's for a known one, and unknown for any other", () => {
    expect(modelPrice(info({ id: "openai:gpt-5-mini" }), NOW)).toMatchObject({ inputUsd: 0.25 });
    expect(modelPrice(info({ id: "openai:gpt-99" }), NOW)).toBeNull();
  });
});

describe("the cost of tokens", () => {
  const price = { inputUsd: 0.25, outputUsd: 2, cachedInputUsd: 0.025 };

  it("counts input, cached input and output at their prices", () => {
    const nano = costNano(price, {
      inputTokens: 1_000_000,
      outputTokens: 500_000,
      cachedInputTokens: 400_000,
    });
    expect(toUsd(nano)).toBeCloseTo(0.6 * 0.25 + 0.4 * 0.025 + 1, 9);
  });

  it("rounds a part of a nano-dollar up", () => {
    expect(costNano({ inputUsd: 0.0001, outputUsd: 0 }, { inputTokens: 1, outputTokens: 0 })).toBe(
      1,
    );
  });
});
