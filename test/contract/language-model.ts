/**
 * What every `LanguageModel` must do, whoever runs it. No test runner and nothing of Node is imported:
 * vitest runs it over the HTTP protocols, a browser worker over the in-browser engines.
 *
 * Real models say what they like, so nothing is asked about the words; prompts and answers are short,
 * since a small model on one core writes a few tokens a second.
 */

import type { GenerateResult, LanguageModel } from "../../src/ports/language-model.ts";
import type { ContractReport } from "./file-store.ts";

const PROMPT =
  "The pier at Sandgate was closed on Monday after the storm, and the ferry to Redcliffe stayed in the harbour until Wednesday. Repeat this sentence.";

/** `maxTokens` of short answers. */
const SHORT = 12;

/** Output of models that think holds their hidden thoughts. */
const THOUGHTS = 8192;

type Open = () => Promise<LanguageModel>;

function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

async function nameOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "no error";
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: string };
    return typeof code === "string" ? code : (name ?? String(error));
  }
}

const user = (content: string) => [{ role: "user" as const, content }];

async function drain(
  stream: AsyncGenerator<string, GenerateResult>,
): Promise<{ deltas: string[]; result: GenerateResult }> {
  const deltas: string[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { deltas, result: next.value };
    deltas.push(next.value);
  }
}

function checkUsage({ text, usage }: GenerateResult, maxTokens: number): void {
  hold(Number.isInteger(usage.inputTokens) && usage.inputTokens > 0, "input tokens are counted");
  hold(usage.inputTokens <= PROMPT.length + 400, `plausible input: ${usage.inputTokens}`);
  hold(usage.outputTokens > 0, "output tokens are counted");
  hold(
    usage.outputTokens <= Math.max(maxTokens + 4, text.length) + THOUGHTS,
    `plausible output: ${usage.outputTokens}`,
  );
}

