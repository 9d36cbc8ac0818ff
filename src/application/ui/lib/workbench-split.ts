/** Documents to the sentences that calibrate and those that measure: never of the same document. */

import type { WorkbenchTexts } from "../../../quantization/workbench.ts";

const MIN_CHARACTERS = 24;
const MAX_CHARACTERS = 600;
/** Every so many documents one measures. */
const HELD_OUT_EVERY = 4;
export const MAX_HELD_OUT = 120;

/** Sentences by document; every fourth document is held out, and both are spread over all documents. */
export function splitTexts(documents: readonly string[], count: number): WorkbenchTexts {
  const part = (heldOut: boolean): string[][] =>
    documents
      .filter((_, i) => (i % HELD_OUT_EVERY === HELD_OUT_EVERY - 1) === heldOut)
      .map(sentences);
  return { calibration: spread(part(false), count), heldOut: spread(part(true), MAX_HELD_OUT) };
}

/** The first sentence of each, then the second of each, … */
function spread(documents: readonly string[][], count: number): string[] {
  const taken = new Set<string>();
  const longest = documents.reduce((most, { length }) => Math.max(most, length), 0);
  for (let at = 0; at < longest; at++)
    for (const document of documents) {
      if (taken.size === count) return [...taken];
      const sentence = document[at];
      if (sentence !== undefined) taken.add(sentence);
    }
  return [...taken];
}

function sentences(text: string): string[] {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(
    text.replace(/\s+/g, " "),
  );
  return Array.from(segments, ({ segment }) => segment.trim().slice(0, MAX_CHARACTERS)).filter(
    ({ length }) => length >= MIN_CHARACTERS,
  );
}

/** Paragraphs, or lines where there are none; a single one is cut into runs of sentences. */
export function ownDocuments(text: string): string[] {
  for (const separator of [/\n\s*\n/, /\n/]) {
    const parts = text.split(separator).filter((part) => part.trim() !== "");
    if (parts.length >= 2 * HELD_OUT_EVERY) return parts;
  }
  return sentences(text);
}
