/** Bad input, and nothing lost: what the product does when files, disk, network and workers fail it. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { crc32c } from "../../src/storage/bytes.ts";
import { dropFiles, expect, openPage, remember, search, test } from "./browser.ts";
import { withProxy } from "./tampering-proxy.ts";

/** The panel of the import that was started last. */
function newestImport(page: Page): Locator {
  return page.getByRole("article", { name: /^Remember / }).first();
}

/** Waits for the end of the newest import; gives what its panel says. */
async function importOutcome(page: Page, extraMs = 0): Promise<string> {
  const panel = newestImport(page);
  await expect(panel.getByText(/ stored|were here already| failed|stopped/).first()).toBeVisible({
    timeout: 90_000 + extraMs,
  });
  return panel.innerText();
}

async function expectMemoryCount(page: Page, count: string): Promise<void> {
  await page.goto("./#/statistics");
  await expect(page.getByText(count, { exact: true }).first()).toBeVisible();
}

async function openFirstHit(page: Page, query: string): Promise<void> {
  await search(page, query);
  await expect(page.locator("mark").first()).toBeVisible();
  await page.getByRole("article").first().getByRole("link").click();
}

/** The bytes that the open memory's download gives. */
async function downloadOriginal(page: Page): Promise<Buffer> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download original" }).click(),
  ]);
  return readFile(await download.path());
}

async function installModel(page: Page): Promise<void> {
  await page.goto("./#/settings");
  await page.getByRole("button", { name: /^Install the model/ }).click();
}

/** Texts that differ, and that compression can't fold into nothing. */
function makeTexts(count: number, wordsEach = 24): string[] {
  let seed = 20240312;
  const next = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
  const word = (): string => next().toString(36);
  return Array.from(
    { length: count },
    (_, line) => `Entry ${line}: ${Array.from({ length: wordsEach }, word).join(" ")}.`,
  );
}

async function dropLog(page: Page, texts: readonly string[]): Promise<void> {
  await page.goto("./#/remember");
  const lines = texts.map((text) => JSON.stringify({ text }));
  await dropFiles(page, [{ name: "log.jsonl", text: lines.join("\n") }]);
}

test("bad files are explained one by one, the rest is stored, and texts come back exactly", async ({
  profile,
}) => {
  const good: Record<string, { name: string; bytes: Buffer }> = {
    fähranleger: {
      name: "utf16.txt",
      bytes: Buffer.from("\ufeffDer Fähranleger bleibt zu.\r\nGrüße aus Ålesund.\r\n", "utf16le"),
    },
    février: {
      name: "latin1.txt",
      bytes: Buffer.from("Le bac part dès février.\nNoël et Zoë étaient à Évian.\n", "latin1"),
    },
    beacon: { name: "nul.txt", bytes: Buffer.from("A beacon \0 before and \0 after; \x01 too.\n") },
    לברגן: {
      name: "rtl.txt",
      bytes: Buffer.from("המעבורת לברגן יוצאת מהמזח.\nالعبارة تغادر من الرصيف الجنوبي.\n"),
    },
    family: {
      name: "emoji.txt",
      bytes: Buffer.from("The family 👨‍👩‍👧‍👦 on the ⛴️ to 🇳🇴; e\u0301 is not é.\n"),
    },
  };
  const bad: [name: string, content: string | Uint8Array, complaint: RegExp][] = [
    ["empty.txt", "", /is empty/],
    ["blank.txt", " \n\n", /white space/],
    ["noise.bin", Uint8Array.from({ length: 4096 }, (_, i) => (i * 73 + (i >> 3)) & 255), /binary/],
    ["cut.zip", Uint8Array.of(80, 75, 3, 4, 20, 0, 0, 0, 8, 0, 1, 2, 3, 4, 5, 6), /cut off/],
    ["broken.json", '[{"text": "whole"}, {"text": "half', /not valid JSON.*line 1, column/],
    ["broken.jsonl", '{"text": "The tide turns."}\n{"text": oops}\n', /line 2, column 10/],
    [
      "broken.mbox",
      "From someone\nno header at all\n\nFrom ada@x.example Tue Mar 12 09:15:00 2024\nSubject: Buoy\nFrom: ada@x.example\n\nThe red buoy drifted.\n",
      /neither text nor subject/,
    ],
  ];
  const page = await openPage(await profile.start());
  await dropFiles(page, [
    ...Object.values(good).map(({ name, bytes }) => ({ name, text: bytes })),
    ...bad.map(([name, text]) => ({ name, text })),
    { name: "half.json", text: String.raw`[{"text": "A lone half \ud83d of a pair, escaped."}]` },
  ]);
  const outcome = await importOutcome(page);
  expect(outcome).toContain("9 memories stored, 7 items failed");
  const failures = newestImport(page).getByRole("listitem");
  for (const [name, , complaint] of bad)
    await expect(failures.filter({ hasText: complaint }).filter({ hasText: name })).toHaveCount(1);

  for (const [word, { bytes }] of Object.entries(good)) {
    await openFirstHit(page, word);
    expect(await downloadOriginal(page), word).toEqual(bytes);
  }
  await openFirstHit(page, "lone half");
  await expect(page.getByRole("heading", { name: "How good the summary is" })).toBeVisible();
  const half = await page.evaluate(() => document.body.textContent.includes("half \ud83d of"));
  expect(half).toBe(true);
  await search(page, "drifted buoy tide");
  await expect(page.getByText("The red buoy drifted.").first()).toBeVisible();
});

