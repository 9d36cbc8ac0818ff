/** Storing what one call brings, group after group: a group is prepared while the one before is written. */

import type { Receipt, RememberOptions } from "../engine.ts";
import type { MemoryInput } from "../model/memory.ts";
import { checkpoint } from "../model/task-control.ts";
import { rememberGroups } from "./given-vectors.ts";
import type { IngestRun } from "./ingest.ts";

/** One receipt an item, in their order. What was acknowledged stays when it is cancelled. */
export async function rememberAll(
  run: IngestRun,
  items: MemoryInput[],
  options: RememberOptions,
): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  let storing: Promise<Receipt[]> | null = null;
  const stored = async (): Promise<void> => {
    if (storing === null) return;
    receipts.push(...(await storing));
    storing = null;
    options.onProgress?.({ stage: "Remembering", done: receipts.length, total: items.length });
  };
  try {
    for (const group of rememberGroups(items, options)) {
      await checkpoint(options);
      // Beside the group before, which is waiting for the disk.
      const commit = await run.prepare(group);
      await stored();
      storing = commit();
      storing.catch(() => undefined);
    }
    await stored();
  } finally {
    // Also when cancelled: what is being stored is finished or refused, never abandoned.
    await storing?.catch(() => undefined);
  }
  return receipts;
}
