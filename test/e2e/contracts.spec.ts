/** The contracts of the ports, over the adapters that only a real browser has. */

import { TEST_PORT } from "../../playwright.config.ts";
import { expect, test } from "./browser.ts";

const ORIGIN = `http://localhost:${TEST_PORT + 1}/`;

for (const suite of ["file store", "sql engine", "embedder"])
  test(`the browser's ${suite} keeps its contract`, async ({ profile }) => {
    const context = await profile.start();
    const page = await context.newPage();
    const foreign: string[] = [];
    page.on("request", (request) => {
      if (![ORIGIN, "blob:", "data:"].some((own) => request.url().startsWith(own)))
        foreign.push(request.url());
    });
    await page.goto(ORIGIN);
    await page.waitForFunction(() => "runContract" in window);
    const report = await page.evaluate((name) => window.runContract(name), suite);
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(4);
    expect(foreign).toEqual([]);
  });
