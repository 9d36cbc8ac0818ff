/**
 * The pictures of the README, made from the real application: `node scripts/make-screenshots.mjs`
 * after a build. Installs the model, remembers the sample, asks, and writes docs/images/*.png.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { ensureChromium } from "./find-chromium.mjs";
import { ROOT } from "./run.mjs";
import { startServer } from "./serve.mjs";

const QUERY = "keeping peace with our neighbors";
/** Written for the picture of the comparison. */
const MINUTES = `Minutes of the harbour committee, 14 March 2024. Present: Ada Brook, Tom Hale, Miriam Okafor. The committee met at the customs house at nine in the morning.
Ada Brook reported that the south pier was inspected on 2 March. The divers found cracks in four of the twelve piles, and she recommended that heavy vehicles be kept off until repairs are done. Tom Hale asked whether the ferry could still land there. Ada said that foot passengers are safe but that cars must use the north ramp.
The estimate of the builder is 48,000 euros. Miriam Okafor did not agree with the estimate and wants a second offer before the end of April. Tom Hale seconded this and offered to write to the two firms in Lisbon that had worked on the breakwater in 2019.
The summer timetable was discussed. From 1 June the ferry leaves at 7:15, 9:40 and 18:05. The evening crossing at 21:30 will not run this year, because the second crew was not hired. The committee decided to answer all complaints by letter.
Finally the swimming club asked for the use of the small slipway on Sundays. This was granted until September, on condition that the club pays for the lifeguard.`;
const images = join(ROOT, "docs/images");
const profile = mkdtempSync(join(tmpdir(), "screenshots-"));
mkdirSync(images, { recursive: true });

const directory = process.env["TEST_APP_DIRECTORY"];
const server = await startServer({ port: 0, ...(directory ? { directory } : {}) });
const context = await chromium.launchPersistentContext(profile, {
  executablePath: await ensureChromium(),
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  viewport: { width: 1200, height: 760 },
});
try {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(server.url);
  await page.getByRole("button", { name: /Install the model/ }).click();
  await page.getByText("Installed.").first().waitFor({ timeout: 120_000 });
  await page.getByRole("button", { name: "Load the sample" }).click();
  await page
    .getByText(/times smaller|× smaller|were here already/)
    .first()
    .waitFor({ timeout: 600_000 });
  await page.goto(`${server.url}#/search?q=${encodeURIComponent(QUERY)}`);
  await page.getByRole("article").first().waitFor();
  await page.waitForTimeout(3_000);
  await page.screenshot({ path: join(images, "search.png") });
  await page.getByRole("article").first().getByRole("link").click();
  await page.getByRole("heading", { name: "How good the summary is" }).waitFor();
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(images, "memory.png") });
  await page.goto(`${server.url}#/statistics`);
  await page.waitForTimeout(12_000);
  await page.screenshot({ path: join(images, "statistics.png") });
  await page.setViewportSize({ width: 1200, height: 980 });
  await page.goto(`${server.url}#/remember`);
  await page.getByLabel("Text", { exact: true }).fill(MINUTES);
  await page.getByRole("button", { name: "Compare summaries" }).click();
  await page.getByRole("heading", { name: "How good it is" }).waitFor({ timeout: 120_000 });
  await page.getByRole("heading", { name: "Candidates" }).scrollIntoViewIfNeeded();
  await page.evaluate(() => {
    const heading = [...document.querySelectorAll("h2")].find(
      (h) => h.textContent === "Candidates",
    );
    heading?.scrollIntoView({ block: "start" });
  });
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(images, "compare.png") });
} finally {
  await context.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}
