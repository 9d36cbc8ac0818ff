/**
 * Dates, times, durations, amounts, percentages and numbers, found by wink-nlp.
 *
 * Middle step of entity extraction. wink works on token sequences, so the text is given to it in
 * windows of whole sentences and its tokens are mapped back to offsets.
 */

import model from "wink-eng-lite-web-model";
import winkNLP, { type WinkMethods } from "wink-nlp";
import type { EntityType } from "../../model/memory.ts";
import type { LocatedEntity } from "./entity-patterns.ts";

const TYPES: Readonly<Record<string, readonly [type: EntityType, confidence: number]>> = {
  DATE: ["date", 0.92],
  TIME: ["time", 0.9],
  DURATION: ["time", 0.85],
  MONEY: ["amount", 0.95],
  PERCENT: ["amount", 0.95],
  CARDINAL: ["number", 0.85],
  ORDINAL: ["number", 0.75],
};

/** wink's memory per document grows with its tokens; windows keep it small and reusable. */
const WINDOW_CHARS = 4000;

/** Number words that say nothing by themselves. */
const WEAK_NUMBER = /^(?:one|zero|first|second|third|last|\d)$/i;

/** A unit without a count: "years", "a day". */
const BARE_UNIT =
  /^(?:an? |the )?(?:second|minute|hour|day|night|week|month|year|decade|centur(?:y|ie))s?$/i;

let pipeline: WinkMethods | undefined;

/** Windows of whole sentences. */
function* windows(
  sentences: readonly { start: number; end: number }[],
): Generator<{ start: number; end: number }> {
  let start = -1;
  let end = -1;
  for (const sentence of sentences) {
    if (start >= 0 && sentence.end - start > WINDOW_CHARS) {
      yield { start, end };
      start = -1;
    }
    if (start < 0) start = sentence.start;
    end = sentence.end;
  }
  if (start >= 0) yield { start, end };
}

/** Quantities in the given sentences of `text`, in order, never overlapping. */
export function findQuantities(
  text: string,
  sentences: readonly { start: number; end: number }[],
): LocatedEntity[] {
  pipeline ??= winkNLP(model, ["ner"]);
  const { its } = pipeline;
  const found: LocatedEntity[] = [];
  for (const { start, end } of windows(sentences)) {
    const window = text.slice(start, end);
    // Without a digit, a month, a weekday or a number word there is nothing to find.
    if (
      !/\d|\b(?:day|week|month|year|hour|minute|noon|midnight|today|tomorrow|yesterday|morning|evening|hundred|thousand|million|billion|dozen|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|[a-z]+ty|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)/i.test(
        window,
      )
    )
      continue;
    const document = pipeline.readDoc(window);
    const spans = document.entities().out(its.span) as unknown as [number, number][];
    if (spans.length === 0) continue;
    const types = document.entities().out(its.type) as unknown as string[];
    const tokens = document.tokens().out(its.value) as unknown as string[];
    let token = 0;
    let cursor = 0;
    const seek = (index: number): number => {
      for (; token < index; token++) {
        const at = window.indexOf(tokens[token]!, cursor);
        if (at >= 0) cursor = at + tokens[token]!.length;
      }
      return window.indexOf(tokens[index]!, cursor);
    };
    spans.forEach(([first, last], index) => {
      const mapped = TYPES[types[index]!];
      const from = seek(first);
      const lastAt = seek(last);
      if (!mapped || from < 0 || lastAt < 0) return;
      const to = lastAt + tokens[last]!.length;
      const value = window.slice(from, to);
      const [type, confidence] = mapped;
      if (value.length > 60 || /\n\s*\n/.test(value)) return;
      if (type === "number" && WEAK_NUMBER.test(value)) return;
      if (type === "date" && value.length < 3) return;
      if (type === "time" && BARE_UNIT.test(value)) return;
      found.push({ text: value, type, confidence, start: start + from, end: start + to });
    });
  }
  return found;
}
