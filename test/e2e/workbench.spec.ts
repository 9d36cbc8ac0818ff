/** The workbench in a real browser: the owner's files in, a measured result out, kept over a reload. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { modelsDirectory } from "../../scripts/fetch-weights.mjs";
import { TINY_CONFIG, tinyBertBytes } from "../unit/quantization/support/tiny-bert.ts";
import { tinyTokenizer } from "../unit/quantization/support/tiny-tokenizer.ts";
import { expect, openPage, test } from "./browser.ts";

const REAL_WEIGHTS = join(modelsDirectory(), "all-MiniLM-L6-v2/model.safetensors");

/** Little text, so that measuring takes seconds: two sentences a day of a harbour's year. */
const LOG = Array.from({ length: 40 }, (_, day) => {
  const weather = ["calm under a grey sky", "stormy from the west", "foggy until the afternoon"];
  const work = ["repaired the nets of the older boats", "unloaded timber from the north", "painted the ferry", "waited for the mail steamer"];
  return `On day ${day + 1} the harbour was ${weather[day % 3]!} and ${day + 4} ships lay at the pier. The crew ${work[day % 4]!} before the ${day % 2 ? "evening" : "morning"} tide.`;
}).join("\n\n"); // prettier-ignore

interface GivenFile {
  name: string;
  bytes: Uint8Array | string;
}

const tinyFiles = (): GivenFile[] => [
  { name: "model.safetensors", bytes: tinyBertBytes() },
  { name: "config.json", bytes: JSON.stringify(TINY_CONFIG) },
  { name: "tokenizer.json", bytes: JSON.stringify(tinyTokenizer()) },
];

async function give(page: Page, files: readonly GivenFile[]): Promise<void> {
  await page.getByRole("radio", { name: /Files of my own/ }).check();
  await page.getByLabel("Files of a model").setInputFiles(
    files.map(({ name, bytes }) => ({
      name,
      mimeType: "application/octet-stream",
      buffer: Buffer.from(bytes),
    })),
  );
}

async function measureWith(page: Page, text: string): Promise<void> {
  await page.getByLabel(/^Text to/).selectOption("own");
  await page.getByLabel(/Your text/).fill(text);
}

/** Starts a run and waits for its report. */
async function shrink(page: Page, title: string): Promise<Locator> {
  await page.getByRole("button", { name: "Shrink it" }).click();
  const report = page.getByRole("article", { name: title });
  await expect(report).toBeVisible({ timeout: 150_000 });
  return report;
}

const cosineOf = async (report: Locator): Promise<number> =>
  Number(await report.locator("dt:has-text('Cosine') + dd").innerText());

async function expectNoViolations(page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`),
    name,
  ).toEqual([]);
}

test("files of a model become results that are measured, compared, kept and removed", async ({
  profile,
}) => {
  const page = await openPage(await profile.start(), "./#/workbench");
  await give(page, tinyFiles());
  await expect(page.getByText("A network that runs can be built and measured")).toBeVisible();

  const int8 = await shrink(page, "INT8, per row");
  expect(await cosineOf(int8)).toBeGreaterThan(0.999);
  await expect(int8.getByRole("list", { name: "Sizes before and after" })).toContainText(
    "Package, after ZSTD",
  );

  await page.getByRole("radio", { name: /Smallest/ }).check();
  const mixed = await shrink(page, "Mixed, 3.3 bits, GPTQ");
  expect(await cosineOf(mixed)).toBeGreaterThan(0.9);
  await expect(page.getByRole("img", { name: /^Size and cosine with the original/ })).toBeVisible();
  await expect(page.getByRole("row")).not.toHaveCount(0);

  // The heat map is walked with arrow keys, and draws what it stands on.
  await mixed.getByRole("button", { name: /^Block 1, query/ }).click();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await expect(mixed.getByRole("heading", { name: "Block 2, key" })).toBeVisible();
  await expect(mixed.getByRole("img", { name: /^Histogram of Block 2, key/ })).toBeVisible();
  await mixed.getByText("All layers as a table").click();
  await expect(mixed.getByText("encoder.layer.1.output.dense.weight")).toBeVisible();

  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.waitForTimeout(300);
    await expectNoViolations(page, `results, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(surplus).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1280, height: 800 });

  await page.reload();
  await expect(page.getByRole("radio", { name: /^INT8, per row/ })).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Package (.parquet)" }).click(),
  ]);
  const bytes = await readFile(await download.path());
  expect(bytes.subarray(0, 4).toString()).toBe("PAR1");
  expect(bytes.subarray(-4).toString()).toBe("PAR1");

  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByRole("radio", { name: /^Mixed/ })).toHaveCount(0);
  await expect(page.getByRole("article", { name: "INT8, per row" })).toBeVisible();
});

