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

export async function openBenchStore(
  memories: readonly BenchMemory[],
): Promise<{ store: MemoryStore; ids: string[] }> {
  const ids = memories.map(() => createMemoryId());
  const threadOf = (i: number): string | undefined => memories[i]?.metadata?.[META.thread];
  const rows = memories.map(({ vector, ...memory }, i) => {
    const thread = threadOf(i);
    const row = newMemory({
      ...memory,
      id: ids[i]!,
      ...(vector === undefined ? {} : { vector }),
      previousId: thread !== undefined && threadOf(i - 1) === thread ? ids[i - 1]! : null,
      nextId: thread !== undefined && threadOf(i + 1) === thread ? ids[i + 1]! : null,
    });
    const contentSha256 = createHash("sha256").update(memory.text).digest("hex");
    return { ...row, contentSha256, originalBytes: Buffer.byteLength(memory.text) };
  });
  const store = await ArrowStorage.open(new MemoryFileStore());
  for (let at = 0; at < rows.length; at += GROUP) await store.append(rows.slice(at, at + GROUP));
  await store.compact();
  return { store, ids };
}
