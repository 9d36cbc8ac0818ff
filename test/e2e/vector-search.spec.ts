/** Vectors on several workers and on WebGPU, in a real browser: the same hits as one thread. */

import { TEST_PORT } from "../../playwright.config.ts";
import { expect, test } from "./browser.ts";

for (const suite of ["vector pool", "vector device"])
  test(`the browser's ${suite} gives the hits of one thread`, async ({ profile }) => {
    const context = await profile.start();
    const page = await context.newPage();
    await page.goto(`http://localhost:${TEST_PORT + 1}/`);
    await page.waitForFunction(() => "runContract" in window);
    const report = await page.evaluate((name) => window.runContract(name), suite);
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(1);
  });