test("what can't be shrunk is said, and leaves nothing behind", async ({ profile }) => {
  const page = await openPage(await profile.start(), "./#/workbench");
  const bytes = tinyBertBytes();
  const lying = bytes.slice();
  new DataView(lying.buffer).setBigUint64(0, 2n ** 40n, true);
  const [, config, tokenizer] = tinyFiles();
  const bad: [string, GivenFile[], RegExp][] = [
    ["truncated", [{ name: "m.safetensors", bytes: bytes.subarray(0, bytes.length - 5000) }], /m\.safetensors/],
    ["lying header", [{ name: "m.safetensors", bytes: lying }], /m\.safetensors/],
    ["no weights", [config!], /no file of weights/],
    ["another config", [{ name: "m.safetensors", bytes }, { name: "config.json", bytes: JSON.stringify({ ...TINY_CONFIG, hidden_size: 128 }) }], /by its config/],
    ["no JSON", [{ name: "m.safetensors", bytes }, { name: "config.json", bytes: "{" }], /not JSON/],
    ["a missing shard", [{ name: "model.safetensors.index.json", bytes: JSON.stringify({ weight_map: { a: "model-1.safetensors" } }) }], /model-1\.safetensors/],
  ]; // prettier-ignore
  for (const [name, files, words] of bad) {
    await give(page, files);
    await expect(page.getByRole("alert"), name).toContainText(words);
    await expect(page.getByRole("button", { name: "Shrink it" }), name).toBeDisabled();
  }

  // A header that is right with values that aren't: found while it runs.
  const poisoned = bytes.slice();
  new DataView(poisoned.buffer).setFloat32(poisoned.length - 4096, NaN, true);
  await give(page, [{ name: "nan.safetensors", bytes: poisoned }, config!, tokenizer!]);
  await page.getByRole("button", { name: "Shrink it" }).click();
  const work = page.getByRole("region", { name: "At work" });
  await expect(work).toContainText(/NaN|finite|number/i);
  await page.reload();
  await expect(page.getByRole("heading", { name: "How small" })).toBeVisible();
  await page.waitForTimeout(500);
  await expect(page.getByRole("heading", { name: "Results" })).toHaveCount(0);
  expect(await keptRuns(page)).toEqual([]);
});

async function keptRuns(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle("quantization-runs", { create: true });
    const names: string[] = [];
    for await (const name of folder.keys()) names.push(name);
    return names;
  });
}

test("a full disk ends a run with what to do, and leaves nothing of it", async ({ profile }) => {
  const context = await profile.start();
  const page = await openPage(context, "./#/workbench");
  await give(page, tinyFiles());
  await expect(page.getByText("A network that runs can be built and measured")).toBeVisible();
  const devtools = await context.newCDPSession(page);
  const { origin, usage } = await page.evaluate(async () => ({
    origin: location.origin,
    usage: (await navigator.storage.estimate()).usage ?? 0,
  }));
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 10_000 });
  await page.getByRole("button", { name: "Shrink it" }).click();
  await expect(page.getByRole("region", { name: "At work" })).toContainText(/room|space|full/i, {
    timeout: 120_000,
  });
  expect(await keptRuns(page)).toEqual([]);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  expect(await cosineOf(await shrink(page, "INT8, per row"))).toBeGreaterThan(0.999);
});

