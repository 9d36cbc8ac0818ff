/**
 * The ladder of summaries that may replace their text: those of language models, the smallest
 * extractive one that passes the gate, models again with the gate's feedback; and the reason where
 * nothing passes. The smallest of what passes wins.
 */

import type { Entity } from "../../model/memory.ts";
import { cosineSimilarity } from "../../model/vector.ts";
import { checkpoint } from "../../model/task-control.ts";
import { SelectionModel, type CompactNeeds } from "./compact-selection.ts";
import { entityKey } from "./entity-key.ts";
import { gate, GATE_THRESHOLDS } from "./gate.ts";
import { entitiesBesideSummary, entitiesToAdd, entityBytes } from "./kept-entities.ts";
import { embedWindows, type QualityReport } from "./quality.ts";
import { isInformative } from "./pleasantries.ts";
import { reconstructText } from "./reconstructor.ts";
import { pooledVector } from "./similarity.ts";
import {
  measureCandidate,
  reasonOf,
  requestOf,
  type JudgedCandidate,
  type SummarizeInput,
  type SummaryOutcome,
} from "./summarize-steps.ts";
import { extractiveCandidate, type SummaryCandidate } from "./summary.ts";

/** A summary with its entities that saves less than this isn't worth the detail it costs. */
const MAX_SUMMARY_SHARE = 0.6;
/** What language models are asked for, as a share of the text. */
const WRITER_SHARE = 0.12;
const WRITER_MIN_BYTES = 240;
/** Similarity of extractive summaries beyond the threshold: others may cut windows elsewhere. */
export const SIMILARITY_MARGIN = 0.01;
/** Likeness to the source's windows that a set of units is chosen for, ascending: an estimate, which the gate then measures. */
const WINDOW_LADDER = [0.7, 0.75, 0.79, 0.82, 0.845, 0.87, 0.89, 0.91, 0.93];

/** Shares of the text that are tried where no estimate is high enough. */
const NEAREST_SHARES = [0.09, 0.12, 0.16, 0.22, 0.3];

interface Judged extends JudgedCandidate {
  entities: Entity[];
  /** Of summary and entities. */
  bytes: number;
}

const utf8 = new TextEncoder();

function bytesOf(text: string, entities: readonly Entity[]): number {
  return entities.reduce((sum, entity) => sum + entityBytes(entity), utf8.encode(text).length);
}

/** The smallest summary that passes the gate, or why there is none. */
export async function replaceBySummary(input: SummarizeInput): Promise<SummaryOutcome | string> {
  const { source, sourceBytes, generator, mode, preferences, signal } = input;
  if (!source.vectors || !source.windowVector)
    return "Its meaning could not be compared: no embedding model is installed";
  const maxBytes = sourceBytes * MAX_SUMMARY_SHARE;
  const passing: Judged[] = [];
  const refused: string[] = [];
  const consider = (judged: Judged): void => {
    input.trace?.judged.push(judged);
    if (judged.pass && judged.bytes <= maxBytes) passing.push(judged);
    else refused.push(...judged.reasons);
  };
  let route: Parameters<typeof reasonOf>[0] = { route: null };
  const notes: string[] = [];
  const ask = async (feedback?: readonly string[]): Promise<void> => {
    const budgetBytes = Math.round(
      Math.min(maxBytes, Math.max(WRITER_MIN_BYTES, sourceBytes * WRITER_SHARE)),
    );
    const written = await generator.written(requestOf(input, budgetBytes, feedback));
    if (written.route) route = written;
    notes.push(...written.notes);
    for (const candidate of written.candidates) {
      const judged = await judge(input, candidate);
      generator.judged(candidate, { pass: judged.pass, similarity: judged.quality.similarity });
      if (!judged.pass)
        notes.push(`The summary of ${candidate.model} was not taken: ${judged.reasons[0]!}`);
      consider(judged);
    }
  };
  const hasWriters = generator.hasWriters(mode, preferences);
  if (hasWriters) await ask();
  const extractive = await smallestExtractive(input, maxBytes);
  if (typeof extractive === "string") refused.push(extractive);
  else consider(extractive);
  if (hasWriters && passing.length === 0 && refused.length > 0)
    await ask([...new Set(refused)].slice(0, 6));
  await checkpoint(signal ? { signal } : {});
  if (input.trace) Object.assign(input.trace, { route: route.route, notes });
  const best = passing.sort((a, b) => a.bytes - b.bytes)[0];
  if (!best) return refused[0] ?? "No summary is enough shorter than the text";
  const isWritten = best.candidate.unitIndices === undefined;
  if (hasWriters && !isWritten && notes.length === 0)
    notes.push("The text's own sentences gave a smaller summary that passes");
  return {
    summary: best.candidate.text,
    model: best.candidate.model,
    entities: best.entities,
    quality: best.quality,
    keep: "summary",
    ...(hasWriters && reasonOf(route, notes, isWritten)),
  };
}

