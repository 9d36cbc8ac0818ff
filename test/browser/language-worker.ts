/** The worker around a model: its queue, its deaths, its idle end. The model is a script. */

import { AppError, isAbortError } from "../../src/errors.ts";
import type { LoadSpec } from "../../src/platform/browser/language/language-protocol.ts";
import { LanguageWorker } from "../../src/platform/browser/language/language-worker.ts";
import { createReport, type Report } from "./report.ts";

const spec = (name: string): LoadSpec => ({
  runtime: "wllama",
  name,
  title: name,
  folder: name,
  file: "model.gguf",
  contextTokens: 512,
});
const ask = (content: string) => ({ messages: [{ role: "user" as const, content }] });

async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    if (isAbortError(error)) return "aborted";
    return error instanceof AppError
      ? `${error.code}${error.retryable ? " retryable" : ""}`
      : String(error);
  }
}

export async function runLanguageWorkerCases(): Promise<Report> {
  const { report, check, equal, holds } = createReport();
  const workers: Worker[] = [];
  const create = () => {
    const worker = new Worker(new URL("./stand-in-language.worker.ts", import.meta.url), {
      type: "module",
    });
    workers.push(worker);
    return worker;
  };
  const ignore = () => undefined;
  const language = new LanguageWorker(create);
  const count = (name = "a", to = 3) => language.generate(spec(name), ask(`count ${to}`), ignore);

  await check("starts its worker with the first prompt and gives deltas in order", async () => {
    equal(workers.length, 0);
    const deltas: string[] = [];
    const result = await language.generate(spec("a"), ask("count 5"), (text) => deltas.push(text));
    equal([deltas, result.text], [["1 ", "2 ", "3 ", "4 ", "5 "], "1 2 3 4 5 "]);
    equal([workers.length, language.loadedName], [1, "a"]);
  });

  await check(
    "answers in the order of asking; one that is cancelled while it waits leaves at once",
    async () => {
      const order: string[] = [];
      const abort = new AbortController();
      const first = count("a", 40).then(() => order.push("first"));
      const second = failureOf(
        language.generate(spec("a"), { ...ask("count 5"), signal: abort.signal }, ignore),
      ).then((failure) => order.push(failure));
      const third = count("a", 2).then(() => order.push("third"));
      abort.abort();
      await Promise.all([first, second, third]);
      equal(order, ["aborted", "first", "third"]);
    },
  );

  await check(
    "stops an answer in its middle by its call, and goes on with the same worker",
    async () => {
      const abort = new AbortController();
      let seen = 0;
      const failure = await failureOf(
        language.generate(spec("a"), { ...ask("count 5000"), signal: abort.signal }, () => {
          if (++seen === 3) abort.abort();
        }),
      );
      equal([failure, seen < 200], ["aborted", true]);
      equal([(await count()).text, workers.length], ["1 2 3 ", 1]);
    },
  );

  await check("gives a fresh worker after a crash inside the model", async () => {
    equal(
      await failureOf(language.generate(spec("a"), ask("crash"), ignore)),
      "model_failed retryable",
    );
    equal([(await count()).text, workers.length], ["1 2 3 ", 2]);
  });

  await check("notices a worker that ended without a word, and starts another", async () => {
    equal(
      await failureOf(language.generate(spec("a"), ask("die"), ignore)),
      "model_failed retryable",
    );
    const hanging = failureOf(language.generate(spec("a"), ask("hang"), ignore));
    while (workers.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    workers.at(-1)!.terminate();
    equal(await hanging, "model_failed retryable");
    equal((await count()).text, "1 2 3 ");
  });

  await check(
    "ends the running call with the reason when its model is dropped, and leaves others alone",
    async () => {
      const running = failureOf(language.generate(spec("a"), ask("hang"), ignore));
      const waiting = count("b");
      while (language.loadedName !== "a") await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, 50));
      language.drop("other", new AppError("model_missing", "no"));
      language.drop("a", new AppError("model_missing", "It was removed."));
      equal(await running, "model_missing");
      equal([(await waiting).text, language.loadedName], ["1 2 3 ", "b"]);
    },
  );

  await check("ends by itself when nothing is asked, and comes back", async () => {
    const idle = new LanguageWorker(create, { idleMs: 30 });
    await idle.generate(spec("a"), ask("count 1"), ignore);
    equal(idle.loadedName, "a");
    const before = workers.length;
    while (idle.loadedName !== null) await new Promise((resolve) => setTimeout(resolve, 10));
    equal((await idle.generate(spec("a"), ask("count 2"), ignore)).text, "1 2 ");
    holds(workers.length === before + 1, "another worker");
    await idle.close();
    equal(await failureOf(idle.generate(spec("a"), ask("count 2"), ignore)), "closed");
  });
  await language.close();
  return report;
}
