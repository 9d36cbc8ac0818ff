/** A store for benchmarks, filled with given texts, vectors and threads (`META.thread`, in order). */

import { createMemoryId } from "../../src/model/id.ts";
import { META } from "../../src/model/memory.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import {
  InMemoryStore,
  newMemory,
  type SimpleMemory,
} from "../../test/unit/search/in-memory-store.ts";

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
    return newMemory({
      ...memory,
      id: ids[i]!,
      ...(vector === undefined ? {} : { vector }),
      previousId: thread !== undefined && threadOf(i - 1) === thread ? ids[i - 1]! : null,
      nextId: thread !== undefined && threadOf(i + 1) === thread ? ids[i + 1]! : null,
    });
  });
  const store = new InMemoryStore();
  await store.append(rows);
  return { store, ids };
}
