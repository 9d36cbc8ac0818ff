/**
 * The neighbours of all direct hits of one spread, two hops far, looked up ahead in passes: the look-ups
 * of a pass don't wait for each other, as they would one by one, and most are out of the caches.
 */

import type { LinkKind } from "../model/query.ts";
import {
  ANSWERED,
  NEXT,
  PREVIOUS,
  SAME_AFTER,
  SAME_BEFORE,
  THREAD,
  threadIn,
  type ThreadLinks,
} from "./thread-links.ts";

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
  /** The thread of each, or -1. */
  threads = new Int32Array(STEPS * 512);
  /** What comes to each; to be filled by whoever spreads. */
  energies = new Float64Array(STEPS * 512);
  /** The thread of each seed, or -1. */
  seedThreads = new Int32Array(512);

  /** Looks up the neighbours of seeds [0, count). */
  read(links: ThreadLinks, seeds: Int32Array, count: number): void {
    if (this.seedThreads.length < count) {
      this.ordinals = new Int32Array(2 * STEPS * count);
      this.threads = new Int32Array(2 * STEPS * count);
      this.energies = new Float64Array(2 * STEPS * count);
      this.seedThreads = new Int32Array(2 * count);
    }
    const { ordinals, threads, seedThreads } = this;
    const { table } = links;
    for (let i = 0, at = 0; i < count; i++, at += STEPS) {
      const row = links.rowOf(seeds[i]!);
      ordinals[at + STEP.before] = table[row + PREVIOUS]!;
      ordinals[at + STEP.after] = table[row + NEXT]!;
      ordinals[at + STEP.answered] = table[row + ANSWERED]!;
      seedThreads[i] = threadIn(table[row + THREAD]!);
    }
    const end = STEPS * count;
    // Neighbours are mostly of the same thread, which spares looking theirs up.
    for (let at = 0; at < end; at += STEPS) {
      ordinals[at + STEP.secondBefore] = -1;
      if (ordinals[at + STEP.before]! < 0) continue;
      const row = links.rowOf(ordinals[at + STEP.before]!);
      const packed = table[row + THREAD]!;
      const second = table[row + PREVIOUS]!;
      const thread = threadIn(packed);
      threads[at + STEP.before] = thread;
      ordinals[at + STEP.secondBefore] = second;
      threads[at + STEP.secondBefore] =
        (packed & SAME_BEFORE) !== 0 ? thread : links.threadOf(second);
    }
    for (let at = 0; at < end; at += STEPS) {
      ordinals[at + STEP.secondAfter] = -1;
      if (ordinals[at + STEP.after]! < 0) continue;
      const row = links.rowOf(ordinals[at + STEP.after]!);
      const packed = table[row + THREAD]!;
      const second = table[row + NEXT]!;
      const thread = threadIn(packed);
      threads[at + STEP.after] = thread;
      ordinals[at + STEP.secondAfter] = second;
      threads[at + STEP.secondAfter] =
        (packed & SAME_AFTER) !== 0 ? thread : links.threadOf(second);
    }
    for (let at = 0; at < end; at += STEPS) {
      const answered = ordinals[at + STEP.answered]!;
      ordinals[at + STEP.beforeAnswered] = -1;
      ordinals[at + STEP.afterAnswered] = -1;
      if (answered < 0) continue;
      const row = links.rowOf(answered);
      threads[at + STEP.answered] = threadIn(table[row + THREAD]!);
      const before = table[row + PREVIOUS]!;
      const after = table[row + NEXT]!;
      ordinals[at + STEP.beforeAnswered] = before;
      ordinals[at + STEP.afterAnswered] = after;
      threads[at + STEP.beforeAnswered] = links.threadOf(before);
      threads[at + STEP.afterAnswered] = links.threadOf(after);
    }
  }

  /** The way that the neighbour at a place of `ordinals` is reached by: what lies in between, and the links. */
  wayAt(at: number): { middle: number; links: readonly LinkKind[] } {
    const step = at % STEPS;
    const { middle, links } = WAYS[step]!;
    return { middle: middle < 0 ? -1 : this.ordinals[at - step + middle]!, links };
  }
}
