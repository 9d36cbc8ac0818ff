/** The edit form of a memory: rows of fields, checked before they become a patch. */

import { META, type MemoryPatch } from "../../../model/memory.ts";
import type { MemoryView } from "../../../model/query.ts";
import { fromLocalInput, toLocalInput } from "./format.ts";

export interface MetadataRow {
  key: string;
  value: string;
}

/** Fields that the system wrote down about the source and that editing would falsify. */
const FIXED: ReadonlySet<string> = new Set([
  META.externalId,
  META.replyTo,
  META.part,
  META.mediaType,
  META.thread,
  META.kind,
  META.language,
]);

const MAX_VALUE_CHARS = 2_000;

export function editableRows(memory: Pick<MemoryView, "metadata">): MetadataRow[] {
  const rows = Object.entries(memory.metadata)
    .filter(([key]) => !FIXED.has(key))
    .map(([key, value]) => ({ key, value }));
  for (const key of [META.speaker, META.title])
    if (!rows.some((row) => row.key === key)) rows.unshift({ key, value: "" });
  return rows;
}

export interface CheckedPatch {
  patch: MemoryPatch;
  /** One sentence per mistake, by row index; -1 is the time. */
  problems: { row: number; text: string }[];
}

/** What changed, as a patch; nothing is changed while there are problems. */
export function checkEdit(
  memory: Pick<MemoryView, "metadata" | "timestamp">,
  rows: readonly MetadataRow[],
  time: string,
): CheckedPatch {
  const problems: CheckedPatch["problems"] = [];
  const seen = new Map<string, string>();
  rows.forEach(({ key, value }, row) => {
    const name = key.trim();
    if (name === "" && value.trim() === "") return;
    if (name === "") problems.push({ row, text: "This value needs a field name." });
    else if (FIXED.has(name))
      problems.push({ row, text: `“${name}” comes from the source and stays as it is.` });
    else if (seen.has(name)) problems.push({ row, text: `“${name}” is there twice.` });
    else if (value.length > MAX_VALUE_CHARS)
      problems.push({ row, text: `Longer than ${MAX_VALUE_CHARS} characters.` });
    else seen.set(name, value.trim());
  });

  const patch: MemoryPatch = {};
  if (time !== toLocalInput(memory.timestamp)) {
    const ms = fromLocalInput(time);
    if (ms === null) problems.push({ row: -1, text: "This is not a date and time." });
    else patch.timestamp = ms;
  }

  const changes: Record<string, string | null> = {};
  for (const key of Object.keys(memory.metadata))
    if (!FIXED.has(key) && (seen.get(key) ?? "") === "") changes[key] = null;
  for (const [key, value] of seen)
    if (value !== "" && memory.metadata[key] !== value) changes[key] = value;
  if (Object.keys(changes).length > 0) patch.metadata = changes;
  return { patch, problems };
}
