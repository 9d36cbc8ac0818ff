/**
 * Which memories belong together: decided from light fields, vectors and text fingerprints, without
 * reading a text. Deterministic: the same memories in any order give the same groups.
 *
 * In this order: near-identical notes; one thread or one document; one mailing list; one source, written
 * in one go; what is left, by meaning. Groups are bounded in size, cut where the longest pause is. New memories
 * join an episode that is still open, else they open others; nothing else is touched.
 */

import type { QuantizedVector } from "../../model/vector.ts";
import { nearIdentical } from "./fingerprint.ts";

export interface GroupItem {
  id: string;
  userId: string;
  timestamp: number;
  /** UTF-8 of the original. */
  bytes: number;
  /** Root of its reply chain or key of its conversation; null outside of any. */
  thread: string | null;
  /** Set where `thread` is a document that was cut into sections. */
  isSection: boolean;
  /** Key of the mailing list that it came by. */
  list: string | null;
  source: string | null;
  vector: QuantizedVector | null;
  /** MinHash of its text; null where the text is gone or too short. */
  fingerprint: Uint32Array | null;
}

export type Basis = "near-identical" | "thread" | "document" | "list" | "sitting" | "meaning";

/** An episode that is there, as far as joining it needs. */
export interface OpenEpisode {
  id: string;
  basis: Basis;
  /** One of its members stands for all: same thread, source and user. */
  sample: GroupItem;
  startsAt: number;
  endsAt: number;
  bytes: number;
}

export interface Group {
  basis: Basis;
  /** By time. */
  items: GroupItem[];
}

export interface Grouping {
  groups: Group[];
  joins: { episode: OpenEpisode; items: GroupItem[] }[];
}

/** An episode is open below this: the size from which summaries of many texts reach large ratios. */
export const OPEN_BYTES = 15_000;
/** Where a cut is looked for. */
export const TARGET_BYTES = 30_000;
export const MAX_BYTES = 60_000;
/** Less text than this is shorter than any gist of it could usefully be. */
const MIN_BYTES = 1_500;

const HOUR_MS = 3_600_000;
/** Pauses longer than these end a group, whatever its size. */
const LONGEST_PAUSE_MS: Record<Basis, number> = {
  "near-identical": Infinity,
  thread: 60 * 24 * HOUR_MS,
  document: Infinity,
  list: 14 * 24 * HOUR_MS,
  sitting: 6 * HOUR_MS,
  meaning: 60 * 24 * HOUR_MS,
};
/** Cosine from which texts of no common thread or source are about the same. */
const SAME_MEANING = 0.6;
/** Groups that a memory is compared with; those begun last. */
const MEANING_WINDOW = 256;

const byTime = (a: GroupItem, b: GroupItem): number =>
  a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1);

/** Groups `items`, none of which is in an episode; `open` are the episodes that are there. */
export function groupMemories(
  items: readonly GroupItem[],
  open: readonly OpenEpisode[] = [],
): Grouping {
  const grouping: Grouping = { groups: [], joins: [] };
  let rest = [...items].sort(byTime);
  const take = (groups: readonly Group[]): void => {
    const taken = new Set<GroupItem>();
    for (const group of groups) {
      grouping.groups.push(group);
      for (const item of group.items) taken.add(item);
    }
    rest = rest.filter((item) => !taken.has(item));
  };

  take(nearIdenticalGroups(rest));
  for (const keyed of [threadKey, listKey, sourceKey]) {
    const join = joinOpen(rest, open, keyed);
    grouping.joins.push(...join.joins);
    rest = join.rest;
    take(groupsByKey(rest, keyed));
  }
  take(groupsByMeaning(rest));
  return grouping;
}

/**
 * A member of a group for which no gist came about, as it may be grouped next: without what bound it
 * there. Null where nothing else is left to bind it.
 */
export function regrouped(item: GroupItem, basis: Basis): GroupItem | null {
  switch (basis) {
    case "thread":
      return { ...item, thread: null };
    case "list":
      return { ...item, thread: null, list: null };
    case "sitting":
      return { ...item, thread: null, list: null, source: null };
    default:
      return null;
  }
}

