/**
 * The neighbours of all direct hits of one spread, two hops far, looked up ahead in passes: the look-ups
 * of a pass don't wait for each other, as they would one by one, and most are out of the caches.
 */

import type { LinkKind } from "../model/query.ts";
import { ANSWERED, NEXT, PREVIOUS, type ThreadLinks } from "./thread-links.ts";

/** Two hops in the same direction; from what was answered both ways. */
export const STEP = {
  before: 0,
  secondBefore: 1,
  after: 2,
  secondAfter: 3,
  answered: 4,
  beforeAnswered: 5,
  afterAnswered: 6,
} as const;
export const STEPS = 7;

/** By step: over which first step it goes, -1 for one hop; and what links each hop. */
const WAYS: readonly { middle: number; links: readonly LinkKind[] }[] = [
  { middle: -1, links: ["previous"] },
  { middle: STEP.before, links: ["previous", "previous"] },
  { middle: -1, links: ["next"] },
  { middle: STEP.after, links: ["next", "next"] },
  { middle: -1, links: ["reply"] },
  { middle: STEP.answered, links: ["reply", "previous"] },
  { middle: STEP.answered, links: ["reply", "next"] },
];

export class ThreadSteps {
  /** `STEPS` ordinals a seed, -1 where there is none. */
  ordinals = new Int32Array(STEPS * 512);

  /** Looks up the neighbours of seeds [0, count). */
  read(links: ThreadLinks, seeds: Int32Array, count: number): void {
    if (this.ordinals.length < STEPS * count) this.ordinals = new Int32Array(2 * STEPS * count);
    const { ordinals } = this;
    const { table } = links;
    for (let i = 0, at = 0; i < count; i++, at += STEPS) {
      const row = links.rowOf(seeds[i]!);
      ordinals[at + STEP.before] = row < 0 ? -1 : table[row + PREVIOUS]!;
      ordinals[at + STEP.after] = row < 0 ? -1 : table[row + NEXT]!;
      ordinals[at + STEP.answered] = row < 0 ? -1 : table[row + ANSWERED]!;
    }
    const end = STEPS * count;
    for (let at = 0; at < end; at += STEPS) {
      const before = links.rowOf(ordinals[at + STEP.before]!);
      ordinals[at + STEP.secondBefore] = before < 0 ? -1 : table[before + PREVIOUS]!;
      const after = links.rowOf(ordinals[at + STEP.after]!);
      ordinals[at + STEP.secondAfter] = after < 0 ? -1 : table[after + NEXT]!;
      const answered = links.rowOf(ordinals[at + STEP.answered]!);
      ordinals[at + STEP.beforeAnswered] = answered < 0 ? -1 : table[answered + PREVIOUS]!;
      ordinals[at + STEP.afterAnswered] = answered < 0 ? -1 : table[answered + NEXT]!;
    }
  }

  /** The way that the neighbour at a place of `ordinals` is reached by: what lies in between, and the links. */
  wayAt(at: number): { middle: number; links: readonly LinkKind[] } {
    const step = at % STEPS;
    const { middle, links } = WAYS[step]!;
    return { middle: middle < 0 ? -1 : this.ordinals[at - step + middle]!, links };
  }
}
