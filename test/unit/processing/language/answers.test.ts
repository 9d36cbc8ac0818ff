import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GenerateRequest, TokenUsage } from "../../../../src/ports/language-model.ts";
import { AppError } from "../../../../src/errors.ts";
import type { LlmServer, Prompt } from "../../../support/llm-servers/index.ts";
import { ask, drain, openModel, PROTOCOLS, type OpenedModel } from "./servers.ts";

const SCHEMA = {
  type: "object",
  properties: { closed: { type: "boolean" }, days: { type: "integer" } },
  required: ["closed", "days"],
  additionalProperties: false,
};
const GOOD = '{"closed": true, "days": 3}';

/** Answers one after the other, the last one again and again; what it was asked is kept. */
function script(server: LlmServer, texts: string[]): Prompt[] {
  const prompts: Prompt[] = [];
  server.respond((prompt) => {
    prompts.push(prompt);
    return { text: texts[Math.min(prompts.length, texts.length) - 1]! };
  });
  return prompts;
}

describe.each(PROTOCOLS)("answers over $name", (protocol) => {
  let server: LlmServer;
  let opened: OpenedModel;
  const json = { schema: SCHEMA, name: "pier" };
  beforeEach(async () => {
    server = await protocol.start();
    opened = await openModel(protocol, server, { breaker: { threshold: 100 } });
  });
  afterEach(async () => {
    await opened.close();
    await server.close();
  });

  it.each([
    ["as it is", GOOD],
    ["in a fence", `\`\`\`json\n${GOOD}\n\`\`\``],
    ["among words", `Here it is: ${GOOD} I hope that it helps.`],
  ])("JSON %s is taken at once", async (_name, text) => {
    const prompts = script(server, [text]);
    const answer = await opened.model.generate({ messages: ask(), json });
    expect(JSON.parse(answer.text)).toEqual({ closed: true, days: 3 });
    expect(prompts).toHaveLength(1);
  });

  it.each([
    ["isn't JSON", "The pier is closed.", /not JSON/],
    ["doesn't fit the schema", '{"closed": "yes", "days": 3}', /schema at closed/],
    ["lacks a field", '{"closed": true}', /schema at days/],
  ])("that %s is asked for once more, saying what was wrong", async (_name, bad, problem) => {
    const prompts = script(server, [bad, GOOD]);
    const attempts: { usage?: TokenUsage; error?: unknown }[] = [];
    const answer = await opened.model.generate({
      messages: ask(),
      json,
      onAttempt: async (previous) => void attempts.push(previous),
    });
    expect(JSON.parse(answer.text)).toEqual({ closed: true, days: 3 });
    expect(prompts).toHaveLength(2);
    const said = prompts[1]!.messages.map(({ content }) => content).join("\n");
    expect(said).toContain(bad);
    expect(said).toMatch(problem);
    // The first answer is paid for, too, and the caller was told before the second was asked for.
    expect(attempts).toHaveLength(1);
    expect(attempts[0]!.usage!.inputTokens).toBeGreaterThan(20);
    expect(answer.usage.inputTokens).toBeGreaterThan(2 * attempts[0]!.usage!.inputTokens);
  });

  it("that stays wrong is an error that says so, after two requests", async () => {
    const prompts = script(server, ["Closed, I think."]);
    await expect(opened.model.generate({ messages: ask(), json })).rejects.toMatchObject({
      code: "model_failed",
      retryable: true,
      message: expect.stringContaining("JSON") as string,
    });
    expect(prompts).toHaveLength(2);
  });

  it("that is cut at its limit isn't asked for again", async () => {
    const prompts = script(server, [`{"closed": true, "days": ${"3".repeat(400)}`]);
    await expect(
      opened.model.generate({ messages: ask(), json, maxTokens: 16 }),
    ).rejects.toMatchObject({ code: "model_failed", retryable: false, message: /cut/ });
    expect(prompts).toHaveLength(1);
  });

  it("as a stream is checked at its end", async () => {
    script(server, [GOOD, "No."]);
    const good = await drain(opened.model.stream({ messages: ask(), json }));
    expect(JSON.parse(good.text)).toEqual({ closed: true, days: 3 });
    const bad = await drain(opened.model.stream({ messages: ask(), json }));
    expect(bad).toMatchObject({ text: "No.", error: { code: "model_failed" } });
  });

  it("a caller that admits no further attempt ends the call with its own error", async () => {
    const prompts = script(server, ["The pier is closed."]);
    const refused = new AppError("budget_exceeded", "Nothing is left of today's budget.");
    await expect(
      opened.model.generate({
        messages: ask(),
        json,
        onAttempt: () => Promise.reject(refused),
      }),
    ).rejects.toBe(refused);
    expect(prompts).toHaveLength(1);
  });

  it("a caller is asked before each repetition after a failure, and told of it", async () => {
    const retrying = await openModel(protocol, server, {
      retry: { maxRetries: 3, initialDelayMs: 1 },
    });
    const attempts: Parameters<NonNullable<GenerateRequest["onAttempt"]>>[0][] = [];
    server.fault({ kind: "server-error" });
    server.fault({ kind: "overloaded" });
    await retrying.model.generate({
      messages: ask(),
      onAttempt: async (previous) => void attempts.push(previous),
    });
    expect(attempts).toMatchObject([
      { error: { code: "model_failed" } },
      { error: { code: "model_failed" } },
    ]);
    await retrying.close();
  });
});

describe.each(
  PROTOCOLS.filter(({ name }) =>
    ["OpenAI chat completions", "Gemini generateContent", "Ollama chat"].includes(name),
  ),
)("vectors over $name", (protocol) => {
  it("come in the order of the texts, in batches, all of one length", async () => {
    const server = await protocol.start();
    const { source, close } = await openModel(protocol, server);
    const model = await source.open(
      { openai: "text-embedding-3-small", gemini: "gemini-embedding-001" }[
        protocol.provider as "openai"
      ] ?? "nomic-embed-text:latest",
    );
    const texts = Array.from({ length: 300 }, (_, at) => `Note ${at}: ${"pier ".repeat(at % 7)}`);
    const vectors = await model.embed!(texts);
    expect(vectors).toHaveLength(texts.length);
    const [width] = vectors.map(({ length }) => length);
    for (const vector of vectors) {
      expect(vector).toBeInstanceOf(Float32Array);
      expect(vector).toHaveLength(width!);
    }
    const alone = await model.embed!([texts[100]!]);
    expect(alone[0]).toEqual(vectors[100]);
    const asked = server.requests.filter(({ path }) => /embed/i.test(path));
    expect(asked.length).toBeGreaterThan(2);
    expect(await model.embed!([])).toEqual([]);
    await expect(model.embed!(["x"], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    await close();
    await server.close();
  });
});

it("has no vectors where the protocol has none", async () => {
  const protocol = PROTOCOLS.find(({ provider }) => provider === "claude")!;
  const server = await protocol.start();
  const { model, close } = await openModel(protocol, server);
  expect(model.embed).toBeUndefined();
  await close();
  await server.close();
});