/** Of a single line and of a text each; raise it to try sizes that are too slow for every run. */
const BIG_MEGABYTES = Number(process.env["TEST_BIG_MEGABYTES"] ?? 2);

test("huge texts come in piece by piece, also a single line, and nothing of them is lost", async ({
  profile,
}) => {
  test.setTimeout(120_000 + BIG_MEGABYTES * 20_000);
  const size = BIG_MEGABYTES * 1e6;
  const line = "One line that never ends, ".repeat(size / 26) + "until the lighthouse.";
  const page = await openPage(await profile.start());
  const folder = profile.directory;
  await writeFile(join(folder, "line.txt"), line);
  const book = createWriteStream(join(folder, "book.txt"));
  for (let written = 0, part = 0; written < size; part++) {
    const text = `Chapter ${part}.\n\n${makeTexts(200).join("\n\n")}\n\n`;
    written += text.length;
    if (!book.write(text)) await once(book, "drain");
  }
  await new Promise<void>((resolve) => book.end("The last word is quayside.\n", resolve));
  await page
    .locator('input[type="file"]')
    .first()
    .setInputFiles(["line.txt", "book.txt"].map((name) => join(folder, name)));
  const outcome = await importOutcome(page, BIG_MEGABYTES * 20_000);
  console.log(outcome.split("\n").find((words) => words.includes("memories stored")));
  expect(outcome).not.toContain("failed");

  for (const [query, ending] of [
    ["lighthouse", "until the lighthouse."],
    ["quayside", "The last word is quayside.\n"],
  ] as const) {
    await openFirstHit(page, query);
    expect((await downloadOriginal(page)).toString().endsWith(ending), query).toBe(true);
  }
});

test("a full disk: what was acknowledged stays, the rest is told and comes in later", async ({
  profile,
}) => {
  const context = await profile.start();
  const page = await openPage(context);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await remember(page, "The harbour master keeps the tide tables.", "Tide tables");
  const devtools = await context.newCDPSession(page);
  const { origin, usage } = await page.evaluate(async () => ({
    origin: location.origin,
    usage: (await navigator.storage.estimate()).usage ?? 0,
  }));
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 300_000 });

  await dropLog(page, makeTexts(360, 1_000));
  const outcome = await importOutcome(page);
  expect(outcome).toMatch(/\d+ memories stored, \d+ items failed/);
  // One cause is told once, with what to do about it.
  await expect(
    newestImport(page).getByText("The browser gives this site no more room."),
  ).toHaveCount(1);
  expect(outcome).toContain("Erase what you no longer need or free some disk space");
  await search(page, "tide tables");
  await expect(page.getByRole("article").first()).toContainText("harbour master");

  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  await page.goto("./#/remember");
  await newestImport(page).getByRole("button", { name: "Retry failed" }).click();
  expect(await importOutcome(page)).toMatch(/memories stored, \d+ duplicates? skipped/);
  await expectMemoryCount(page, "361");
});