interface Keyed {
  key: string;
  basis: Basis;
}

function threadKey(item: GroupItem): Keyed | null {
  return item.thread === null
    ? null
    : {
        key: `${item.userId}\n${item.thread}`,
        basis: item.isSection ? "document" : "thread",
      };
}

function listKey({ userId, list }: GroupItem): Keyed | null {
  return list === null ? null : { key: `${userId}\n${list}`, basis: "list" };
}

function sourceKey(item: GroupItem): Keyed | null {
  if (item.source === null) return null;
  const folder = item.source.replace(/[^/\\]*$/, "");
  return { key: `${item.userId}\n${folder || item.source}`, basis: "sitting" };
}

function nearIdenticalGroups(items: readonly GroupItem[]): Group[] {
  const groups: Group[] = [];
  const candidates = items.filter((item) => item.thread === null && item.fingerprint !== null);
  for (const cluster of nearIdentical(candidates, (item) => item.fingerprint!)) {
    const byUser = new Map<string, GroupItem[]>();
    for (const item of cluster) byUser.set(item.userId, [...(byUser.get(item.userId) ?? []), item]);
    for (const own of byUser.values())
      for (const part of cutBySize(own.sort(byTime), "near-identical"))
        if (part.length > 1) groups.push({ basis: "near-identical", items: part });
  }
  return groups.filter(isWorthwhile);
}

function isWorthwhile(group: Group): boolean {
  return group.items.length > 1 && bytesOf(group.items) >= MIN_BYTES;
}

function bytesOf(items: readonly GroupItem[]): number {
  return items.reduce((sum, item) => sum + item.bytes, 0);
}

function groupsByKey(
  items: readonly GroupItem[],
  keyOf: (item: GroupItem) => Keyed | null,
): Group[] {
  const byKey = new Map<string, { basis: Basis; items: GroupItem[] }>();
  for (const item of items) {
    const keyed = keyOf(item);
    if (!keyed) continue;
    const known = byKey.get(keyed.key);
    if (known) known.items.push(item);
    else byKey.set(keyed.key, { basis: keyed.basis, items: [item] });
  }
  return [...byKey.values()]
    .flatMap(({ basis, items: own }) =>
      cutBySize(own, basis).map((part): Group => ({ basis, items: part })),
    )
    .filter(isWorthwhile);
}

/**
 * Consecutive parts of at most `MAX_BYTES`: ended by a pause that is too long for this basis, else,
 * once there is enough text, at the longest pause on the way to the target.
 */
export function cutBySize(items: readonly GroupItem[], basis: Basis): GroupItem[][] {
  const parts: GroupItem[][] = [];
  for (const run of runs(items, LONGEST_PAUSE_MS[basis])) {
    let start = 0;
    while (start < run.length) {
      const end = partEnd(run, start);
      parts.push(run.slice(start, end));
      start = end;
    }
  }
  return parts;
}

function runs(items: readonly GroupItem[], pauseMs: number): GroupItem[][] {
  const found: GroupItem[][] = [];
  for (const item of items) {
    const last = found.at(-1);
    if (last && item.timestamp - last.at(-1)!.timestamp <= pauseMs) last.push(item);
    else found.push([item]);
  }
  return found;
}

function partEnd(run: readonly GroupItem[], start: number): number {
  const remaining = bytesOf(run.slice(start));
  // What would be left behind has to be worth an episode of its own.
  if (remaining <= TARGET_BYTES + OPEN_BYTES) return fits(run, start, MAX_BYTES);
  let size = 0;
  let best = -1;
  let longest = -1;
  for (let i = start; i < run.length - 1; i++) {
    size += run[i]!.bytes;
    if (size > TARGET_BYTES + OPEN_BYTES) break;
    if (size < OPEN_BYTES) continue;
    if (remaining - size < OPEN_BYTES) break;
    const pause = run[i + 1]!.timestamp - run[i]!.timestamp;
    if (pause > longest) [longest, best] = [pause, i + 1];
  }
  return best > start ? best : fits(run, start, MAX_BYTES);
}

