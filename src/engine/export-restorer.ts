/**
 * Importing one of our own exports: memories come back as they were, with their ids, times, keep
 * levels, summaries and vectors. What is there already (the same id) is counted as a duplicate.
 */

import type { ImportFile, Receipt } from "../engine.ts";
import { AppError, isClosed, toWireError } from "../errors.ts";
import { META } from "../model/memory.ts";
import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import { readExport } from "../storage/interchange/import.ts";
import type { PortableMemory } from "../storage/interchange/portable-memory.ts";
import type { MemoryStore, NewMemory } from "../storage/memory-store.ts";
import type { IngestDeps } from "./ingest.ts";

export interface RestoreSink {
  onReceipts(receipts: Receipt[]): void;
  onRowError(locator: string, error: AppError): void;
}

/** Rows per journal frame, and what their texts and originals take in it. */
const GROUP_ITEMS = 256;
const GROUP_BYTES = 16 * 1024 * 1024;

/**
 * Returns the number of memories that the file holds. Damaged rows are reported, the others go on;
 * `storage_full` ends it: what was acknowledged before stays.
 */
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
    for (const group of groupsOf(batch)) {
      await checkpoint(options);
      const { receipts, full } = await storeGroup(deps, group, count);
      sink.onReceipts(receipts);
      if (full) throw full;
      count += group.length;
    }
  return count;
}

function* groupsOf(memories: readonly PortableMemory[]): Generator<PortableMemory[]> {
  let group: PortableMemory[] = [];
  let bytes = 0;
  for (const memory of memories) {
    const { content, summary, envelope } = memory;
    const size = (content?.length ?? 0) + summary.length + (envelope?.length ?? 0);
    if (group.length >= GROUP_ITEMS || (group.length > 0 && bytes + size > GROUP_BYTES)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(memory);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

async function storeGroup(
  deps: IngestDeps,
  group: readonly PortableMemory[],
  firstIndex: number,
): Promise<{ receipts: Receipt[]; full: AppError | undefined }> {
  const { store } = deps;
  const { stored, failures } = await deps.exclusively(() => storeNew(store, group));
  const full = [...failures.values()].find(
    (error): error is AppError => error instanceof AppError && error.code === "storage_full",
  );
  const receipts = group.map((memory, position): Receipt => {
    const entry = store.catalog.byId(memory.id);
    const base = {
      index: firstIndex + position,
      source: memory.metadata[META.source] ?? memory.id,
      originalBytes: memory.originalBytes,
    };
    if (!entry) {
      const error = toWireError(failures.get(memory.id));
      return { ...base, status: "failed", id: null, storedBytes: 0, error };
    }
    return {
      ...base,
      status: stored.has(memory) ? "stored" : "duplicate",
      id: memory.id,
      keep: entry.keep,
      storedBytes: entry.storedBytes,
      quality: entry.quality,
    };
  });
  return { receipts, full };
}

/**
 * Stores what isn't there: forgotten memories are restored, the others are one frame. Where the
 * store refuses one of them, each goes by itself, so that the others are kept.
 */
async function storeNew(
  store: MemoryStore,
  group: readonly PortableMemory[],
): Promise<{ stored: Set<PortableMemory>; failures: Map<string, unknown> }> {
  const isMissing = ({ id }: PortableMemory): boolean => store.catalog.byId(id) === undefined;
  const missing = new Map(
    group
      .filter(isMissing)
      .map((memory) => [memory.id, memory] as const)
      .reverse(),
  );
  const failures = new Map<string, unknown>();
  const stored = new Set(missing.values());
  await store.restore([...missing.keys()]);
  const fresh = group.filter((memory) => stored.has(memory) && isMissing(memory));
  const append = async (memories: readonly PortableMemory[]): Promise<void> => {
    try {
      if (memories.length > 0) await store.append(memories.map(toNewMemory));
    } catch (error) {
      if (isClosed(error)) throw error;
      const refused = error instanceof AppError && REFUSED.has(error.code);
      if (refused && memories.length > 1) for (const memory of memories) await append([memory]);
      else for (const { id } of memories) failures.set(id, error);
    }
  };
  await append(fresh);
  return { stored, failures };
}

/** What one memory may be refused for, with all others of its frame. */
const REFUSED: ReadonlySet<string> = new Set(["invalid_input", "too_large"]);

/** Vectors of an unnamed model can't be compared with any: they are left out and made again. */
function toNewMemory(memory: PortableMemory): NewMemory {
  const { storedBytes: _computedByTheStore, ...rest } = memory;
  return rest.embeddingModel === null ? { ...rest, embedding: null } : rest;
}
