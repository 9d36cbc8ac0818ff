/**
 * Writing results and notes. Data goes to stdout, everything for a person's eye goes to stderr;
 * colour only on a terminal that wants it (https://no-color.org).
 */

import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { CliHost } from "./host.ts";

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** Writes and waits until the stream took it, so that a slow reader slows us instead of filling memory. */
export function writeTo(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** Whether `stream` may be coloured: a terminal, NO_COLOR unset or empty, TERM not "dumb", no `--no-color`. */
export function wantsColor(
  host: Pick<CliHost, "env">,
  stream: { isTTY?: boolean },
  colorOption: boolean | undefined,
): boolean {
  if (colorOption === false || host.env["NO_COLOR"] || host.env["TERM"] === "dumb") return false;
  return stream.isTTY === true;
}

export function createPaint(enabled: boolean): Paint {
  return enabled
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}

/** One line of JSON. Byte arrays become base64, undefined fields disappear. */
export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value, jsonValue)}\n`;
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return value.toString();
  return value;
}

/** Text with control characters made visible, so that stored text can't steer the terminal. */
export function printable(text: string): string {
  return text
    .replace(/\s+/gu, " ")
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
