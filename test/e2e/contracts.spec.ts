/** The contracts of the ports, over the adapters that only a real browser has. */

import { expect, test } from "./browser.ts";

for (const suite of ["file store", "sql engine", "embedder"])
  test(`the browser's ${suite} keeps its contract`, async ({ profile }) => {
    const context = await profile.start();
    const page = await context.newPage();
    const foreign: string[] = [];
    page.on("request", (request) => {
      if (!/^(http:\/\/localhost:4180\/|blob:|data:)/.test(request.url()))
        foreign.push(request.url());
    });
    await page.goto("http://localhost:4180/");
    await page.waitForFunction(() => "runContract" in window);
    const report = await page.evaluate((name) => window.runContract(name), suite);
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(4);
    expect(foreign).toEqual([]);
  });
