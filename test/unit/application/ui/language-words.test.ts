import { describe, expect, it } from "vitest";
import {
  canAnswer,
  deviceNeeds,
  groupModels,
  isServer,
  keptWhere,
  matchesWords,
  modelTitle,
  placeOf,
  removalWords,
  stateTone,
  type Device,
} from "../../../../src/application/ui/lib/language-words.ts";
import { gateLimits, meetsLimit } from "../../../../src/application/ui/lib/gate-limits.ts";
import type { LanguageModelInfo } from "../../../../src/model/language-model.ts";

const GIGABYTE = 1024 ** 3;
const DEVICE: Device = { webgpu: true, shaderF16: false, memoryBytes: 4 * GIGABYTE };
const model = (part: Partial<LanguageModelInfo> & { id: string }): LanguageModelInfo => ({
  provider: "wllama",
  name: part.id,
  title: part.id,
  tier: "fast",
  contextTokens: 4096,
  local: true,
  price: null,
  state: "missing",
  ...part,
});

describe("what a model needs of a device", () => {
  it("says of each thing whether it is there", () => {
    expect(
      deviceNeeds({ webgpu: true, shaderF16: true, memoryBytes: 2 * GIGABYTE }, DEVICE),
    ).toMatchObject([
      { name: "WebGPU", met: true },
      { name: "16-bit shaders", met: false },
      { met: true },
    ]);
  });

  it("doesn't take the most that browsers report for all there is", () => {
    const needs = { memoryBytes: 12 * GIGABYTE };
    expect(deviceNeeds(needs, { ...DEVICE, memoryBytes: 8 * GIGABYTE })[0]?.met).toBeNull();
    expect(deviceNeeds(needs, { ...DEVICE, memoryBytes: null })[0]?.met).toBeNull();
    expect(deviceNeeds(needs, DEVICE)[0]?.met).toBe(false);
  });
});

describe("installing and removing in words", () => {
  it("says where it stays", () => {
    expect(keptWhere({ provider: "wllama" })).toContain("this browser");
    expect(keptWhere({ provider: "ollama" })).toContain("Ollama server");
  });

  it("says what goes, and whether it can be had again", () => {
    const installedBytes = 2_000_000_000;
    const freed = removalWords(model({ id: "a", installedBytes }));
    expect(freed).toMatch(/are freed\. It can be installed again/);
    expect(removalWords(model({ id: "b", installedBytes, custom: true }))).toMatch(/add it again/);
    const onServer = { provider: "ollama", installedBytes } as const;
    expect(removalWords(model({ id: "c", ...onServer }))).toMatch(/deleted from the Ollama server/);
    const own = removalWords(model({ id: "d", ...onServer, custom: true }));
    expect(own).toMatch(/stays there/);
    expect(own).not.toMatch(/freed|deleted/);
  });
});

describe("models by place and use", () => {
  const models = [
    model({ id: "ready", state: "installed" }),
    model({ id: "half", state: "partial" }),
    model({ id: "own", custom: true, state: "unavailable" }),
    model({ id: "large", sizeBytes: 900 }),
    model({ id: "small", sizeBytes: 100 }),
    model({ id: "better", tier: "balanced", sizeBytes: 50 }),
    model({ id: "f16", provider: "webllm", needs: { webgpu: true, shaderF16: true } }),
    model({ id: "down", provider: "ollama", state: "unavailable" }),
    model({ id: "cloud", provider: "openai", local: false, state: "needs_key" }),
  ];
  const groups = groupModels(models, DEVICE);
  const ids = (list: LanguageModelInfo[] | undefined): string[] => (list ?? []).map(({ id }) => id);

  it("puts what is in use first, then what can be had by tier and size, then the rest", () => {
    expect(groups.map((group) => group.place)).toEqual(["browser", "machine", "elsewhere"]);
    expect(ids(groups[0]?.mine).sort()).toEqual(["half", "own", "ready"]);
    expect(ids(groups[0]?.offers)).toEqual(["small", "large", "better"]);
    expect(ids(groups[0]?.blocked)).toEqual(["f16"]);
    expect(ids(groups[1]?.blocked)).toEqual(["down"]);
    expect(ids(groups[2]?.blocked)).toEqual(["cloud"]);
  });

  it("holds nothing back while the device is not known", () => {
    expect(ids(groupModels(models, null)[0]?.offers)).toContain("f16");
  });

  it("leaves out places without models", () => {
    expect(groupModels([model({ id: "a" })], DEVICE)).toHaveLength(1);
  });

  it("knows a server on another machine from one on this", () => {
    expect(placeOf({ provider: "ollama", local: true })).toBe("machine");
    expect(placeOf({ provider: "ollama", local: false })).toBe("elsewhere");
    expect(placeOf({ provider: "chrome", local: true })).toBe("browser");
    expect(isServer("ollama")).toBe(true);
    expect(isServer("webllm")).toBe(false);
  });

  it("finds by words of title, id and licence", () => {
    const one = model({ id: "webllm:Qwen2.5-1.5B", title: "Qwen 2.5 1.5B", licence: "Apache-2.0" });
    expect(matchesWords(one, "qwen apache")).toBe(true);
    expect(matchesWords(one, "qwen gemma")).toBe(false);
  });

  it("tells states that can answer from those that can't", () => {
    expect(canAnswer({ state: "loaded" })).toBe(true);
    expect(canAnswer({ state: "needs_key" })).toBe(false);
    expect(stateTone("failed")).toBe("bad");
  });

  it("names a writer by its title, and by its id when it is gone", () => {
    expect(modelTitle("ready", models)).toBe("ready");
    expect(modelTitle("gone:x", models)).toBe("gone:x");
    expect(modelTitle("extractive", models)).toBe("Sentences of the original");
    expect(modelTitle(null, models)).toBe("Sentences of the original");
  });
});

describe("the gate's limits on the bars", () => {
  it("wants similarity above its limit, and the others at theirs", () => {
    expect(meetsLimit("similarity", 0.85, 0.85)).toBe(false);
    expect(meetsLimit("entityRecall", 0.6, 0.6)).toBe(true);
    expect(meetsLimit("coverage", null, 0.4)).toBeNull();
  });

  it("asks for more with more effort, and never for less than full faithfulness", () => {
    expect(gateLimits("high").similarity).toBeGreaterThan(gateLimits("fast").similarity);
    for (const mode of ["fast", "balanced", "high"] as const)
      expect(gateLimits(mode).faithfulness).toBe(1);
  });
});
