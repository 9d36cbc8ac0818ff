/**
 * One text made ready for compression: which parts are its own, its units, what each names, and
 * the unit vectors once they are there. Built once per text and shared by every step after it.
 */

import type { ContentKind, Entity } from "../../model/memory.ts";
import { splitSentences, type Span } from "../content/segmentation.ts";
import { boilerplateSpans } from "./boilerplate.ts";
import { distinctEntities, type EntityExtractor, type LocatedEntity } from "./entities.ts";
import { entityKey } from "./entity-key.ts";
import { groupUnits, outsideOf, type TextUnit } from "./units.ts";

export interface SourceAnalysis {
  text: string;
  /** Parts that are quoted, signature or boilerplate; ascending, disjoint. */
  excluded: Span[];
  /** Own sentences. */
  sentences: Span[];
  units: TextUnit[];
  mentions: LocatedEntity[];
  entities: Entity[];
  /** Keys of the entities that each unit names. */
  unitFacts: Set<string>[];
  /** One unit-length vector per unit; null until embedded or without a model. */
  vectors: Float32Array[] | null;
  /** Pooled vector of the windows of the own text; null until embedded, which only keep "summary" needs. */
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

/** Analyses one text; everything but embedding. */
export function analyzeSource(
  text: string,
  extractor: EntityExtractor,
  foreignSpans: ForeignSpans,
  kind?: ContentKind,
): SourceAnalysis {
  const all = splitSentences(text);
  let excluded = mergeSpans([...foreignSpans(text, kind), ...boilerplateSpans(text)]);
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
  return {
    text,
    excluded,
    sentences,
    units,
    mentions,
    entities: distinctEntities(mentions),
    unitFacts,
    vectors: null,
    windowVector: null,
  };
}

/** Bytes of the text's own words over all its bytes (by UTF-16 length). */
export function ownShare(analysis: SourceAnalysis): number {
  const foreign = analysis.excluded.reduce((sum, { start, end }) => sum + end - start, 0);
  return analysis.text.length === 0 ? 1 : 1 - foreign / analysis.text.length;
}
