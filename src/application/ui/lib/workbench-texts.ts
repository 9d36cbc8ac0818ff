/**
 * Text that calibrates and measures: sentences of the built-in sample, of the owner's memories, or of
 * a text given. What measures comes from other documents than what calibrates.
 */

import { sample } from "virtual:sample";
import { AppError } from "../../../errors.ts";
import type { Engine } from "../../../engine.ts";
import type { WorkbenchTexts } from "../../../quantization/workbench.ts";
import { ownDocuments, splitTexts } from "./workbench-split.ts";

export type TextChoice =
  | { kind: "sample" }
  | { kind: "memories"; engine: () => Promise<Engine> }
  | { kind: "own"; text: string };

/** Fewer say nothing about a layer. */
const MIN_CALIBRATION = 10;
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
