/**
 * One text made ready for compression: which parts are its own, its units, what each names, and
 * the unit vectors once they are there. Built once per text and shared by every step after it.
 */

import type { ContentKind, Entity } from "../../model/memory.ts";
import { signatureSpan } from "../content/quoted-text.ts";
import { splitSentences, type Span } from "../content/segmentation.ts";
import { boilerplateSpans } from "./boilerplate.ts";
import { distinctEntities, type EntityExtractor, type LocatedEntity } from "./entities.ts";
import { entityKey } from "./entity-key.ts";
import { findTurns, speakersAt, type Turn } from "./speakers.ts";
import { groupUnits, outsideOf, type TextUnit } from "./units.ts";

export interface SourceAnalysis {
  text: string;
  /** Parts that are quoted, signature or boilerplate; ascending, disjoint. */
  excluded: Span[];
  /** Own sentences. */
  sentences: Span[];
  units: TextUnit[];
  /** Who says each unit, where the text is a dialogue; else null. */
  speakers: (string | null)[];
  /** Whether each unit is quoted from somebody else; only where quotes count (`withQuotes`). */
  quoted: boolean[];
  /** Who says each sentence, and what a pronoun in it may stand for. */
  turns: Turn[];
  mentions: LocatedEntity[];
  entities: Entity[];
  /** Keys of the entities that each unit names. */
  unitFacts: Set<string>[];
  /** One unit-length vector per unit; null until embedded or without a model. */
  vectors: Float32Array[] | null;
  /** Pooled vector of the windows of the whole text; null until embedded, which only keep "summary" needs. */
  windowVector: Float32Array | null;
}

/** Says which parts of a text of this kind are not its own words (quotes, signature). */
export type ForeignSpans = (text: string, kind: ContentKind | undefined) => Span[];

function mergeSpans(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else if (span.end > span.start) merged.push({ ...span });
  }
  return merged;
}

const QUOTE_MARKERS = /^(?:[ \t]*[>|])+[ \t]?/gm;
const blanks = (match: string): string => " ".repeat(match.length);

/**
 * Analyses one text; everything but embedding. With `withQuotes`, quotes and signatures are part of
 * what has to be summarised, since nothing else may keep them; only boilerplate is left out.
 */
export function analyzeSource(
  text: string,
  extractor: EntityExtractor,
  foreignSpans: ForeignSpans,
  kind?: ContentKind,
  { withQuotes = false }: { withQuotes?: boolean } = {},
): SourceAnalysis {
  // A quoted paragraph is one text, whatever stands before its lines.
  const all = splitSentences(withQuotes ? text.replace(QUOTE_MARKERS, blanks) : text);
  const foreign = mergeSpans(foreignSpans(text, kind));
  const boilerplate = boilerplateSpans(text);
  const signature = withQuotes && foreign.length > 0 ? signatureSpan(text) : null;
  let excluded = mergeSpans([
    ...(withQuotes ? (signature ? [signature] : []) : foreign),
    ...boilerplate,
  ]);
  let sentences = outsideOf(all, excluded);
  let units = groupUnits(text, sentences);
  if (units.length === 0 && excluded.length > 0) {
    // Nothing but quotes: then they are what this text says.
    excluded = [];
    sentences = all;
    units = groupUnits(text, sentences);
  }
  const mentions = extractor.locate(text, { spans: sentences, sentences });
  let next = 0;
  const unitFacts = units.map((unit) => {
    const keys = new Set<string>();
    while (next < mentions.length && mentions[next]!.start < unit.start) next++;
    for (let i = next; i < mentions.length && mentions[i]!.start < unit.end; i++)
      keys.add(entityKey(mentions[i]!.text));
    return keys;
  });
  const turns = findTurns(text);
  const own = withQuotes && foreign.length > 0 ? new Set(outsideOf(units, foreign)) : null;
  return {
    text,
    excluded,
    sentences,
    units,
    turns,
    speakers: speakersAt(
      turns,
      units.map((unit) => unit.core.start),
    ),
    quoted: units.map((unit) => own !== null && !own.has(unit)),
    mentions,
    entities: distinctEntities(mentions),
    unitFacts,
    vectors: null,
    windowVector: null,
  };
}
