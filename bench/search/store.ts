/**
 * The real store over files in memory, filled with given texts, vectors and threads (`META.thread`,
 * in order) and compacted, so that fetching a result reads segments as in daily use.
 */

import { createHash } from "node:crypto";
import { createMemoryId } from "../../src/model/id.ts";
import { META } from "../../src/model/memory.ts";
import { MemoryFileStore } from "../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { newMemory, type SimpleMemory } from "../../test/unit/search/in-memory-store.ts";

/** Rows of one journal frame. */
const GROUP = 512;

export interface BenchMemory extends Omit<SimpleMemory, "vector"> {
  vector: Float32Array | undefined;
}

/** A store in memory with these memories, compacted. */
export async function openBenchStore(
  memories: readonly BenchMemory[],
): Promise<{ store: MemoryStore; ids: string[] }> {
  const store = await ArrowStorage.open(new MemoryFileStore());
  const ids = await fillStore(store, memories);
  await store.compact();
  return { store, ids };
}

/** Appends memories in groups, those of one thread linked in their order; gives their ids. */
export async function fillStore(
  store: MemoryStore,
  memories: readonly BenchMemory[],
  embeddingModel = "test",
): Promise<string[]> {
  const ids = memories.map(() => createMemoryId());
  const previous = new Array<string | null>(memories.length).fill(null);
  const next = new Array<string | null>(memories.length).fill(null);
  const last = new Map<string, number>();
  memories.forEach(({ metadata }, i) => {
    const thread = metadata?.[META.thread];
    if (thread === undefined) return;
    const before = last.get(thread);
    last.set(thread, i);
    if (before === undefined) return;
    previous[i] = ids[before]!;
    next[before] = ids[i]!;
  });
  for (let at = 0; at < memories.length; at += GROUP)
    await store.append(
      memories.slice(at, at + GROUP).map(({ vector, ...memory }, offset) => {
        const i = at + offset;
        const row = newMemory({
          ...memory,
          id: ids[i]!,
          ...(vector === undefined ? {} : { vector }),
          previousId: previous[i]!,
          nextId: next[i]!,
        });
        return {
          ...row,
          ...(vector === undefined ? {} : { embeddingModel }),
          contentSha256: createHash("sha256").update(memory.text).digest("hex"),
          originalBytes: Buffer.byteLength(memory.text),
        };
      }),
    );
  return ids;
}
