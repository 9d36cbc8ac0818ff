/** Language models inside a real browser: llama.cpp with SmolLM2-135M, WebLLM up to its library. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { TEST_PORT } from "../../playwright.config.ts";
import { modelsDirectory } from "../../scripts/fetch-weights.mjs";
import { expect, test } from "./browser.ts";

const ORIGIN = `http://localhost:${TEST_PORT + 1}/`;
const WEIGHTS = join(modelsDirectory(), "SmolLM2-135M-Instruct-Q4_1/model.gguf");

test("llama.cpp in WebAssembly runs SmolLM2-135M from its installation to its removal", async ({
  profile,
}) => {
  test.setTimeout(600_000);
  test.skip(!existsSync(WEIGHTS), "SmolLM2-135M is not there: no Python with pip to fetch it by");
  const context = await profile.start();
  const page = await context.newPage();
  const foreign: string[] = [];
  page.on("request", (request) => {
    if (![ORIGIN, "blob:", "data:"].some((own) => request.url().startsWith(own)))
      foreign.push(request.url());
  });
  await page.goto(ORIGIN);
  await page.waitForFunction(() => "runContract" in window);
  const report = await page.evaluate((name) => window.runContract(name), "wllama");
  expect(report.failed).toEqual([]);
  expect(report.passed.length).toBeGreaterThan(9);
  expect(foreign).toEqual([]);
});
