/**
 * Dates, times, durations, amounts, percentages and numbers, found by wink-nlp.
 *
 * Middle step of entity extraction. wink works on token sequences, so the sentences that may hold
 * a quantity are given to it in windows and its tokens are mapped back to offsets.
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

/** Without a digit, a month, a weekday or a number word there is nothing to find. */
const MAY_HOLD_QUANTITY = new RegExp(
  "\\d|[$€£¥%]|\\b(?:" +
    "seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centur(?:y|ies)|noon|midday|midnight|" +
    "today|tonight|tomorrow|yesterday|mornings?|afternoons?|evenings?|nights?|summers?|winters?|autumns?|" +
    "fall|spring|half|quarters?|dozens?|hundred\\w*|thousand\\w*|million\\w*|billion\\w*|trillion\\w*|two|three|" +
    "four\\w*|fort(?:y|ies|ieth)\\w*|five|fifth|fift\\w+|six\\w*|seven\\w*|eight\\w*|nin(?:e|th)\\w*|ten|tenth|" +
    "eleven\\w*|twel(?:ve|fth)\\w*|thirt\\w+|twent\\w+|percent|dollars?|cents?|euros?|" +
    "jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|(?:jan|febr)uary|march|april|august|" +
    "(?:septem|octo|novem|decem)ber|mon|tue|wed|thu|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\\b",
  "i",
);

/** A sentence in a window: where it starts there and in the text. */
interface Placed {
  windowStart: number;
  start: number;
}

/** The sentences that may hold a quantity, a few thousand characters at a time, apart by an empty line. */
function* windows(
  text: string,
  sentences: readonly { start: number; end: number }[],
): Generator<{ window: string; placed: Placed[] }> {
  let window = "";
  let placed: Placed[] = [];
  for (const { start, end } of sentences) {
    const sentence = text.slice(start, end);
    if (!MAY_HOLD_QUANTITY.test(sentence)) continue;
    if (window !== "" && window.length + sentence.length > WINDOW_CHARS) {
      yield { window, placed };
      window = "";
      placed = [];
    }
    placed.push({ windowStart: window.length, start });
    window += `${sentence}\n\n`;
  }
  if (window !== "") yield { window, placed };
}

/** Quantities in the given sentences of `text`, in order, never overlapping. */
export function findQuantities(
  text: string,
  sentences: readonly { start: number; end: number }[],
): LocatedEntity[] {
  pipeline ??= winkNLP(model, ["ner"]);
  const { its } = pipeline;
  const found: LocatedEntity[] = [];
  for (const { window, placed } of windows(text, sentences)) {
    const document = pipeline.readDoc(window);
    const spans = document.entities().out(its.span) as unknown as [number, number][];
    if (spans.length === 0) continue;
    const types = document.entities().out(its.type) as unknown as string[];
    const tokens = document.tokens().out(its.value) as unknown as string[];
    let place = 0;
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
      while (place + 1 < placed.length && placed[place + 1]!.windowStart <= from) place++;
      const start = placed[place]!.start - placed[place]!.windowStart + from;
      found.push({ text: value, type, confidence, start, end: start + value.length });
    });
  }
  return found;
}
