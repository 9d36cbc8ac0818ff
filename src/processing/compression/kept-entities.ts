/**
 * Which entities are kept beside a summary. Beside an exact text: the most certain ones, for search
 * and display. Beside a summary that replaces its text: what the summary doesn't say and the gate
 * asks for, the most certain per byte first; what the summary says needs no second copy.
 */

import type { CompressionMode, Entity } from "../../model/memory.ts";
import { isNumericEntity } from "./entity-key.ts";
import { GATE_THRESHOLDS } from "./gate.ts";
import { MentionIndex } from "./mentions.ts";

/** Entities kept beside an exact text; they are found again in it. */
const MAX_BESIDE_EXACT = 64;
/** Recall reached beyond the mode's threshold, so that another way of counting also finds it. */
const RECALL_MARGIN = 0.02;
/** What an entity costs besides its text: type, confidence, length. */
const ENTITY_OVERHEAD_BYTES = 3;

/** The most certain entities, in order of first mention. */
export function entitiesBesideExact(entities: readonly Entity[]): Entity[] {
  if (entities.length <= MAX_BESIDE_EXACT) return [...entities];
  const certain = new Set(
    [...entities].sort((a, b) => b.confidence - a.confidence).slice(0, MAX_BESIDE_EXACT),
  );
  return entities.filter((entity) => certain.has(entity));
}

/** Bytes an entity takes beside a summary, about. */
export function entityBytes(entity: Entity): number {
  return new TextEncoder().encode(entity.text).length + ENTITY_OVERHEAD_BYTES;
}

/** How many of `count` entities a mode wants named. */
function wanted(count: number, threshold: number): number {
  return Math.min(count, Math.ceil(count * Math.min(1, threshold + RECALL_MARGIN) - 1e-9));
}

/** The entities that bring a summary to the recall of a mode, given which ones it names itself; in order of first mention. */
export function entitiesToAdd(
  entities: readonly Entity[],
  isNamed: (entity: Entity) => boolean,
  mode: CompressionMode,
): Entity[] {
  const { entityRecall, numberRecall } = GATE_THRESHOLDS[mode];
  const added = new Set<Entity>();
  for (const numeric of [false, true]) {
    const all = entities.filter((entity) => isNumericEntity(entity.type) === numeric);
    const missing = all.filter((entity) => !isNamed(entity));
    const need =
      wanted(all.length, numeric ? numberRecall : entityRecall) - (all.length - missing.length);
    if (need <= 0) continue;
    const value = (entity: Entity): number => entity.confidence / entityBytes(entity);
    for (const entity of missing.sort((a, b) => value(b) - value(a)).slice(0, need))
      added.add(entity);
  }
  return entities.filter((entity) => added.has(entity));
}

/** What is kept beside a summary that replaces its text. */
export function entitiesBesideSummary(
  entities: readonly Entity[],
  summary: string,
  mode: CompressionMode,
): Entity[] {
  const index = new MentionIndex([summary]);
  return entitiesToAdd(entities, (entity) => index.names(entity), mode);
}
