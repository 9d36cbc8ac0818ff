/**
 * A store that was made in Node: its files are copied into the private file system of a page, where the
 * product's engine opens and asks them. Gives what the page's process holds meanwhile.
 */

import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { percentile } from "../search/statistics.ts";
import { QUERIES } from "../store/texts.ts";
import { Browser, buildPage, PAGE_DIRECTORY, STORE } from "./browser-store.ts";

const PORT = 4189;
const ASKED = 200;

export interface LargeStoreReport {
  memories: number;
  files: number;
  storeMb: number;
  copyMs: number;
  /** From `openEngine` to the answer of the first question. */
  firstAnswerMs: number;
  queryP50Ms: number;
  queryP99Ms: number;
  /** Of the last question. */
  hits: number;
  /** Of the page's process, with its workers: before the store is opened, and the most until the end. Null where it can't be told. */
  emptyPageMb: number | null;
  mostMb: number | null;
}

/** @param directory a store that no process has open */
export async function askLargeStore(directory: string): Promise<LargeStoreReport> {
  const executablePath = await findChromium();
  if (executablePath === null) throw new Error("No Chromium was found: run `npm run setup` first.");
  await buildPage();
  symlinkSync(resolve(directory), join(PAGE_DIRECTORY, "store"));
  const server = await startServer({ port: PORT, directory: PAGE_DIRECTORY });
  const profile = mkdtempSync(join(tmpdir(), "bench-store-browser-"));
  const browser = new Browser(profile, `${server.url}page.html`, executablePath);
  try {
    const paths = readdirSync(directory, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
    const filling = await browser.load();
    const from = performance.now();
    await filling.evaluate(([name, files]) => window.copyIn(name, files), [STORE, paths] as const);
    const copyMs = performance.now() - from;
    await browser.quit();
    const queries = Array.from(
      { length: ASKED + 1 },
      (_, i) => `${QUERIES[i % QUERIES.length]!} ${i}`,
    );
    const page = await browser.load();
    const empty = await browser.memoryMb();
    const { answerMs, recallMs, hits, status } = await page.evaluate(
      ([name, asked]) => window.askWords(name, asked),
      [STORE, queries] as const,
    );
    return {
      memories: status.store.memoryCount,
      files: paths.length,
      storeMb: Math.round(status.store.totalBytes / 1e6),
      copyMs: Math.round(copyMs),
      firstAnswerMs: Math.round(answerMs),
      queryP50Ms: percentile(recallMs, 0.5),
      queryP99Ms: percentile(recallMs, 0.99),
      hits,
      emptyPageMb: empty?.rssMb ?? null,
      mostMb: (await browser.memoryMb())?.peakRssMb ?? null,
    };
  } finally {
    await browser.quit();
    await server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
