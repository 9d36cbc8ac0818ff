import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOllamaServer, type LlmServer } from "../../../support/llm-servers/index.ts";
import { useInProcessCli } from "./in-process.ts";

const cli = useInProcessCli();
const STORE = ["--store=models"];
const QWEN = {
  name: "qwen2.5:3b",
  parameterSize: "3.1B",
  sizeBytes: 1_929_912_432,
  contextTokens: 32_768,
};

/** Known to no list of ours: only the server's library has it. */
const TIDAL = {
  name: "tidal:latest",
  parameterSize: "700M",
  sizeBytes: 500_000_000,
  contextTokens: 16_384,
  layers: [{ digest: `sha256:${"c".repeat(64)}`, sizeBytes: 500_000_000 }],
};

let ollama: LlmServer;
beforeAll(async () => {
  ollama = await startOllamaServer({ models: [QWEN], library: [TIDAL] });
  await cli.run(["remember", ...STORE, "--no-embed"], { input: "The spare key is with Ada." });
  await cli.json(["models", "providers", "ollama", "--url", ollama.url, ...STORE]);
});
afterAll(() => ollama.close());

describe("models", () => {
  it("lists what is there", async () => {
    const listed = (await cli.json(["models", ...STORE])) as {
      embedding: { state: string };
      models: { id: string; state: string; local: boolean }[];
    };
    expect(listed.embedding.state).toBe("missing");
    expect(listed.models.find(({ id }) => id === "ollama:qwen2.5:3b")).toMatchObject({
      state: "ready",
      local: true,
    });
    const { text } = await cli.run(["models", ...STORE]);
    expect(text).toMatch(/ollama:qwen2\.5:3b\s+balanced\s+ready/);
    expect(text).toContain("text never leaves this machine");
  });

  it("explains a choice", async () => {
    const decision = await cli.json(
      ["models", "route", "--mode", "high", "--file", "-", ...STORE],
      { input: "Dear Ada, the pump failed again on 3 May. Please order a new one.\n".repeat(20) },
    );
    expect(decision).toMatchObject({
      modelId: "ollama:qwen2.5:3b",
      reason: expect.stringContaining("expected to pass the gate"),
      request: { mode: "high" },
    });
    const { text } = await cli.run(["models", "route", "--tokens", "900", ...STORE]);
    expect(text).toMatch(/openai:gpt-5-mini\s+No key is set for OpenAI\./);
    expect(text).toMatch(/Chosen in \d+ µs/);
  });

  it("asks a model a question", async () => {
    ollama.respond("It saves time.");
    const answer = await cli.json(["models", "probe", "ollama:qwen2.5:3b", ...STORE]);
    expect(answer).toMatchObject({ text: "It saves time." });
  });

  it("adds and removes one of one's own", async () => {
    const add = ["models", "add", "openai", "tuned", "--input-price", "1", ...STORE];
    expect((await cli.run(add)).code).toBe(2);
    expect(await cli.json([...add, "--output-price", "2.5"])).toMatchObject({
      id: "openai:tuned",
      price: { inputUsd: 1, outputUsd: 2.5 },
    });
    expect(await cli.json(["models", "remove", "openai:tuned", ...STORE])).toEqual({
      removed: "openai:tuned",
    });
  });

  it("installs one on the Ollama server, and removes it", async () => {
    const id = "ollama:tidal";
    const missing = await cli.run(["models", "install", "ollama:no-such:1b", ...STORE]);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain("library has no “no-such:1b”");
    expect(await cli.json(["models", "install", id, ...STORE])).toMatchObject({
      id: "ollama:tidal:latest",
      state: "ready",
      installedBytes: 500_000_000,
      local: true,
    });
    await cli.json(["models", "remove", "ollama:tidal:latest", ...STORE]);
    const { models } = (await cli.json(["models", ...STORE])) as { models: { id: string }[] };
    expect(models.some((model) => model.id.startsWith(id))).toBe(false);
  });

  it("says which may be used", async () => {
    expect(await cli.json(["models", "use", "--remote", "on", ...STORE])).toMatchObject({
      allowRemote: true,
    });
    const wrong = await cli.run(["models", "use", "--remote", "maybe", ...STORE]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("--remote");
    await cli.json(["models", "use", "--remote", "off", ...STORE]);
  });

  it("refuses an empty key", async () => {
    const { code, stderr } = await cli.run(["models", "key", "openai", ...STORE], { input: "\n" });
    expect(code).toBe(2);
    expect(stderr).toContain("key");
  });
});

describe("budget", () => {
  it("is shown and set", async () => {
    expect(await cli.json(["budget", "--daily", "0.25", ...STORE])).toMatchObject({
      dailyBudgetUsd: 0.25,
      todayUsd: 0,
    });
    expect((await cli.run(["budget", ...STORE])).text).toMatch(/\$0 of \$0\.25, \$0\.25 left/);
    expect((await cli.run(["budget", "--daily", "-1", ...STORE])).code).toBe(2);
  });
});

describe("status", () => {
  it("tells choices, speeds, quality and cost with --verbose", async () => {
    const { text } = await cli.run(["status", "--verbose", ...STORE]);
    expect(text).toMatch(/Summaries by\s+extraction; 1 language model ready/);
    expect(text).toMatch(/ollama:qwen2\.5:3b\s+1 call, 0 failed; p50 /);
    expect(await cli.json(["status", "--verbose", ...STORE])).toMatchObject({
      language: { profiles: [{ modelId: "ollama:qwen2.5:3b" }] },
      spending: { calls: [{ ok: true }] },
    });
  });
});
