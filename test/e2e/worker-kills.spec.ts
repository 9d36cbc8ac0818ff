/**
 * The engine's worker, terminated at random moments, on real private files: nothing acknowledged is
 * lost, nothing is there twice, nothing deleted is found, and the indexes are those of a fresh
 * building. `TEST_WORKER_KILLS=100` for the full run; what was checked is printed with the seed, `TEST_WORKER_SEED` repeats it.
 */

import { TEST_PORT } from "../../playwright.config.ts";
import { expect, test } from "./browser.ts";

const KILLS = Number(process.env["TEST_WORKER_KILLS"] ?? 15);
const SEED = Number(process.env["TEST_WORKER_SEED"] ?? Date.now() % 1_000_000);

test(`a store survives ${KILLS} kills of its worker`, async ({ profile }) => {
  test.setTimeout(180_000 + KILLS * 30_000);
  const context = await profile.start();
  const page = await context.newPage();
  page.on("console", (message) => console.log(message.text()));
  await page.goto(`http://localhost:${TEST_PORT + 1}/kills.html`);
  await page.waitForFunction(() => "runKills" in window);
  const report = await page.evaluate((options) => window.runKills(options), {
    kills: KILLS,
    seed: SEED,
  });
  console.log(JSON.stringify({ seed: SEED, ...report }));
  expect(report.violation).toBeNull();
  expect(report.kills).toBe(KILLS);
  expect(report.acknowledged).toBeGreaterThan(KILLS);
  expect(report.deletedChecked).toBeGreaterThan(0);
});

test("a tab that ends without a word is let go by the worker that served it", async ({
  profile,
}) => {
  const context = await profile.start();
  const leader = await context.newPage();
  await leader.goto(`http://localhost:${TEST_PORT + 1}/kills.html`);
  await leader.waitForFunction(() => "openStore" in window);
  expect(await leader.evaluate(() => window.openStore("tabs"))).toBe("leader");
  const follower = await context.newPage();
  await follower.goto(`http://localhost:${TEST_PORT + 1}/kills.html`);
  await follower.waitForFunction(() => "openStore" in window);
  expect(await follower.evaluate(() => window.openStore("tabs"))).toBe("follower");
  const tabLocks = () =>
    leader.evaluate(async () => {
      const { held, pending } = await navigator.locks.query();
      const tabs = (list: LockInfo[] | undefined) =>
        (list ?? []).filter(({ name }) => name?.startsWith("llm-compression:tab:")).length;
      return { held: tabs(held), waiting: tabs(pending) };
    });
  // The worker waits for the end of the tab that it serves.
  await expect.poll(tabLocks).toEqual({ held: 2, waiting: 1 });
  await follower.close({ runBeforeUnload: false });
  await expect.poll(tabLocks).toEqual({ held: 1, waiting: 0 });
});
