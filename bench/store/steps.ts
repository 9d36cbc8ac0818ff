/**
 * One step of the benchmark in a process of its own, so that its memory is its own: fills a store, or
 * opens one, asks it, and prints a line of JSON. Started by `index.ts`.
 */

import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { SearchService } from "../../src/search/search-service.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import { composedMemories, seededRandom, sentenceMemories } from "./texts.ts";

/** Rows of one journal frame. */
const GROUP = 2_048;
const QUERIES = [
  "the white whale and the ship",
  "peace with foreign nations",
  "mailing list software release",
  "taxes on imported goods",
  "captain on the quarter-deck at night",
  "the treasury and the public debt",
  "unsubscribe from this newsletter",
  "linux kernel patch",
];

export interface StepReport {
  step: string;
  ms: number;
  cpuMs: number;
  /** Resident now, and the most so far in this process. */
  rssMb: number;
  peakRssMb: number;
  [more: string]: number | string;
}

const reports: StepReport[] = [];

async function measured<T>(
  step: string,
  work: () => Promise<T>,
  more: (result: T) => Record<string, number | string> = () => ({}),
): Promise<T> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const result = await work();
  const ms = performance.now() - from;
  const used = process.cpuUsage(cpu);
  reports.push({
    step,
    ms: Math.round(ms),
    cpuMs: Math.round((used.user + used.system) / 1000),
    rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1e3),
    ...more(result),
  });
  return result;
}

const [step, directory, first, second] = process.argv.slice(2) as [string, string, string, string];
const open = async (options = {}) => ArrowStorage.open(await FsFileStore.open(directory), options);

if (step === "fill-journal" || step === "fill-segments") {
  const memories = await sentenceMemories(Number(first));
  const store = await open({ compactAtRows: 0, compactAtBytes: 0 });
  await measured(
    "append in groups, storage alone",
    async () => {
      for (let at = 0; at < memories.length; at += GROUP)
        await store.append(memories.slice(at, at + GROUP));
    },
    () => ({ memories: memories.length }),
  );
  if (step === "fill-segments") {
    await measured("fold the journal into segments", () => store.sqlSources());
    const search = await SearchService.open(store, { snapshots: "always" });
    await measured("save snapshots", () => search.saveSnapshots());
    await search.close();
  }
  await store.close();
} else if (step === "fill-big") {
  // Little effort per byte: what is measured is memory, not ratio.
  const store = await open({ backgroundLevel: 1 });
  const appended = await measured(
    "fill, folding meanwhile",
    async () => {
      let bytes = 0;
      let memories = 0;
      for await (const group of composedMemories(Number(first), Number(second))) {
        await store.append(group);
        memories += group.length;
        for (const { originalBytes } of group) bytes += originalBytes;
      }
      return { memories, bytes };
    },
    ({ memories, bytes }) => ({ memories, textMb: Math.round(bytes / 1e6) }),
  );
  await measured("fold what is left", () => store.sqlSources());
  const sizes = await store.sizes();
  const before = sizes.segmentBytes;
  const [extra] = await sentenceMemories(1);
  const known = new Set(store.segments().map(({ number }) => number));
  await store.append([extra!]);
  await measured(
    "fold one more memory",
    () => store.sqlSources(),
    () => ({
      rewrittenSegments: store.segments().filter(({ number }) => !known.has(number)).length,
    }),
  );
  reports.at(-1)!.segmentMb = Math.round(before / 1e6);
  reports.at(-1)!.memories = appended.memories;
  await store.close();
} else {
  const store = await measured(
    "open the store",
    () => open(),
    ({ catalog }) => ({ memories: catalog.size }),
  );
  const random = seededRandom(3);
  await measured("read 200 memories", async () => {
    for (let i = 0; i < 200; i++) {
      const entry = store.catalog.byOrdinal(Math.floor(random() * store.catalog.ordinalLimit));
      if (entry) await store.get(entry.id);
    }
  });
  if (step === "open") {
    const search = await measured("open the search", () => SearchService.open(store));
    await measured("first query", () => search.recall({ query: QUERIES[0]! }));
    await measured("200 queries", async () => {
      for (let i = 0; i < 200; i++)
        await search.recall({ query: `${QUERIES[i % QUERIES.length]!} ${i}` });
    });
    await search.close();
  }
  await store.close();
}
console.log(`\n@@${JSON.stringify(reports)}`);
process.exit();
