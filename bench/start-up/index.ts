/**
 * `npm run bench -- start-up [--count 100000] [--journal 2000] [--runs 5] [--port 4187] [--json FILE]
 * [--trace FILE] [--profile FOLDER]`:
 * how long a browser takes from `openEngine` to the answer of the first recall (by words: the page has
 * no model; the vectors come after it), over the private file system of a profile on disk.
 * Once with everything compacted and snapshots current, once with `--journal` memories more that only
 * the journal has. The browser starts anew before each of the two, the page is loaded anew for each run.
 * With `--profile` the browser's profile is kept in that folder, and the next run with the same port
 * measures it once more without filling it again.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { chromium, type BrowserContext, type Page } from "@playwright/test";
import { build } from "vite";
import { META } from "../../src/model/memory.ts";
import app from "../../vite.config.ts";
import config from "../../playwright.config.ts";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { fillVectors, namesOf } from "../search/big-store.ts";
import type { CorpusText } from "../search/corpus.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { makeQueries } from "../search/queries.ts";
import { readSentences } from "../search/sentences.ts";
import { percentile } from "../search/statistics.ts";
import type { BatchItem, Start } from "./page.ts";

const STORE = "start-up";
const PAGE_DIRECTORY = resolve(".cache/bench/build/start-up");
/** As many as the engine puts into one frame of its journal. */
const BATCH = 2_048;
const TRACED = ["devtools.timeline", "v8", "disabled-by-default-v8.cpu_profiler"];
/** Real vectors that blends are made of where none are kept yet. */
const MIN_REAL = 256;

interface Data {
  texts: CorpusText[];
  vectors: Float32Array[];
  realVectors: number;
  model: string;
}

interface Case {
  name: string;
  starts: Start[];
  /** Of all of the browser's processes, by start; null where it can't be told. */
  cpuMs: (number | null)[];
}

async function readData(count: number): Promise<Data> {
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
async function buildPage(): Promise<void> {
  await build({
    configFile: false,
    logLevel: "error",
    root: resolve("bench/start-up"),
    publicDir: false,
    base: "./",
    resolve: app.resolve!,
    worker: app.worker!,
    build: {
      outDir: PAGE_DIRECTORY,
      emptyOutDir: true,
      target: "es2023",
      chunkSizeWarningLimit: 6000,
      rolldownOptions: { input: resolve("bench/start-up/page.html") },
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

class Browser {
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

/** Stores the memories; gives the ms in `remember` and, where asked, in `compact`. */
async function fill(
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

async function measure(browser: Browser, name: string, queries: string[]): Promise<Case> {
  const measured: Case = { name, starts: [], cpuMs: [] };
  for (const query of queries) {
    const page = await browser.load();
    const before = await browser.cpuMs();
    measured.starts.push(
      await page.evaluate(([store, text]) => window.start(store, text), [STORE, query] as const),
    );
    const after = await browser.cpuMs();
    measured.cpuMs.push(before === null || after === null ? null : after - before);
  }
  await browser.quit();
  return measured;
}

const medianAndWorst = (values: readonly number[]): string =>
  `${percentile(values, 0.5).toFixed(0)} (${Math.max(...values).toFixed(0)})`;

function print(cases: readonly Case[]): void {
  console.table(
    cases.map(({ name, starts, cpuMs }) => {
      const { store, vectors, words } = starts.at(-1)!.status;
      const cpu = cpuMs.filter((ms) => ms !== null);
      return {
        store: name,
        "to the answer ms": medianAndWorst(starts.map(({ answerMs }) => answerMs)),
        "recall ms": medianAndWorst(starts.map(({ recallMs }) => recallMs)),
        "page ms": medianAndWorst(starts.map(({ pageMs }) => pageMs)),
        "processor ms": cpu.length === 0 ? "-" : medianAndWorst(cpu),
        memories: store.memoryCount,
        segments: store.segmentCount,
        "journal MB": (store.journalBytes / 1e6).toFixed(2),
        "store MB": (store.totalBytes / 1e6).toFixed(1),
        vectors: vectors.count,
        words: words.count,
        "index MB": ((vectors.memoryBytes + words.memoryBytes) / 1e6).toFixed(1),
      };
    }),
  );
  console.log("Median (worst). Recall is part of the time to the answer, the page's load is not;");
  console.log("processor: all processes of the browser, with the question of status.");
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string", default: "100000" },
      journal: { type: "string", default: "2000" },
      runs: { type: "string", default: "5" },
      port: { type: "string", default: "4187" },
      json: { type: "string" },
      trace: { type: "string" },
      profile: { type: "string" },
    },
  });
  const executablePath = await findChromium();
  if (executablePath === null) throw new Error("No Chromium was found: run `npm run setup` first.");
  const [count, journal] = [Number(values.count), Number(values.journal)];
  const data = await readData(count + journal);
  const compacted = data.texts.length - journal;
  await buildPage();
  const server = await startServer({ port: Number(values.port), directory: PAGE_DIRECTORY });
  const kept = values.profile;
  const profile = kept ?? mkdtempSync(join(tmpdir(), "bench-start-up-"));
  mkdirSync(profile, { recursive: true });
  /** There once both fillings were done. */
  const stamp = join(profile, "filled");
  const isFilled = existsSync(stamp);
  const browser = new Browser(profile, `${server.url}page.html`, executablePath);
  try {
    console.log(`${data.texts.length} sentences, ${data.realVectors} with their embedding`);
    const queries = makeQueries(data.texts, Number(values.runs) * 4)
      .filter((_, i) => i % 4 === 1)
      .map(({ query }) => query);
    const journalName = `${journal} only in the journal`;
    if (isFilled) {
      print([await measure(browser, journalName, queries)]);
      if (values.trace !== undefined) await browser.trace(values.trace, queries[0]!);
      return;
    }
    const filled = await fill(browser, data, [0, compacted], { compact: true });
    console.log(
      `filled with ${compacted} in ${(filled.rememberMs / 1000).toFixed(1)} s, compacted in ${(filled.compactMs / 1000).toFixed(1)} s`,
    );
    const cases = [await measure(browser, "compacted", queries)];
    const added = await fill(browser, data, [compacted, data.texts.length], { compact: false });
    console.log(`${journal} more in ${(added.rememberMs / 1000).toFixed(1)} s`);
    cases.push(await measure(browser, journalName, queries));
    print(cases);
    writeFileSync(stamp, "");
    if (values.trace !== undefined) await browser.trace(values.trace, queries[0]!);
    if (values.json !== undefined)
      writeFileSync(values.json, JSON.stringify({ filled, added, cases }, null, 2));
  } finally {
    await browser.quit();
    await server.close();
    if (kept === undefined) rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

await main(process.argv.slice(2));
