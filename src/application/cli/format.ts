/** Numbers, times and tables for a person's eye. Machines read `--json` instead. */

import { shownAt } from "../../model/wall-clock.ts";
import { printable } from "./output.ts";

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** Decimal units: 1 KB = 1,000 B. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** How many times smaller: "3.42x"; "–" where it says nothing (nothing stored yet). */
export function formatRatio(ratio: number): string {
  return Number.isFinite(ratio) && ratio > 0 ? `${ratio.toFixed(2)}x` : "–";
}

/** "3.42x smaller", or "1.50x larger" where headers and indexes outweigh a small original. */
export function formatSaving(ratio: number): string {
  if (!Number.isFinite(ratio) || ratio <= 0) return "–";
  return ratio >= 1 ? `${ratio.toFixed(2)}x smaller` : `${(1 / ratio).toFixed(2)}x larger`;
}

export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** "1 memory", "12 memories". */
export function formatPlural(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** As clocks of this machine show it. */
export function formatTime(ms: number): string {
  const date = new Date(shownAt(ms));
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().slice(0, 16).replace("T", " ");
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function formatScore(value: number | null): string {
  return value === null ? "not measured" : value.toFixed(2);
}

/** Cut to `width` characters (code points), with an ellipsis where something was cut. */
export function truncate(text: string, width: number): string {
  const points = Array.from(text);
  return points.length <= width ? text : `${points.slice(0, Math.max(0, width - 1)).join("")}…`;
}

export interface TableColumn {
  title: string;
  align?: "left" | "right";
  maxWidth?: number;
}

/** A plain table, columns parted by two blanks; no trailing blanks. */
export function formatTable(columns: readonly TableColumn[], rows: readonly string[][]): string {
  const cell = (text: string, column: TableColumn): string =>
    truncate(printable(text), column.maxWidth ?? Infinity);
  const cells = [columns.map((column) => column.title), ...rows].map((row) =>
    columns.map((column, index) => cell(row[index] ?? "", column)),
  );
  const widths = columns.map((_column, index) =>
    Math.max(...cells.map((row) => Array.from(row[index]!).length)),
  );
  return cells
    .map((row) =>
      row
        .map((text, index) => {
          const blanks = " ".repeat(widths[index]! - Array.from(text).length);
          return columns[index]!.align === "right" ? blanks + text : text + blanks;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
