/** What an import recognised and what came of it, counted and in words. Pure. */

import type {
  ImportFile,
  ImportReport,
  Receipt,
  RecognizedFile,
  WireError,
} from "../../../engine.ts";
import { formatBytes, formatDuration, formatPlural } from "./format.ts";

export interface FormatCount {
  format: string;
  files: number;
  items: number;
  bytes: number;
}

/** The counts so far with more files added; files that could not be read are left out. */
export function countFormats(
  counts: readonly FormatCount[],
  files: readonly RecognizedFile[],
): FormatCount[] {
  const byFormat = new Map(counts.map((count) => [count.format, { ...count }]));
  for (const file of files) {
    if (file.error) continue;
    const count = byFormat.get(file.format) ?? {
      format: file.format,
      files: 0,
      items: 0,
      bytes: 0,
    };
    count.files += 1;
    count.items += file.items;
    count.bytes += file.sizeBytes;
    byFormat.set(file.format, count);
  }
  return [...byFormat.values()].sort((a, b) => b.items - a.items);
}

export interface FailureGroup {
  error: WireError;
  /** Different sources that failed so, in order. */
  sources: string[];
  count: number;
}

/** Failures of one cause together: a full disk is one thing to read about, not a thousand. */
export function groupFailures(failures: ImportReport["failures"]): FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const { source, error } of failures) {
    const key = `${error.code} ${error.message}`;
    const group = groups.get(key) ?? { error, sources: [], count: 0 };
    group.count += 1;
    if (!group.sources.includes(source)) group.sources.push(source);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Why memories are kept exactly although a summary was asked for, counted as they come. */
export class KeepReasons {
  readonly #counts = new Map<string, number>();

  add(receipt: Receipt): void {
    const reason = receipt.status === "stored" ? receipt.keepReason : undefined;
    if (reason) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** The most frequent first. */
  list(limit: number): { reason: string; count: number }[] {
    return [...this.#counts]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count)
      .slice(0, limit);
  }
}

export function describeReport(report: ImportReport): string {
  const parts = [`${formatPlural(report.storedCount, "memory", "memories")} stored`];
  if (report.duplicateCount > 0)
    parts.push(`${formatPlural(report.duplicateCount, "duplicate")} skipped`);
  if (report.failedCount > 0) parts.push(`${formatPlural(report.failedCount, "item")} failed`);
  const sizes = `${formatBytes(report.originalBytes)} → ${formatBytes(report.storedBytes)}`;
  return `${parts.join(", ")} · ${sizes} in ${formatDuration(report.elapsedMs)}`;
}

/** Whether one of the failed sources is this file or something inside it. */
export function belongsTo(file: ImportFile, failedSources: readonly string[]): boolean {
  return failedSources.some((source) => source === file.path || source.startsWith(`${file.path}`));
}