/** Measures a candidate with the entities it needs beside it, by both readings. */
async function judge(input: SummarizeInput, candidate: SummaryCandidate): Promise<Judged> {
  const entities = entitiesBesideSummary(input.source.entities, candidate.text, input.mode);
  const report: QualityReport = await measureCandidate(input, candidate, entities, true);
  let { quality } = report;
  let { pass, reasons } = gate(quality, input.mode, report.evidence);
  if (pass && entities.length > 0) {
    // Once more as it will be read, with the list of what is kept beside it.
    const text = reconstructText(candidate.text, entities);
    const read = await measureCandidate(input, { text, model: candidate.model }, [], true);
    ({ pass, reasons } = gate(read.quality, input.mode, read.evidence));
    const similarity = Math.min(quality.similarity ?? 0, read.quality.similarity ?? 0);
    quality = { ...quality, similarity };
  }
  return { candidate, entities, quality, pass, reasons, bytes: bytesOf(candidate.text, entities) };
}

/**
 * The smallest extractive summary that passes. How like a few sentences are to the source's windows
 * can only be estimated from their own vectors, so sets are chosen for a rising estimate until the
 * measure is met; then once more between the last two.
 */
async function smallestExtractive(
  input: SummarizeInput,
  maxBytes: number,
): Promise<Judged | string> {
  const { source, mode, signal } = input;
  const limit = GATE_THRESHOLDS[mode];
  const model = selectionModel(input, maxBytes);
  const needed = limit.similarity + SIMILARITY_MARGIN;
  const needsFor = (estimate: number): CompactNeeds => ({
    cosines: [needed, estimate],
    coverage: limit.coverage + 0.002,
    evenness: limit.evenness + 0.01,
  });
  const setFor = (estimate: number): number[] | null => model.smallest(needsFor(estimate));
  const tried = new Map<string, Judged>();
  const judgeSet = async (indices: number[]): Promise<Judged> => {
    const key = indices.join();
    let judged = tried.get(key);
    if (!judged) {
      judged = await judge(input, extractiveCandidate(source, indices, { bare: true }));
      tried.set(key, judged);
    }
    return judged;
  };
  const meets = (judged: Judged): boolean =>
    judged.pass && (judged.quality.similarity ?? 0) >= needed;
  let reason: string | null = null;
  let best = null as Judged | null;
  const consider = (judged: Judged): boolean => {
    if (!meets(judged)) reason = judged.reasons[0] ?? reason;
    else if (!best || judged.bytes < best.bytes) best = judged;
    return meets(judged);
  };
  for (const estimate of WINDOW_LADDER) {
    await checkpoint(signal ? { signal } : {});
    const indices = setFor(estimate);
    if (!indices || consider(await judgeSet(indices))) break;
  }
  for (const share of best ? [] : NEAREST_SHARES) {
    await checkpoint(signal ? { signal } : {});
    const indices = model.nearest(needsFor(1), input.sourceBytes * share);
    if (indices.length > 0 && consider(await judgeSet(indices))) break;
  }
  // The estimates of small sets are rough: those that nearly pass are mended by what was measured.
  const near = [...tried.values()]
    .filter((one) => !meets(one) && one.bytes < (best?.bytes ?? maxBytes))
    .sort((a, b) => deficit(a, needed) * a.bytes - deficit(b, needed) * b.bytes)
    .slice(0, MENDED_SETS);
  for (const start of near) {
    let current = start;
    for (let step = 0; step < MENDING_STEPS; step++) {
      await checkpoint(signal ? { signal } : {});
      const room = (best?.bytes ?? maxBytes) - current.bytes;
      const grown: Judged[] = [];
      for (const indices of await extensions(input, current, room))
        grown.push(await judgeSet(indices));
      if (grown.filter(consider).length > 0) break;
      const next = grown.sort((a, b) => deficit(a, needed) - deficit(b, needed))[0];
      if (!next) break;
      current = next;
    }
  }
  const nearest = [...tried.values()]
    .filter(({ pass }) => pass)
    .sort((a, b) => a.bytes - b.bytes)[0];
  return best ?? nearest ?? reason ?? "No summary is enough shorter than the text";
}

