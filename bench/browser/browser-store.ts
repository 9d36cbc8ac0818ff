/**
 * A store in a Chromium of its own: real sentences with vectors, put through the product's engine in a
 * page (`page.ts`) over the private file system of a profile on disk.
 */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { chromium, type BrowserContext, type Page } from "@playwright/test";
import { build } from "vite";
import { META } from "../../src/model/memory.ts";
import app from "../../vite.config.ts";
import config from "../../playwright.config.ts";
import { fillVectors, namesOf } from "../search/big-store.ts";
import type { CorpusText } from "../search/corpus.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { readSentences } from "../search/sentences.ts";
import type { BatchItem } from "./page.ts";

export const STORE = "start-up";
export const PAGE_DIRECTORY = resolve(".cache/bench/build/browser");
/** As many as the engine puts into one frame of its journal. */
const BATCH = 2_048;
const TRACED = ["devtools.timeline", "v8", "disabled-by-default-v8.cpu_profiler"];
/** Real vectors that blends are made of where none are kept yet. */
const MIN_REAL = 256;

export interface Data {
  texts: CorpusText[];
  vectors: Float32Array[];
  realVectors: number;
  model: string;
}

export async function readData(count: number): Promise<Data> {
  const texts = await readSentences(count);
  const cache = await EmbeddingCache.open();
  try {
    await cache.embed(texts.slice(0, MIN_REAL).map(({ text }) => text));
    const known = cache.known(texts.map(({ text }) => text));
    return {
      texts,
      vectors: fillVectors(known).map((vector) => vector!),
      realVectors: known.filter((vector) => vector !== undefined).length,
      model: cache.embedder.info.id,
    };
  } finally {
    await cache.close();
  }
}

/** The page and the engine's worker, built as the application is. */
export async function buildPage(): Promise<void> {
  await build({
    configFile: false,
    logLevel: "error",
    root: resolve("bench/browser"),
    publicDir: false,
    base: "./",
    resolve: app.resolve!,
    worker: app.worker!,
    build: {
      outDir: PAGE_DIRECTORY,
      emptyOutDir: true,
      target: "es2023",
      chunkSizeWarningLimit: 6000,
      rolldownOptions: { input: resolve("bench/browser/page.html") },
    },
  });
}

/** See `BatchItem` for the bytes. */
function encodeBatch({ texts, vectors }: Data, from: number, to: number): Buffer {
  const items = texts.slice(from, to).map((one): BatchItem => ({
    text: one.text,
    timestamp: one.timestamp,
    entities: namesOf(one.text),
    metadata: {
      [META.source]: one.source,
      [META.title]: one.title,
      [META.speaker]: one.speaker,
      [META.thread]: one.thread,
    },
  }));
  const json = Buffer.from(JSON.stringify(items));
  const head = Buffer.alloc(4 + Math.ceil(json.length / 4) * 4);
  head.writeUInt32LE(json.length);
  json.copy(head, 4);
  const rows = vectors
    .slice(from, to)
    .map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return Buffer.concat([head, ...rows]);
}

export class Browser {
  readonly #profile: string;
  readonly #url: string;
  readonly #executablePath: string;
  #context: BrowserContext | null = null;

  constructor(profile: string, url: string, executablePath: string) {
    this.#profile = profile;
    this.#url = url;
    this.#executablePath = executablePath;
  }

  async load(): Promise<Page> {
    this.#context ??= await chromium.launchPersistentContext(this.#profile, {
      ...config.use!.launchOptions,
      executablePath: this.#executablePath,
    });
    const page = this.#context.pages()[0] ?? (await this.#context.newPage());
    page.setDefaultTimeout(0);
    await page.goto(this.#url);
    await page.waitForFunction(() => window.ready);
    return page;
  }

  /** ms of processor that the browser's processes have taken so far. */
  async cpuMs(): Promise<number | null> {
    const session = await this.#context?.browser()?.newBrowserCDPSession();
    if (!session) return null;
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
  }

  /** Of the process that holds the page and its workers: resident now and at most so far. Null where it can't be told. */
  async memoryMb(): Promise<{ rssMb: number; peakRssMb: number } | null> {
    const session = await this.#context?.browser()?.newBrowserCDPSession();
    if (!session || process.platform !== "linux") return null;
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    const sizes = processInfo
      .filter(({ type }) => type === "renderer")
      .map(({ id }) => readFileSync(`/proc/${id}/status`, "utf8"))
      .map((text) => ({ rssMb: megabytes(text, "VmRSS"), peakRssMb: megabytes(text, "VmHWM") }));
    return sizes.sort((a, b) => b.peakRssMb - a.peakRssMb)[0] ?? null;
  }

  /** One more start, with Chromium's trace of what every thread did. */
  async trace(file: string, query: string): Promise<void> {
    await this.load();
    const page = await this.load();
    const chromiumBrowser = this.#context!.browser()!;
    await chromiumBrowser.startTracing(page, { path: file, categories: TRACED });
    await page.evaluate(([store, text]) => window.start(store, text), [STORE, query] as const);
    await chromiumBrowser.stopTracing();
    await this.quit();
  }

  async quit(): Promise<void> {
    await this.#context?.close();
    this.#context = null;
  }
}

function megabytes(status: string, field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

/** Stores the memories; gives the ms in `remember` and, where asked, in `compact`. */
export async function fill(
  browser: Browser,
  data: Data,
  [from, to]: [number, number],
  options: { compact: boolean },
): Promise<{ rememberMs: number; compactMs: number }> {
  const page = await browser.load();
  let at = from;
  await page.route("**/batch?*", (route) =>
    route.fulfill({
      contentType: "application/octet-stream",
      body: encodeBatch(data, at, Math.min(to, at + BATCH)),
    }),
  );
  let rememberMs = 0;
  for (; at < to; at += BATCH) {
    rememberMs += await page.evaluate(
      ([name, batch, model]) => window.remember(name, batch, model),
      [STORE, at, data.model] as const,
    );
    process.stderr.write(`\rstored ${Math.min(to, at + BATCH) - from} of ${to - from} `);
  }
  process.stderr.write("\n");
  const compactMs = options.compact
    ? await page.evaluate((name) => window.compact(name), STORE)
    : 0;
  await browser.quit();
  return { rememberMs, compactMs };
}
