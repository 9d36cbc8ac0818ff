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
} finally {
  await context.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}
