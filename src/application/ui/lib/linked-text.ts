/**
 * A text cut at the borders of ranges that lie over it, so that each run can be drawn and pointed
 * at by itself: which summary sentences it stands behind, whether it was dropped, whether it is
 * foreign. Pure; drawn by `components/LinkedText.svelte`.
 */

import type { SentenceLink, TextRange } from "../../../model/comparison.ts";

export interface TextLayers {
  /** Per summary sentence, the ranges of the original behind it. */
  links?: readonly (readonly TextRange[])[];
  dropped?: readonly TextRange[];
  foreign?: readonly TextRange[];
}

export interface TextRun {
  text: string;
  start: number;
  end: number;
  /** Indices of the sentences that this run stands behind, ascending. */
  links: number[];
  dropped: boolean;
  foreign: boolean;
}

/** The range inside the text, or null when nothing of it is. */
function clip(range: TextRange, length: number): TextRange | null {
  const start = Math.max(0, Math.min(length, Math.trunc(range.start)));
  const end = Math.max(0, Math.min(length, Math.trunc(range.end)));
  return end > start ? { start, end } : null;
}

function clipAll(ranges: readonly TextRange[] | undefined, length: number): TextRange[] {
  return (ranges ?? []).map((range) => clip(range, length)).filter((range) => range !== null);
}

/** Runs in order that together are the text; ranges may overlap and may lie outside of it. */
export function textRuns(text: string, layers: TextLayers): TextRun[] {
  const links = (layers.links ?? []).map((ranges) => clipAll(ranges, text.length));
  const dropped = clipAll(layers.dropped, text.length);
  const foreign = clipAll(layers.foreign, text.length);
  const borders = new Set([0, text.length]);
  for (const range of [...links.flat(), ...dropped, ...foreign])
    borders.add(range.start).add(range.end);
  const cuts = [...borders].sort((a, b) => a - b);

  const opened = sweep(links.flatMap((ranges, index) => ranges.map((range) => ({ range, index }))));
  const isDropped = sweep(dropped.map((range) => ({ range, index: 0 })));
  const isForeign = sweep(foreign.map((range) => ({ range, index: 0 })));
  const runs: TextRun[] = [];
  for (let at = 0; at + 1 < cuts.length; at++) {
    const start = cuts[at] ?? 0;
    const end = cuts[at + 1] ?? 0;
    runs.push({
      text: text.slice(start, end),
      start,
      end,
      links: opened(start),
      dropped: isDropped(start).length > 0,
      foreign: isForeign(start).length > 0,
    });
  }
  return runs;
}

/** Answers which indices cover an offset, for offsets asked in ascending order. */
function sweep(items: { range: TextRange; index: number }[]): (offset: number) => number[] {
  const waiting = [...items].sort((a, b) => a.range.start - b.range.start);
  let next = 0;
  let open: typeof waiting = [];
  return (offset) => {
    for (let item = waiting[next]; item && item.range.start <= offset; item = waiting[next]) {
      open.push(item);
      next++;
    }
    open = open.filter((item) => item.range.end > offset);
    return [...new Set(open.map((item) => item.index))].sort((a, b) => a - b);
  };
}

/** The source ranges behind each sentence; the best few of each, so that a page stays readable. */
export function linkRanges(links: readonly SentenceLink[], perSentence = 3): TextRange[][] {
  return links.map((link) => link.sources.slice(0, perSentence));
}

/** What a screen reader and a title say of one summary sentence. */
export function describeLink(link: SentenceLink): string {
  if (link.problems.length > 0) return `Not supported: ${link.problems.join("; ")}`;
  if (link.sources.length === 0) return "Nothing in the original supports this sentence";
  const where = link.sources.length === 1 ? "one sentence" : `${link.sources.length} sentences`;
  return link.verbatim
    ? `Word for word from ${where} of the original`
    : `From ${where} of the original, in other words`;
}

/** Sentences of a summary in order, with the text between them that belongs to none. */
export function summaryRuns(
  text: string,
  links: readonly SentenceLink[],
): { text: string; link: number | null }[] {
  const runs: { text: string; link: number | null }[] = [];
  let at = 0;
  links.forEach((link, index) => {
    const range = clip(link.range, text.length);
    if (!range || range.start < at) return;
    if (range.start > at) runs.push({ text: text.slice(at, range.start), link: null });
    runs.push({ text: text.slice(range.start, range.end), link: index });
    at = range.end;
  });
  if (at < text.length) runs.push({ text: text.slice(at), link: null });
  return runs;
}
