/** How fast the embedding model is on this device: sentences like those of notes and chats, for about a second. */

import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import type { Embedder } from "../ports/embedder.ts";

const SENTENCES = [
  "The ferry leaves from the south pier until the repairs are done, and tickets are sold on board.",
  "Could you send me the minutes of Tuesday's meeting before noon?",
  "Marta moved to Lisbon in the autumn because the new office opened there.",
  "We agreed to keep the old contract for another year, at the same price.",
  "My grandmother's recipe takes three lemons, a pound of flour and a good deal of patience.",
  "The server went down at half past two; a full disk had stopped the database from writing its log.",
  "He asked whether the children could stay over the weekend, since both of them had to work.",
  "After the storm two boats were missing from the harbour, and the north light was out.",
];
const BATCH_REPEATS = 2;
const MIN_MS = 1_200;
const MAX_BATCHES = 200;

/** Sentences per second; the first batch warms up and doesn't count. */
export async function measureEmbedder(embedder: Embedder, options: TaskOptions): Promise<number> {
  let serial = 0;
  // No text twice: what was embedded before is answered by the cache.
  const batch = (): string[] =>
    Array.from(
      { length: SENTENCES.length * BATCH_REPEATS },
      (_, i) => `${SENTENCES[i % SENTENCES.length]!} (${Date.now() % 100_000}-${serial++})`,
    );
  const signal = options.signal ? { signal: options.signal } : {};
  await embedder.embed(batch(), signal);
  let [done, batches] = [0, 0];
  const started = performance.now();
  for (;;) {
    await checkpoint(options);
    const texts = batch();
    await embedder.embed(texts, signal);
    done += texts.length;
    const elapsedMs = performance.now() - started;
    options.onProgress?.({
      stage: "Measuring",
      done: Math.min(MIN_MS, Math.round(elapsedMs)),
      total: MIN_MS,
    });
    if (elapsedMs >= MIN_MS || ++batches === MAX_BATCHES) return done / (elapsedMs / 1000);
  }
}