/** One past the last item that fits; at least one. */
function fits(run: readonly GroupItem[], start: number, maxBytes: number): number {
  let size = run[start]!.bytes;
  let end = start + 1;
  while (end < run.length && size + run[end]!.bytes <= maxBytes) size += run[end++]!.bytes;
  return end;
}

function joinOpen(
  items: readonly GroupItem[],
  open: readonly OpenEpisode[],
  keyOf: (item: GroupItem) => Keyed | null,
): { joins: Grouping["joins"]; rest: GroupItem[] } {
  const byKey = new Map<string, OpenEpisode[]>();
  for (const episode of open) {
    const keyed = keyOf(episode.sample);
    if (!keyed || keyed.basis !== episode.basis) continue;
    const known = byKey.get(keyed.key);
    if (known) known.push(episode);
    else byKey.set(keyed.key, [episode]);
  }
  for (const episodes of byKey.values())
    episodes.sort((a, b) => a.endsAt - b.endsAt || (a.id < b.id ? -1 : 1));
  const joined = new Map<OpenEpisode, { items: GroupItem[]; bytes: number; endsAt: number }>();
  const rest: GroupItem[] = [];
  for (const item of items) {
    const keyed = keyOf(item);
    const episode = (keyed && byKey.get(keyed.key))?.findLast((one) => {
      const now = joined.get(one) ?? { bytes: one.bytes, endsAt: one.endsAt };
      const inside = item.timestamp >= one.startsAt && item.timestamp <= now.endsAt;
      const follows =
        item.timestamp >= now.endsAt &&
        now.bytes < OPEN_BYTES &&
        item.timestamp - now.endsAt <= LONGEST_PAUSE_MS[one.basis];
      return (inside || follows) && now.bytes + item.bytes <= MAX_BYTES;
    });
    if (!episode) {
      rest.push(item);
      continue;
    }
    const state = joined.get(episode) ?? {
      items: [],
      bytes: episode.bytes,
      endsAt: episode.endsAt,
    };
    state.items.push(item);
    state.bytes += item.bytes;
    state.endsAt = Math.max(state.endsAt, item.timestamp);
    joined.set(episode, state);
  }
  return {
    joins: [...joined].map(([episode, state]) => ({ episode, items: state.items })),
    rest,
  };
}

interface Cluster {
  items: GroupItem[];
  bytes: number;
  sum: Float32Array;
  norm: number;
}

/** Each memory, by time, goes to the nearest of the latest groups, or begins one. */
function groupsByMeaning(items: readonly GroupItem[]): Group[] {
  const clusters: Cluster[] = [];
  for (const item of items) {
    if (!item.vector) continue;
    const vector = Float32Array.from(item.vector.codes, (code) => code * item.vector!.scale);
    const norm = Math.hypot(...vector);
    if (norm === 0) continue;
    let best: Cluster | null = null;
    let bestCosine = SAME_MEANING;
    for (const cluster of clusters.slice(-MEANING_WINDOW)) {
      const last = cluster.items.at(-1)!;
      if (cluster.bytes + item.bytes > TARGET_BYTES || last.userId !== item.userId) continue;
      if (item.timestamp - last.timestamp > LONGEST_PAUSE_MS.meaning) continue;
      let dot = 0;
      for (let i = 0; i < vector.length; i++) dot += vector[i]! * cluster.sum[i]!;
      const cosine = dot / (norm * cluster.norm);
      if (cosine > bestCosine) [best, bestCosine] = [cluster, cosine];
    }
    if (!best) clusters.push({ items: [item], bytes: item.bytes, sum: vector.slice(), norm });
    else {
      best.items.push(item);
      best.bytes += item.bytes;
      for (let i = 0; i < vector.length; i++) best.sum[i]! += vector[i]!;
      best.norm = Math.hypot(...best.sum);
    }
  }
  return clusters
    .map(({ items: own }): Group => ({ basis: "meaning", items: own }))
    .filter(isWorthwhile);
}
