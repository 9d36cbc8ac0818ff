/** Language models inside a real browser: llama.cpp with SmolLM2-135M, WebLLM up to its library. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext } from "@playwright/test";
import { TEST_PORT } from "../../playwright.config.ts";
import { fetchWeights, findPython, modelsDirectory } from "../../scripts/fetch-weights.mjs";
import { startWebLlmFolder } from "../support/webllm-folder.ts";
import { expect, test } from "./browser.ts";

const ORIGIN = `http://localhost:${TEST_PORT + 1}/`;
const WEIGHTS = join(modelsDirectory(), "SmolLM2-135M-Instruct-Q4_1/model.gguf");

/** Runs a suite of test/browser in a worker of a page; returns its report and who else was asked. */
async function runSuite(context: BrowserContext, suite: string, argument = "") {
  const page = await context.newPage();
  const foreign: string[] = [];
  page.on("request", (request) => {
    if (![ORIGIN, "blob:", "data:"].some((own) => request.url().startsWith(own)))
      foreign.push(request.url());
  });
  await page.goto(ORIGIN);
  await page.waitForFunction(() => "runContract" in window);
  const report = await page.evaluate(
    ([name, value]) => window.runContract(name!, value),
    [suite, argument],
  );
  return { report, foreign };
}

test("llama.cpp in WebAssembly runs SmolLM2-135M from its installation to its removal", async ({
  profile,
}) => {
  test.setTimeout(600_000);
  if (!existsSync(WEIGHTS)) {
    test.skip((await findPython()) === null, "SmolLM2-135M: no Python with pip to fetch it by");
    await fetchWeights({ model: "SmolLM2-135M-Instruct-Q4_1" });
  }
  const { report, foreign } = await runSuite(await profile.start(), "wllama");
  expect(report.failed).toEqual([]);
  expect(report.passed.length).toBeGreaterThan(18);
  expect(foreign).toEqual([]);
});

test("WebLLM's models are installed from any address and handed to its unmodified engine", async ({
  profile,
}) => {
  const folder = await startWebLlmFolder();
  try {
    const { report, foreign } = await runSuite(await profile.start(), "webllm", folder.url);
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(6);
    // Nobody but the address that was given, and nothing of it while the engine loads.
    expect(foreign.filter((url) => !url.startsWith(`${folder.url}/`))).toEqual([]);
    const resumed = folder.requests.filter(({ range }) => range !== null);
    expect(resumed.map(({ path }) => path)).toContain("/plain/params_shard_0.bin");
    const asked = (name: string) =>
      folder.requests.filter(({ path, range }) => path.endsWith(name) && range === null).length;
    // Once for each of the four installations: the engine found its files in the cache.
    expect(asked("params_shard_1.bin")).toBe(4);
    expect(asked("library.wasm")).toBe(4);
  } finally {
    await folder.close();
  }
});

for (const suite of ["key store", "language worker"])
  test(`the browser's ${suite} does what it says`, async ({ profile }) => {
    const { report, foreign } = await runSuite(await profile.start(), suite);
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(4);
    expect(foreign).toEqual([]);
  });