/** Each case opens the model anew and closes it. */
export const LANGUAGE_MODEL_CASES: Record<string, (open: Open) => Promise<void>> = {
  async "answers a prompt and counts its tokens"(open) {
    const model = await open();
    hold(model.id.includes(":") && model.contextTokens > 0, "it says what it is");
    const result = await model.generate({
      messages: [{ role: "system", content: "You answer in English." }, ...user(PROMPT)],
      maxTokens: SHORT,
      temperature: 0,
    });
    hold(result.text.trim() !== "", "there is text");
    hold(result.model !== "", "the model is named");
    checkUsage(result, SHORT);
    await model.close();
  },

  async "streams deltas that join to the text"(open) {
    const model = await open();
    const request = { messages: user(PROMPT), maxTokens: SHORT, temperature: 0 };
    const { deltas, result } = await drain(model.stream(request));
    hold(deltas.length > 1, `several deltas, got ${deltas.length}`);
    hold(deltas.join("") === result.text, "the deltas are the text");
    hold(
      deltas.every((delta) => delta !== ""),
      "no delta is empty",
    );
    checkUsage(result, SHORT);
    await model.close();
  },

  async "says length when the limit of tokens ends the answer"(open) {
    const model = await open();
    const request = { messages: user(PROMPT), maxTokens: 3, temperature: 0 };
    const whole = await model.generate(request);
    hold(whole.finishReason === "length", `generate said ${whole.finishReason}`);
    const { result } = await drain(model.stream(request));
    hold(result.finishReason === "length", `stream said ${result.finishReason}`);
    hold(result.text.length < PROMPT.length, "the answer is short");
    await model.close();
  },

  async "ends before a stop sequence"(open) {
    const model = await open();
    const request = { messages: user(PROMPT), maxTokens: SHORT, temperature: 0 };
    const free = await model.generate(request);
    // A word of its own answer, so that it certainly comes again.
    const stop = /\S+\s+(\S{2,})/.exec(free.text)?.[1];
    hold(stop !== undefined, `two words at least: “${free.text}”`);
    const cut = await model.generate({ ...request, stop: [stop!] });
    hold(!cut.text.includes(stop!), `“${stop}” isn't in “${cut.text}”`);
    hold(free.text.startsWith(cut.text), "what comes before it stays");
    hold(cut.finishReason === "stop", `it said ${cut.finishReason}`);
    const { deltas, result } = await drain(model.stream({ ...request, stop: [stop!] }));
    hold(deltas.join("") === cut.text && result.text === cut.text, "streamed the same");
    await model.close();
  },

  async "is cancelled before and in the middle of an answer, and usable afterwards"(open) {
    const model = await open();
    const before = new AbortController();
    before.abort();
    const request = { messages: user(PROMPT), maxTokens: 200, temperature: 0 };
    const early = await nameOf(() => model.generate({ ...request, signal: before.signal }));
    hold(early === "AbortError", `before: ${early}`);

    const middle = new AbortController();
    const stream = model.stream({ ...request, signal: middle.signal });
    const first = await stream.next();
    hold(first.done !== true, "text comes");
    middle.abort();
    const late = await nameOf(() => drain(stream));
    // A short answer may already be there as a whole.
    hold(late === "AbortError" || late === "no error", `in the middle: ${late}`);

    const left = model.stream(request);
    await left.next();
    await left.return({} as GenerateResult);

    const after = await model.generate({ messages: user(PROMPT), maxTokens: 4, temperature: 0 });
    hold(after.text !== "", "it answers again");
    await model.close();
  },

  async "takes calls at the same time"(open) {
    const model = await open();
    const results = await Promise.all(
      [PROMPT, "Say one word about the sea, please."].map((prompt) =>
        model.generate({ messages: user(prompt), maxTokens: 4, temperature: 0 }),
      ),
    );
    hold(
      results.every(({ text }) => text !== ""),
      "both answer",
    );
    await model.close();
  },

  async "refuses requests that make no sense"(open) {
    const model = await open();
    const none = await nameOf(() => model.generate({ messages: [] }));
    hold(none === "invalid_input", `no messages: ${none}`);
    const limit = await nameOf(() => model.generate({ messages: user(PROMPT), maxTokens: 0 }));
    hold(limit === "invalid_input", `no tokens: ${limit}`);
    await model.close();
  },

  async "refuses a text that is longer than its context instead of cutting it"(open) {
    const model = await open();
    const words = Math.min(3_000_000, model.contextTokens * 2);
    const text = "storm ".repeat(words);
    const code = await nameOf(() => model.generate({ messages: user(text), maxTokens: SHORT }));
    hold(code === "too_large", `it said ${code}`);
    await model.close();
  },

  async "answers with JSON that fits a schema"(open) {
    const model = await open();
    const schema = {
      type: "object",
      properties: { closed: { type: "boolean" } },
      required: ["closed"],
      additionalProperties: false,
    };
    const result = await model.generate({
      messages: user('Is the pier closed? Answer as JSON like {"closed": true}.'),
      maxTokens: 24,
      temperature: 0,
      json: { schema, name: "pier" },
    });
    const value = JSON.parse(result.text) as { closed?: unknown };
    hold(typeof value.closed === "boolean", `it said ${result.text}`);
    await model.close();
  },

  async "says closed after close, which may be called twice"(open) {
    const model = await open();
    await model.close();
    await model.close();
    const code = await nameOf(() => model.generate({ messages: user(PROMPT), maxTokens: 4 }));
    hold(code === "closed", `it said ${code}`);
  },
};

export interface LanguageModelContractOptions {
  /** Cases that this model can't pass, each with the reason. */
  skip?: Readonly<Record<string, string>>;
}

/** Hands every case to a test runner: `define(name, run)`, with skipped ones as `define(name, null, reason)`. */
export function describeLanguageModel(
  define: (name: string, run: (() => Promise<void>) | null, reason?: string) => void,
  open: Open,
  options: LanguageModelContractOptions = {},
): void {
  for (const [name, run] of Object.entries(LANGUAGE_MODEL_CASES)) {
    const reason = options.skip?.[name];
    define(name, reason === undefined ? () => run(open) : null, reason);
  }
}

/** Runs all cases where there is no test runner, one after the other. */
export async function runLanguageModelContract(
  open: Open,
  options: LanguageModelContractOptions = {},
): Promise<ContractReport> {
  const report: ContractReport = { passed: [], failed: [] };
  for (const [name, run] of Object.entries(LANGUAGE_MODEL_CASES)) {
    if (options.skip?.[name] !== undefined) continue;
    try {
      await run(open);
      report.passed.push(name);
    } catch (error) {
      report.failed.push({ name, error: String(error) });
    }
  }
  return report;
}
