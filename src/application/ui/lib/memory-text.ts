/** How a memory is named and dated in lists: its title, else its first words. */

import { META } from "../../../model/memory.ts";
import type { MemoryView } from "../../../model/query.ts";

const TITLE_CHARS = 90;

export function memoryTitle(memory: Pick<MemoryView, "metadata" | "summary">): string {
  const title = memory.metadata[META.title]?.trim();
  if (title) return title;
  const words = memory.summary.replace(/\s+/g, " ").trim();
  if (words === "") return "Untitled";
  return words.length <= TITLE_CHARS ? words : `${words.slice(0, TITLE_CHARS).trimEnd()}…`;
}

/** "Ada · notes.md · 3/17": who, where, which part. */
export function memoryOrigin(memory: Pick<MemoryView, "metadata">): string {
  const { metadata } = memory;
  const source = metadata[META.source];
  const parts = [metadata[META.speaker], source?.split("/").at(-1), metadata[META.part]];
  return parts.filter((part) => part !== undefined && part !== "").join(" · ");
}

/** Splits a text at [start, end) offsets into plain and marked runs; offsets out of order or range are skipped. */
export function markRuns(
  text: string,
  highlights: readonly (readonly [start: number, end: number])[],
): { text: string; marked: boolean }[] {
  const runs: { text: string; marked: boolean }[] = [];
  let at = 0;
  for (const [start, end] of highlights) {
    if (start < at || end > text.length || end <= start) continue;
    if (start > at) runs.push({ text: text.slice(at, start), marked: false });
    runs.push({ text: text.slice(start, end), marked: true });
    at = end;
  }
  if (at < text.length) runs.push({ text: text.slice(at), marked: false });
  return runs;
}