test("a worker that is killed under a run is told, and the next run has a new one", async ({
  profile,
}) => {
  const context = await profile.start();
  await context.addInitScript(() => {
    const killable: Worker[] = [];
    Object.assign(window, { killable });
    window.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        if (options?.name === "quantization") killable.push(this);
      }
    };
  });
  const page = await openPage(context, "./#/workbench");
  await give(page, tinyFiles());
  await expect(page.getByText("A network that runs can be built and measured")).toBeVisible();
  await page.getByRole("radio", { name: /Smallest/ }).check();
  await page.getByRole("button", { name: "Shrink it" }).click();
  const work = page.getByRole("region", { name: "At work" });
  await expect(work).toContainText(/original|Calibrat|Measuring|Quantizing|Reading/);
  await page.evaluate(() =>
    (window as unknown as { killable: Worker[] }).killable.forEach((worker) => worker.terminate()),
  );
  await expect(work).toContainText("The workbench's worker ended", { timeout: 60_000 });
  expect(await cosineOf(await shrink(page, "Mixed, 3.3 bits, GPTQ"))).toBeGreaterThan(0.9);
  expect(await keptRuns(page)).toHaveLength(1);
});

test("the page's own embedder is installed, shrunk to 8 bits and offered as a variant", async ({
  profile,
}) => {
  test.skip(!existsSync(REAL_WEIGHTS), "the float32 weights of all-MiniLM-L6-v2 aren't there");
  const page = await openPage(await profile.start(), "./#/workbench");
  await page.getByRole("button", { name: "Install the weights" }).click();
  await expect(page.getByText("A network that runs can be built and measured")).toBeVisible({
    timeout: 90_000,
  });
  await measureWith(page, LOG);
  const report = await shrink(page, "INT8, per row");
  expect(await cosineOf(report)).toBeGreaterThan(0.999);
  await expect(report.getByText(/ MB$/).first()).toBeVisible();
  await report.getByRole("button", { name: "Use as embedder" }).click();
  await expect(report.getByText("It is one of the embedders now")).toBeVisible();
});

test("a run that is cancelled ends, and the one behind it has its turn", async ({ profile }) => {
  test.skip(!existsSync(REAL_WEIGHTS), "the float32 weights of all-MiniLM-L6-v2 aren't there");
  const page = await openPage(await profile.start(), "./#/workbench");
  await page.getByRole("radio", { name: /Files of my own/ }).check();
  const folder = dirname(REAL_WEIGHTS);
  await page
    .getByLabel("Files of a model")
    .setInputFiles(
      ["model.safetensors", "config.json", "tokenizer.json"].map((name) => join(folder, name)),
    );
  await expect(page.getByText("A network that runs can be built and measured")).toBeVisible();
  await page.getByRole("radio", { name: /An eighth/ }).check();
  await page.getByRole("button", { name: "Shrink it" }).click();
  const work = page.getByRole("region", { name: "At work" });
  await expect(work).toContainText(/original|Calibrat|Reading/);
  await give(page, tinyFiles());
  await expect(page.getByText("37 tensors")).toBeVisible();
  await page.getByRole("radio", { name: /Same quality/ }).check();
  await page.getByRole("button", { name: "Shrink it" }).click();
  await expect(work).toContainText("Waiting for the run before");
  await page.getByRole("button", { name: "Cancel: Shrink: INT4, groups of 128, GPTQ" }).click();
  await expect(page.getByRole("article", { name: "INT8, per row" })).toBeVisible();
  await expect(work).toContainText("Cancelled");
  await expect(page.getByRole("radio", { name: /^INT4/ })).toHaveCount(0);
});
