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
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { makeQueries } from "../search/queries.ts";
import { percentile } from "../search/statistics.ts";
import {
  Browser,
  buildPage,
  fill,
  PAGE_DIRECTORY,
  readData,
  STORE,
} from "../browser/browser-store.ts";
import type { Start } from "../browser/page.ts";

interface Case {
  name: string;
  starts: Start[];
  /** Of all of the browser's processes, by start; null where it can't be told. */
  cpuMs: (number | null)[];
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
