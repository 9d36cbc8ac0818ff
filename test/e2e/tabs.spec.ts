/** Several tabs, and what happens when the one that leads, or its worker, ends. */

import { expect, openPage, remember, search, test } from "./browser.ts";

test("two tabs share one memory; when the first closes the second takes over", async ({
  profile,
}) => {
  const context = await profile.start();
  const first = await openPage(context);
  await remember(first, "The lighthouse keeper's name is Olav Brekke.", "Lighthouse");

  const second = await context.newPage();
  await second.goto("./");
  await search(second, "lighthouse keeper");
  await expect(second.getByRole("article").first()).toContainText("Olav Brekke");
  await remember(second, "The boathouse is painted red every spring.", "Boathouse");
  await search(first, "boathouse");
  await expect(first.getByRole("article").first()).toContainText("painted red");

  await first.close();
  await search(second, "lighthouse");
  await expect(second.getByRole("article").first()).toContainText("Olav Brekke");
  await remember(second, "The fog horn sounds twice a minute.", "Fog horn");
  await search(second, "fog horn");
  await expect(second.getByRole("article").first()).toContainText("twice a minute");
});

test("a killed worker is replaced, and nothing that was acknowledged is lost", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await remember(page, "The anchor chain is forty metres long.", "Anchor");
  for (let round = 0; round < 5; round++) {
    const engine = page.workers().find((worker) => worker.url().includes("engine"));
    expect(engine, "the engine's worker").toBeDefined();
    const gone = engine!.waitForEvent("close");
    await engine!.evaluate(() => self.close()).catch(() => undefined);
    await gone;
    await search(page, ["anchor", "chain", "forty", "metres", "long"][round]!);
    await expect(page.getByRole("article").first()).toContainText("forty metres");
  }
});

test("closing the tab in the middle of an import loses nothing that was acknowledged", async ({
  profile,
}) => {
  const context = await profile.start();
  const page = await openPage(context);
  const lines = Array.from({ length: 3_000 }, (_, i) =>
    JSON.stringify({ text: `Log entry ${i}: the barometer shows ${970 + (i % 60)} hectopascal.` }),
  ).join("\n");
  await page
    .locator('input[type="file"]')
    .first()
    .setInputFiles({ name: "barometer.jsonl", mimeType: "text/plain", buffer: Buffer.from(lines) });
  // The stage is named with the first receipts.
  await expect(page.getByText(/Remembering ·/).first()).toBeVisible({ timeout: 30_000 });
  await page.close();

  const again = await context.newPage();
  await again.goto("./#/library");
  await expect(again.getByText(/Log entry|barometer/).first()).toBeVisible();
  await again.goto("./#/remember");
  await again
    .locator('input[type="file"]')
    .first()
    .setInputFiles({ name: "barometer.jsonl", mimeType: "text/plain", buffer: Buffer.from(lines) });
  const panel = again.getByRole("article", { name: /barometer/ });
  await expect(panel.getByText(/times smaller|× smaller|here already/)).toBeVisible({
    timeout: 120_000,
  });
  await again.goto("./#/statistics");
  await expect(again.getByText("3,000").first()).toBeVisible();
});
