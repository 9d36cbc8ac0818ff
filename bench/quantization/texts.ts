/** Real text of three kinds; what is held out comes from other documents than what calibrates. */

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const folder = (name: string): string =>
  join(dirname(require.resolve(`@stdlib/${name}/package.json`)), "data");
const MIN_WORDS = 8;
const MAX_WORDS = 70;

/** Sentences and short passages, `calibration` of them from one half of the documents, `heldOut` from the other. */
export function calibrationTexts(
  calibration: number,
  heldOut: number,
): { calibration: string[]; heldOut: string[] } {
  const addresses = readdirSync(folder("datasets-sotu"))
    .filter((name) => /^\d{4}_.*\.txt$/.test(name))
    .sort();
  const address = (name: string): string =>
    readFileSync(join(folder("datasets-sotu"), name), "utf8");
  const novel = moby();
  const mails = mailBodies();
  const kinds = [
    [addresses.filter((name) => name < "1960").map(address), addresses.filter((name) => name > "1960").map(address)],
    [novel.slice(0, novel.length >> 1), novel.slice(novel.length >> 1)],
    [mails.filter((_, i) => i % 2 === 0), mails.filter((_, i) => i % 2 === 1)],
  ] as const; // prettier-ignore
  const take = (half: 0 | 1, count: number): string[] =>
    kinds
      .flatMap((kind) => spread(kind[half].flatMap(passages), Math.ceil(count / kinds.length)))
      .slice(0, count);
  return { calibration: take(0, calibration), heldOut: take(1, heldOut) };
}

/** Evenly over all of them. */
function spread<T>(all: readonly T[], count: number): T[] {
  const step = all.length / Math.min(count, all.length);
  return Array.from({ length: Math.min(count, all.length) }, (_, i) => all[Math.floor(i * step)]!);
}

function passages(text: string): string[] {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(
    text.replace(/\s+/g, " "),
  );
  return Array.from(segments, ({ segment }) => segment.trim()).filter((sentence) => {
    const words = sentence.split(" ").length;
    return words >= MIN_WORDS && words <= MAX_WORDS;
  });
}

function moby(): string[] {
  const data = folder("datasets-moby-dick");
  return readdirSync(data)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => readFileSync(join(data, name), "utf8"));
}

function mailBodies(): string[] {
  const data = join(folder("datasets-spam-assassin"), "easy-ham-1");
  return readdirSync(data)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .slice(0, 800)
    .map((name) => readFileSync(join(data, name), "latin1"))
    .map((mail) => mail.slice(mail.indexOf("\n\n") + 2).replace(/^[>|].*$/gm, ""));
}