test("without private storage all works, and the page says that nothing will stay", async ({
  profile,
}) => {
  const refuse = `if (!globalThis.refused) { globalThis.refused = true; Object.defineProperty(navigator.storage, "getDirectory", { value: () => Promise.reject(new DOMException("Refused.", "SecurityError")) }); }\n`;
  const harm = (path: string) =>
    path.endsWith(".js") && path.includes("/assets/")
      ? { edit: (bytes: Buffer) => Buffer.concat([Buffer.from(refuse), bytes]) }
      : null;
  await withProxy(harm, async ({ url }) => {
    const context = await profile.start({ serviceWorkers: "block" });
    const page = await openPage(context, url);
    await expect(page.getByText("Nothing will stay here.")).toBeVisible();
    await page.getByLabel("Text", { exact: true }).fill("The ferry leaves from the south pier.");
    await page.getByRole("button", { name: "Remember this" }).click();
    await expect(page.getByText("1 memory,")).toBeVisible();
    await page.goto(`${url}#/search`);
    await page.getByLabel("Search your memories").fill("south pier");
    await expect(page.getByRole("article").first()).toContainText("ferry");
    await page.goto(`${url}#/settings`);
    await expect(page.getByText("kept in this page's memory only")).toBeVisible();
    await page.getByRole("button", { name: /^Install the model/ }).click();
    await expect(page.getByText(/gives the page no storage:/)).toBeVisible();
  });
});

test("weights: wrong bytes are refused, a cut download goes on where it stopped", async ({
  profile,
}) => {
  let harm: "flip" | "cut" | null = "flip";
  const proxyHarm = (path: string) => {
    if (!path.endsWith(".onnx") || harm === null) return null;
    if (harm === "cut") return { cutAfterBytes: 9_000_000 };
    return { edit: (bytes: Buffer) => (bytes.writeUInt8(bytes[1_000_000]! ^ 1, 1_000_000), bytes) };
  };
  await withProxy(proxyHarm, async ({ url, requests }) => {
    const page = await openPage(
      await profile.start({ serviceWorkers: "block" }),
      `${url}#/settings`,
    );
    await page.getByRole("button", { name: /^Install the model/ }).click();
    await expect(page.getByText(/has the wrong bytes \(SHA-256\)/)).toBeVisible({
      timeout: 30_000,
    });
    harm = "cut";
    await page.getByRole("button", { name: "Try again: Install the embedding model" }).click();
    await expect(page.getByText(/can't be reached|ended early/)).toBeVisible({ timeout: 30_000 });
    harm = null;
    await page.getByRole("button", { name: "Try again: Install the embedding model" }).click();
    await expect(page.getByText("Installed.").first()).toBeVisible({ timeout: 60_000 });
    const ranges = requests.filter(({ path }) => path.endsWith(".onnx")).map(({ range }) => range);
    expect(ranges.slice(0, 2)).toEqual([undefined, undefined]);
    expect(ranges.at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
  });
});

test("an embedding worker killed in the middle costs no text, and its vectors are made later", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await installModel(page);
  await expect(page.getByText("Installed.").first()).toBeVisible({ timeout: 60_000 });
  await dropLog(page, makeTexts(160, 2));
  await expect(newestImport(page).getByText(/Remembering ·/)).toBeVisible({ timeout: 60_000 });
  const embedding = page.workers().find((worker) => worker.url().includes("embedding"));
  await embedding!.evaluate(() => self.close()).catch(() => undefined);
  expect(await importOutcome(page)).toContain("160 memories stored");

  await page.goto("./#/settings");
  await expect(page.getByText("Installed.").first()).toBeVisible();
  // None is left when the worker was between two groups.
  const read = page.getByRole("button", { name: /^Read \d+ now/ });
  await page.waitForTimeout(1_000);
  if (await read.isVisible()) await read.click();
  await expect(page.getByText(/not yet read for meaning/)).toHaveCount(0, { timeout: 60_000 });
});

test("an engine's worker killed during an import: told, and the import again completes it", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await dropLog(page, makeTexts(1_500));
  await expect(newestImport(page).getByText(/Remembering ·/)).toBeVisible({ timeout: 30_000 });
  const engine = page.workers().find((worker) => worker.url().includes("engine"));
  await engine!.evaluate(() => self.close()).catch(() => undefined);
  await expect(newestImport(page).getByText(/The engine stopped/)).toBeVisible();
  await newestImport(page)
    .getByRole("button", { name: /^Try again/ })
    .click();
  expect(await importOutcome(page)).toMatch(/memories stored, [\d,]+ duplicates skipped/);
  await expectMemoryCount(page, "1,500");
});

test("an import can be paused, resumed, cancelled and run again", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await dropLog(page, makeTexts(1_500));
  const panel = newestImport(page);
  await expect(panel.getByText(/Remembering ·/)).toBeVisible({ timeout: 30_000 });
  await panel.getByRole("button", { name: /^Pause/ }).click();
  const state = panel.getByText(/^Paused/);
  await expect(state).toBeVisible();
  await page.waitForTimeout(1_500); // what is being stored now is finished
  const paused = await state.innerText();
  await page.waitForTimeout(1_000);
  expect(await state.innerText()).toBe(paused);
  await panel.getByRole("button", { name: /^Resume/ }).click();
  await expect(panel.getByText(/Remembering ·/)).not.toHaveText(
    paused.replace("Paused", "Remembering"),
  );
  await panel.getByRole("button", { name: /^Cancel/ }).click();
  await expect(panel.getByText("Cancelled; what was stored stays.")).toBeVisible();
  await panel.getByRole("button", { name: /^Try again/ }).click();
  expect(await importOutcome(page)).toMatch(/memories stored, [\d,]+ duplicates skipped/);
  await expectMemoryCount(page, "1,500");
});

