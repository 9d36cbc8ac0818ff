/** A store whose texts are coded, in OPFS and in the kind of worker that it lives in. */

import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import type { NewMemory } from "../../src/storage/memory-store.ts";
import { sha256Hex } from "../../src/storage/bytes.ts";
import { createMemoryId } from "../../src/model/id.ts";
import { OpfsFileStore } from "../../src/platform/browser/opfs-file-store.ts";
import { createReport, type Report } from "./report.ts";

async function memoryOf(text: string, index: number): Promise<NewMemory> {
  return {
    id: createMemoryId(),
    content: text,
    envelope: null,
    summary: text.slice(0, 60).toWellFormed(),
    entities: [],
    embedding: null,
    embeddingModel: null,
    timestamp: index,
    recordedAt: index,
    activation: 0.5,
    metadata: {},
    userId: "me",
    keep: "exact",
    mode: "fast",
    model: "extractive",
    quality: {
      similarity: null,
      coverage: null,
      entityRecall: 1,
      numberRecall: 1,
      faithfulness: 1,
    },
    episodeId: null,
    previousId: null,
    nextId: null,
    supersedes: null,
    supersededBy: null,
    validFrom: null,
    validTo: null,
    contentSha256: await sha256Hex(text),
    originalBytes: new TextEncoder().encode(text).length,
  };
}

/** Counts how often others get their turn until it is stopped. */
function countTurns(): { stop(): { turns: number; longestMs: number } } {
  let [turns, longestMs, last] = [0, 0, performance.now()];
  const timer = setInterval(() => {
    turns++;
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 0);
  return {
    stop() {
      clearInterval(timer);
      return { turns, longestMs };
    },
  };
}

/** @param argument JSON: texts to store, some hundred KB of them */
export async function runCodedTextCases(argument: string): Promise<Report> {
  const texts = JSON.parse(argument) as string[];
  const { report, check, equal, holds } = createReport();
  const name = `coded-${crypto.randomUUID()}`;
  const memories = await Promise.all(texts.map(memoryOf));
  const textBytes = memories.reduce((sum, memory) => sum + memory.originalBytes, 0);
  const open = async () => ArrowStorage.open(await OpfsFileStore.open(name));

  await check("compacts to coded blocks, and others get their turn meanwhile", async () => {
    const store = await open();
    await store.append(memories);
    const start = performance.now();
    const counter = countTurns();
    await store.compact();
    const { turns, longestMs } = counter.stop();
    console.info(
      `compact: ${textBytes} bytes in ${Math.round(performance.now() - start)} ms, ${turns} turns, longest without one ${Math.round(longestMs)} ms`,
    );
    // One block is at most 4 KB, and there is a turn after each.
    holds(turns > textBytes / 8192, `${turns} turns`);
    await store.close();
    const files = await OpfsFileStore.open(name);
    const list = await files.list();
    await files.close();
    holds(
      list.some(({ path }) => /^prime-\d+$/.test(path)),
      "there is a prime",
    );
    const stored = list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    holds(stored < textBytes / 2.5, `${stored} bytes for ${textBytes}`);
  });

  await check("gives every text back after it was opened again", async () => {
    const store = await open();
    const start = performance.now();
    equal((await store.get(memories[7]!.id)).content, texts[7]);
    const firstMs = performance.now() - start;
    const readMs: number[] = [];
    for (const [i, { id }] of memories.entries()) {
      const begin = performance.now();
      equal((await store.get(id)).content, texts[i]);
      readMs.push(performance.now() - begin);
    }
    readMs.sort((a, b) => a - b);
    console.info(
      `first read ${Math.round(firstMs)} ms, all: p50 ${readMs[readMs.length >> 1]!.toFixed(1)} p99 ${readMs[Math.floor(readMs.length * 0.99)]!.toFixed(1)} ms`,
    );
    await store.close();
  });

  await check("erases a text, and its bytes with it", async () => {
    const store = await open();
    await store.forget([memories[3]!.id], { erase: true });
    equal((await store.get(memories[4]!.id)).content, texts[4]);
    equal(store.catalog.byId(memories[3]!.id), undefined);
    await store.close();
  });
  return report;
}
