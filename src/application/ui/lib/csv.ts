/** Query results as CSV (RFC 4180), for spreadsheets. */

import type { SqlTable } from "../../../ports/sql.ts";

/** One value as a person reads it in a table. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function field(text: string): string {
  // A leading =, +, - or @ would run as a formula in spreadsheets; numbers stay numbers.
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toCsv(table: SqlTable): string {
  const lines = [table.columns.map((column) => field(column.name)).join(",")];
  for (const row of table.rows)
    lines.push(table.columns.map((column) => field(cellText(row[column.name]))).join(","));
  return `${lines.join("\r\n")}\r\n`;
}
