/**
 * Text that calibrates and measures: sentences of the built-in sample, of the owner's memories, or of
 * a text given. What measures comes from other documents than what calibrates.
 */

import { sample } from "virtual:sample";
import { AppError } from "../../../errors.ts";
import type { Engine } from "../../../engine.ts";
import type { WorkbenchTexts } from "../../../quantization/workbench.ts";

export type TextChoice =
  | { kind: "sample" }
  | { kind: "memories"; engine: () => Promise<Engine> }
  | { kind: "own"; text: string };

const MIN_CHARACTERS = 24;
const MAX_CHARACTERS = 600;
/** Fewer say nothing about a layer. */
const MIN_CALIBRATION = 10;
/** Every so many documents one measures. */
const HELD_OUT_EVERY = 4;
export const MAX_HELD_OUT = 120;
const MAX_MEMORIES = 400;

/** @param count calibration sentences wanted, @throws `invalid_input` for too little text */
export async function workbenchTexts(choice: TextChoice, count: number): Promise<WorkbenchTexts> {
  const documents =
    choice.kind === "sample"
      ? await sampleDocuments()
      : choice.kind === "memories"
        ? await memoryDocuments(await choice.engine())
        : ownDocuments(choice.text);
  const texts = splitTexts(documents, count);
  if (texts.calibration.length < MIN_CALIBRATION)
    throw new AppError(
      "invalid_input",
      `There are ${texts.calibration.length} usable sentences; at least ${MIN_CALIBRATION} are needed.`,
      { hint: "Give a longer text, or take the built-in sample." },
    );
  return texts;
}

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

async function sampleDocuments(): Promise<string[]> {
  const response = await fetch(sample.path).catch((cause: unknown) => {
    throw new AppError("network", "The built-in sample could not be read.", {
      hint: "Go online, or take text of your own.",
      retryable: true,
      cause,
    });
  });
  if (!response.ok)
    throw new AppError("not_found", "The built-in sample is not there.", {
      hint: "Take text of your own.",
    });
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { text: string }).text);
}

async function memoryDocuments(engine: Engine): Promise<string[]> {
  const { items } = await engine.browse({ limit: MAX_MEMORIES });
  const documents: string[] = [];
  for (const { id } of items) documents.push((await engine.read(id)).text);
  return documents;
}
