/** The network that makes vectors exchanged in the page: shrunk in the workbench, chosen, used, left again. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { binaryOf } from "../../scripts/run.mjs";
import { expect, openPage, remember, search, test } from "./browser.ts";

/** A network that the workbench's code makes of seeded weights. */
async function smallNetwork(): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "small-network-"));
  try {
    const path = join(folder, "model.onnx");
    const script = "test/e2e/small-network.ts";
    await promisify(execFile)(process.execPath, [binaryOf("vite-node"), "--config", "vitest.config.ts", script, path]); // prettier-ignore
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Puts it where the workbench puts its results. */
async function installVariant(page: Page, network: Uint8Array): Promise<void> {
  const variant = {
    format: "embedder-variant/1",
    name: "small",
    label: "INT4, groups of 32",
    base: "all-MiniLM-L6-v2",
    settings: { bits: 4, group: 32 },
    network: {
      sizeBytes: network.length,
      sha256: createHash("sha256").update(network).digest("hex"),
    },
    quality: null,
    builtAt: new Date(0).toISOString(),
  };
  await page.route("**/small-network.onnx", (route) =>
    route.fulfill({ body: Buffer.from(network), contentType: "application/octet-stream" }),
  );
  await page.evaluate(async (description) => {
    const bytes = await (await fetch("./small-network.onnx")).arrayBuffer();
    const root = await navigator.storage.getDirectory();
    const models = await root.getDirectoryHandle("models", { create: true });
    const all = await models.getDirectoryHandle("embedder-variants", { create: true });
    const folder = await all.getDirectoryHandle("small", { create: true });
    for (const [name, data] of [["model.onnx", bytes], ["variant.json", description]] as const) {
      const file = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await file.write(data);
      await file.close();
    }
  }, JSON.stringify(variant)); // prettier-ignore
}

test("a network of the workbench is chosen, makes the vectors again, and is left again", async ({
  profile,
}) => {
  const page = await openPage(await profile.start(), "./#/settings");
  await page
    .getByRole("button", { name: /^Install the model/ })
    .first()
    .click();
  await expect(page.getByText("Installed.").first()).toBeVisible({ timeout: 60_000 });
  await installVariant(page, await smallNetwork());
  await page.goto("./#/remember");
  await remember(page, "The ferry to Askøy leaves from the south pier until April.", "Ferry");

  await page.goto("./#/models");
  const section = page.getByRole("region", { name: "Finding by meaning" });
  await section.getByRole("button", { name: /^Use INT4/ }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("found by their words");
  await dialog.getByRole("button", { name: "Use it" }).click();
  const own = section.getByRole("listitem").filter({ hasText: "INT4, groups of 32" });
  await expect(own).toContainText("In use", { timeout: 60_000 });
  // The vectors are made again without being asked.
  await expect(own.locator("dt:has-text('Vectors') + dd")).toHaveText("1", { timeout: 60_000 });
  await own.getByRole("button", { name: /^Measure the speed/ }).click();
  await expect(own).toContainText(/sentences\/s/, { timeout: 60_000 });
  const { violations } = await new AxeBuilder({ page }).include("main").analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`)).toEqual([]);

  await page.reload();
  await expect(own).toContainText("In use", { timeout: 30_000 });
  await page.goto("./#/search");
  await search(page, "where does the ferry leave");
  await expect(
    page
      .getByRole("main")
      .getByText(/south pier/)
      .first(),
  ).toBeVisible();

  // Removing the one in use leads back to the fetched network.
  await page.goto("./#/models");
  await own.getByRole("button", { name: /^Remove/ }).click();
  await expect(own).toHaveCount(0);
  await expect(section.getByRole("listitem")).toContainText("In use");
});