/** Runs in the page: every file of the private file system, as numbers. */
async function readStore(page: Page): Promise<Record<string, number[]>> {
  return page.evaluate(async () => {
    const found: Record<string, number[]> = {};
    const walk = async (folder: FileSystemDirectoryHandle, base: string): Promise<void> => {
      for await (const [name, entry] of folder.entries())
        if (entry.kind === "directory")
          await walk(entry as FileSystemDirectoryHandle, `${base}${name}/`);
        else {
          const file = await (entry as FileSystemFileHandle).getFile();
          found[base + name] = [...new Uint8Array(await file.arrayBuffer())];
        }
    };
    await walk(await navigator.storage.getDirectory(), "");
    return found;
  });
}

async function writeStoreFile(page: Page, path: string, bytes: number[]): Promise<void> {
  await page.evaluate(
    async ({ path, bytes }) => {
      const [folder, name] = path.split("/") as [string, string];
      const root = await navigator.storage.getDirectory();
      const file = await (await root.getDirectoryHandle(folder)).getFileHandle(name);
      const writer = await file.createWritable();
      await writer.write(Uint8Array.from(bytes));
      await writer.close();
    },
    { path, bytes },
  );
}

/** The manifest as a program of format version `version` would have written it. */
function withVersion(manifest: number[], version: number): number[] {
  const bytes = Buffer.from(manifest);
  bytes.writeUInt16LE(version, 8);
  bytes.writeUInt32LE(crc32c(bytes.subarray(18), crc32c(bytes.subarray(0, 14))), 14);
  return [...bytes];
}

test("a store of a newer version is refused, and not a byte of it is changed", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await remember(page, "The pilot boat comes at six.", "Pilot");
  // A page of the same origin without the application: the store is let go.
  await page.goto("./favicon.svg");
  const before = await readStore(page);
  const manifests = Object.keys(before).filter((path) => path.includes("manifest-"));
  expect(manifests).toHaveLength(2);
  for (const path of manifests) await writeStoreFile(page, path, withVersion(before[path]!, 9));
  const newer = await readStore(page);

  for (const address of ["./", "./#/search", "./#/library", "./#/statistics", "./#/settings"]) {
    await page.goto("./favicon.svg");
    await page.goto(address);
    await expect(page.getByText("Written by a newer version", { exact: true })).toBeVisible();
  }
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("The store has format version 9.")).toBeVisible();
  await page.goto("./favicon.svg");
  expect(await readStore(page)).toEqual(newer);

  for (const path of manifests) await writeStoreFile(page, path, before[path]!);
  await page.goto("./");
  await search(page, "pilot boat");
  await expect(page.getByRole("article").first()).toContainText("comes at six");
});

test("in a private window all works until it is closed", async ({ browser }) => {
  const context = await browser.newContext();
  const page = await openPage(context);
  await remember(page, "The pilot boat comes at six.", "Pilot");
  await page.reload();
  await search(page, "pilot boat");
  await expect(page.getByRole("article").first()).toContainText("comes at six");
  await context.close();
  const next = await browser.newContext();
  const empty = await openPage(next);
  await expect(empty.getByRole("heading", { level: 1 })).toHaveText("A memory for your text");
  await next.close();
});
