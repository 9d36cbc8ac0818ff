/**
 * Importing one of our own exports: memories come back as they were, with their ids, times, keep
 * levels, summaries and vectors. What is there already (the same id) is counted as a duplicate.
 */

import type { ImportFile, Receipt } from "../engine.ts";
import { toWireError, type AppError } from "../errors.ts";
import { META } from "../model/memory.ts";
import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import { readExport } from "../storage/interchange/import.ts";
import type { PortableMemory } from "../storage/interchange/portable-memory.ts";
import type { NewMemory } from "../storage/memory-store.ts";
import type { IngestDeps } from "./ingest.ts";

export interface RestoreSink {
  onReceipts(receipts: Receipt[]): void;
  onRowError(locator: string, error: AppError): void;
}

/** Rows per journal frame. */
const GROUP_ITEMS = 256;

/** Returns the number of memories that the file holds. Damaged rows are reported, the others go on. */
export async function restoreExport(
  deps: IngestDeps,
  file: ImportFile,
  options: TaskOptions,
  sink: RestoreSink,
): Promise<number> {
  let count = 0;
  const memories = readExport(file, {
    nowMs: deps.clock.now(),
    onRowError: (error, row) => sink.onRowError(`${file.path}#${row}`, error),
  });
  for await (const batch of memories)
    for (let start = 0; start < batch.length; start += GROUP_ITEMS) {
      await checkpoint(options);
      const group = batch.slice(start, start + GROUP_ITEMS);
      sink.onReceipts(await storeGroup(deps, group, count));
      count += group.length;
    }
  return count;
}

async function storeGroup(
  deps: IngestDeps,
  group: readonly PortableMemory[],
  firstIndex: number,
): Promise<Receipt[]> {
  const { catalog } = deps.store;
  const seen = new Set<string>();
  const fresh = group.filter((memory) => {
    const isNew = catalog.byId(memory.id) === undefined && !seen.has(memory.id);
    seen.add(memory.id);
    return isNew;
  });
  let failure: unknown = null;
  try {
    if (fresh.length > 0) await deps.exclusively(() => deps.store.append(fresh.map(toNewMemory)));
  } catch (error) {
    failure = error;
  }
  const isFresh = new Set(fresh);
  return group.map((memory, position): Receipt => {
    const entry = catalog.byId(memory.id);
    const base = {
      index: firstIndex + position,
      source: memory.metadata[META.source] ?? memory.id,
      originalBytes: memory.originalBytes,
    };
    if (!entry)
      return { ...base, status: "failed", id: null, storedBytes: 0, error: toWireError(failure) };
    return {
      ...base,
      status: isFresh.has(memory) ? "stored" : "duplicate",
      id: memory.id,
      keep: entry.keep,
      storedBytes: entry.storedBytes,
      quality: entry.quality,
    };
  });
}

function toNewMemory(memory: PortableMemory): NewMemory {
  const { storedBytes: _computedByTheStore, ...rest } = memory;
  return rest;
}
