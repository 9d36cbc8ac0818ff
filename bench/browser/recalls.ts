/** Whole recalls as a page asks them: the engine's worker with the installed model, one caller and many. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { makeQueries } from "../search/queries.ts";
import type { Row } from "../search/rows.ts";
import { percentile } from "../search/statistics.ts";
import { Browser, buildPage, fill, PAGE_DIRECTORY, readData, STORE } from "./browser-store.ts";
import type { Asked } from "./page.ts";

const PORT = 4188;
const CALLERS = 16;

export async function recallRows(options: {
  count: number;
  queries: number;
  rounds: number;
  seconds: number;
  profile?: string | undefined;
}): Promise<Row[]> {
  const executablePath = await findChromium();
  if (executablePath === null) throw new Error("No Chromium was found: run `npm run setup` first.");
  const data = await readData(options.count);
  await buildPage();
  const server = await startServer({ port: PORT, directory: PAGE_DIRECTORY });
  const profile = options.profile ?? mkdtempSync(join(tmpdir(), "bench-search-browser-"));
  mkdirSync(profile, { recursive: true });
  const stamp = join(profile, "filled");
  const browser = new Browser(profile, `${server.url}page.html`, executablePath);
  try {
    if (!existsSync(stamp)) {
      await fill(browser, data, [0, data.texts.length], { compact: true });
      writeFileSync(stamp, "");
    }
    const queries = makeQueries(data.texts, options.queries).map((query) => ({
      ...query,
      topK: 10,
    }));
    const page = await browser.load();
    const { oneCaller, manyCallers, embedMs, signals, status } = await page.evaluate(
      ([name, asked, how]) => window.recalls(name, asked, how),
      [STORE, queries, { ...options, callers: CALLERS }] as const,
    );
    console.log(
      `Chromium: ${signals.join(", ")}; embedding a query ${percentile(embedMs, 0.5).toFixed(1)} ms at p50; ${status.vectors.workersReason}`,
    );
    const common = {
      data: `${data.texts.length} sentences, ${data.realVectors} with their embedding`,
      recall10: null,
      buildMs: 0,
      bytesPerMemory: Math.round(
        (status.vectors.memoryBytes + status.words.memoryBytes) / status.vectors.count,
      ),
    };
    const row = (system: string, milliseconds: number[], queriesPerSecond: number): Row => ({
      system,
      ...common,
      queriesPerSecond,
      p50Ms: percentile(milliseconds, 0.5),
      p99Ms: percentile(milliseconds, 0.99),
    });
    const recalls = oneCaller.map(({ recallMs }) => recallMs);
    const answers = (asked: Asked[]): number[] => asked.map(({ answerMs }) => answerMs);
    return [
      row("ours in Chromium, one caller, the worker's time", recalls, perSecond(recalls)),
      row(
        "ours in Chromium, one caller, until the page has it",
        answers(oneCaller),
        perSecond(answers(oneCaller)),
      ),
      row(
        `ours in Chromium, ${CALLERS} callers, until the page has it`,
        answers(manyCallers.answers),
        manyCallers.answers.length / manyCallers.seconds,
      ),
    ];
  } finally {
    await browser.quit();
    await server.close();
    if (options.profile === undefined)
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function perSecond(milliseconds: readonly number[]): number {
  return (1000 * milliseconds.length) / milliseconds.reduce((sum, value) => sum + value, 0);
}
