/**
 * Models inside the browser, run for real: SmolLM2-135M by llama.cpp in WebAssembly, from its
 * installation to its removal. Runs in a worker, as the engine's does.
 */

import { AppError, isAbortError } from "../../src/errors.ts";
import type { GenerateResult, LanguageModel } from "../../src/ports/language-model.ts";
import { WllamaModelSource } from "../../src/platform/browser/language/wllama-model-source.ts";
import { runLanguageModelContract } from "../contract/language-model.ts";
import { createReport, type Report } from "./report.ts";

const NAME = "smollm2-135m-instruct-q4_1";

export function createLanguageWorker(): Worker {
  return new Worker(new URL("../../workers/language.worker.ts", import.meta.url), {
    type: "module",
    name: "language",
  });
}

const ask = (content: string) => [{ role: "user" as const, content }];

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    if (isAbortError(error)) return "aborted";
    return error instanceof AppError ? error.code : String(error);
  }
}

async function readAll(
  stream: AsyncGenerator<string, GenerateResult>,
): Promise<{ deltas: string[]; result: GenerateResult }> {
  const deltas: string[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { deltas, result: next.value };
    deltas.push(next.value);
  }
}

export async function runWllamaCases(): Promise<Report> {
  const { report, check, equal, holds } = createReport();
  const source = new WllamaModelSource({ createWorker: createLanguageWorker });
  const state = async () => (await source.list()).find(({ name }) => name === NAME)!;

  await check("says size, licence and that it is missing before it is installed", async () => {
    const info = await state();
    equal(
      [info.state, info.sizeBytes, info.licence, info.local, info.id],
      ["missing", 98_362_432, "Apache-2.0", true, `wllama:${NAME}`],
    );
    equal(await codeOf(source.open(NAME)), "model_missing");
    equal(await codeOf(source.open("nothing")), "not_found");
  });

  await check("keeps what arrived when it is paused, and goes on there", async () => {
    const pause = new AbortController();
    const paused = source.install(NAME, {
      signal: pause.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 5_000_000) pause.abort();
      },
    });
    equal(await codeOf(paused), "aborted");
    const partial = await state();
    equal(partial.state, "partial");
    holds(partial.installedBytes! > 5_000_000, "bytes were kept");
    let first: number | null = null;
    await source.install(NAME, { onProgress: ({ doneBytes }) => (first ??= doneBytes) });
    equal(first, partial.installedBytes);
    equal((await state()).state, "installed");
  });

  let model!: LanguageModel;
  await check("loads and says how long its context is", async () => {
    model = await source.open(NAME);
    equal([model.id, model.contextTokens], [`wllama:${NAME}`, 4096]);
    equal((await state()).state, "loaded");
  });

  await check(
    "streams an answer whose deltas join to the text, the same at temperature 0",
    async () => {
      const request = {
        messages: ask("What is the capital of France? Answer with one word."),
        temperature: 0,
        maxTokens: 12,
      };
      const { deltas, result } = await readAll(model.stream(request));
      holds(deltas.length > 1, "several deltas");
      equal(deltas.join(""), result.text);
      holds(/paris/i.test(result.text), `it names Paris: ${result.text}`);
      holds(result.usage.inputTokens > 10 && result.usage.outputTokens > 1, "tokens were counted");
      equal((await model.generate(request)).text, result.text);
    },
  );

  await check("stops in the middle when cancelled and answers again", async () => {
    const abort = new AbortController();
    const stream = model.stream({
      messages: ask("Count from one to two hundred in words."),
      temperature: 0,
      maxTokens: 400,
      signal: abort.signal,
    });
    let seen = 0;
    const reading = (async () => {
      for await (const _ of stream) if (++seen === 3) abort.abort();
    })();
    equal(await codeOf(reading), "aborted");
    holds(seen < 40, `it stopped after ${seen} deltas`);
    const again = await model.generate({ messages: ask("Say yes."), maxTokens: 4, temperature: 0 });
    holds(again.text.length > 0, "it answers again");
  });

  await check("ends at the limit of tokens and at a stop word", async () => {
    const cut = await model.generate({
      messages: ask("Tell a long story about a ferry."),
      maxTokens: 5,
      temperature: 0,
    });
    equal([cut.finishReason, cut.usage.outputTokens], ["length", 5]);
    const request = { messages: ask("Repeat exactly: red, green, blue"), temperature: 0 };
    const whole = (await model.generate({ ...request, maxTokens: 16 })).text;
    const word = whole.split(/[\s,]+/).filter(Boolean)[1]!;
    const stopped = await model.generate({ ...request, maxTokens: 16, stop: [word] });
    equal([stopped.text, stopped.finishReason], [whole.slice(0, whole.indexOf(word)), "stop"]);
  });

  await check("answers with JSON of the form that was asked", async () => {
    const { text } = await model.generate({
      messages: ask("The ferry leaves at 9 from pier 4. Give the pier."),
      temperature: 0,
      maxTokens: 60,
      json: {
        schema: {
          type: "object",
          properties: { pier: { type: "integer", maximum: 99 }, open: { type: "boolean" } },
          required: ["pier", "open"],
          additionalProperties: false,
        },
      },
    });
    const value = JSON.parse(text) as { pier: number; open: boolean };
    equal([Number.isInteger(value.pier), typeof value.open], [true, "boolean"]);
  });

  await check("refuses what doesn't fit and what can't be asked, and stays usable", async () => {
    const long = "The ferry was late again and nobody knew why. ".repeat(600);
    equal(await codeOf(model.generate({ messages: ask(long), maxTokens: 8 })), "too_large");
    equal(await codeOf(model.generate({ messages: [] })), "invalid_input");
    equal(
      await codeOf(model.generate({ messages: ask("x"), json: { schema: { type: "nonsense" } } })),
      "invalid_input",
    );
    holds(
      (await model.generate({ messages: ask("Say yes."), maxTokens: 3 })).text.length > 0,
      "it answers again",
    );
  });

  await check("answers one after the other when asked at once", async () => {
    const answers = await Promise.all(
      ["one", "two", "three"].map((word) =>
        model.generate({ messages: ask(`Say ${word}.`), maxTokens: 4, temperature: 0 }),
      ),
    );
    equal(
      answers.map(({ text }) => text.length > 0),
      [true, true, true],
    );
  });

  await check("gives up when the time is up", async () => {
    const work = model.generate({
      messages: ask("Count from one to two hundred in words."),
      maxTokens: 400,
      timeoutMs: 300,
    });
    equal(await codeOf(work), "model_failed");
  });

  const contract = await runLanguageModelContract(() => source.open(NAME));
  report.passed.push(...contract.passed);
  report.failed.push(...contract.failed);

  await check("ends a running answer when its model is removed, and is gone", async () => {
    const running = codeOf(
      readAll(model.stream({ messages: ask("Count to two hundred."), maxTokens: 400 })),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await source.remove(NAME);
    equal(await running, "model_missing");
    equal((await state()).state, "missing");
    equal(await codeOf(model.generate({ messages: ask("Say yes.") })), "model_missing");
  });
  await source.close();
  return report;
}