/** Sets that nearly pass and are grown, by how many units, and of how many choices each. */
const MENDED_SETS = 5;
const MENDING_STEPS = 5;
const MENDING_CHOICES = 3;

/** How far a summary is from what is needed; a missing coverage weighs like similarity. */
function deficit({ quality, reasons }: Judged, needed: number): number {
  const covers = reasons.some((reason) => reason.startsWith("It covers")) ? 0.005 : 0;
  return Math.max(0.001, needed - (quality.similarity ?? 0)) + covers;
}

/** The set with one more unit, those first that bring its measured vector nearest to the text's per byte. */
async function extensions(
  { source, embedder, signal }: SummarizeInput,
  { candidate }: Judged,
  room: number,
): Promise<number[][]> {
  const chosen = candidate.unitIndices ?? [];
  const target = source.windowVector!;
  const own = await embedWindows(candidate.text, embedder!, signal);
  if (!own) return [];
  const length = candidate.text.length;
  const whole = pooledVector(source.units, source.vectors!)!;
  const pool = new Float64Array(whole.length);
  const addTo = (into: Float64Array, i: number): Float64Array => {
    const { weight } = source.units[i]!;
    source.vectors![i]!.forEach((value, d) => (into[d]! += value * weight));
    return into;
  };
  for (const i of chosen) addTo(pool, i);
  const taken = new Set(chosen);
  return source.units
    .flatMap((unit, i) => {
      const size = unit.core.text.length;
      if (taken.has(i) || size >= room || !isInformative(unit.core.text)) return [];
      const joined = own.map((value, d) => value * length + source.vectors![i]![d]! * size);
      const byWindows = cosineSimilarity(joined, target) - cosineSimilarity(own, target);
      const bySentences =
        cosineSimilarity(Float32Array.from(addTo(pool.slice(), i)), whole) -
        cosineSimilarity(Float32Array.from(pool), whole);
      return [{ i, gain: (byWindows + bySentences) / size ** 0.6 }];
    })
    .sort((a, b) => b.gain - a.gain)
    .slice(0, MENDING_CHOICES)
    .map(({ i }) => [...chosen, i].sort((a, b) => a - b));
}

function selectionModel({ source, mode }: SummarizeInput, maxBytes: number): SelectionModel {
  const { units, vectors, windowVector, entities, unitFacts, quoted, speakers } = source;
  const keyOf = new Map(entities.map((entity) => [entity, entityKey(entity.text)]));
  return new SelectionModel({
    units,
    vectors: vectors!,
    targets: [pooledVector(units, vectors!)!, windowVector!],
    sizesBytes: units.map((unit, i) => {
      const label = quoted[i] ? 2 : (speakers[i]?.length ?? -1) + 1;
      return utf8.encode(unit.core.text).length + label;
    }),
    informative: units.map((unit) => isInformative(unit.core.text)),
    besideBytes: (chosen) => {
      const named = new Set<string>();
      for (const index of chosen) for (const key of unitFacts[index]!) named.add(key);
      const isNamed = (entity: Entity): boolean => named.has(keyOf.get(entity)!);
      return entitiesToAdd(entities, isNamed, mode).reduce(
        (sum, entity) => sum + entityBytes(entity),
        0,
      );
    },
    facts: unitFacts,
    maxBytes,
  });
}
