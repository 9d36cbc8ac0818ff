/** The quantization kernels on WebGPU in a real browser: the same codes as the reference. */

import { TEST_PORT } from "../../playwright.config.ts";
import { expect, test } from "./browser.ts";

test("the graphics processor's kernels give the reference's codes, and its loss loses nothing", async ({
  profile,
}) => {
  const context = await profile.start();
  const page = await context.newPage();
  await page.goto(`http://localhost:${TEST_PORT + 1}/`);
  await page.waitForFunction(() => "runContract" in window);
  const report = await page.evaluate(() => window.runContract("quantization kernels"));
  expect(report.failed).toEqual([]);
  expect(report.passed.length).toBe(9);
});
