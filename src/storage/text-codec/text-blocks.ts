/**
 * Cuts texts into blocks and puts them back: which texts share a block, and how they lie in it.
 *
 * A block is texts one after the other, each ended by a zero byte, so that the model learns where
 * texts end and no lengths are stored. A text with a zero byte in it, or longer than a block, has
 * its blocks to itself and no end mark.
 */

import { MAX_PIECE_BYTES } from "./text-model.ts";

/** Texts share a block up to this size: one read decodes it whole. */
export const BLOCK_BYTES = 4 * 1024;
/**
 * Longer texts are left to ZSTD: decoding takes 2–3 ms per KB, and in pages of 2 MB ZSTD finds in
 * long texts almost as much to point at.
 */
export const MAX_CODED_BYTES = 6 * 1024;
/** The sample of the owner's text that prepares the model: what a larger one gains is little. */
export const PRIME_BYTES = 1024 * 1024;

export interface TextOfBlock {
  /** The caller's name for it. */
  index: number;
  bytes: Uint8Array;
}

/** One block to code: whole texts, or one part of a long one. */
export interface PlannedBlock {
  kind: "texts" | "part";
  /** Of the texts in it, in order; of a part one. */
  indexes: number[];
  bytes: Uint8Array;
}

/** Blocks for texts that are in the order in which they should meet (see `groupTexts`). */
export function planBlocks(
  texts: readonly TextOfBlock[],
  blockBytes = BLOCK_BYTES,
): PlannedBlock[] {
  const blocks: PlannedBlock[] = [];
  let open: TextOfBlock[] = [];
  let size = 0;
  const close = () => {
    if (open.length > 0) blocks.push(joinTexts(open, size));
    [open, size] = [[], 0];
  };
  for (const text of texts) {
    const needed = text.bytes.length + 1;
    if (needed > MAX_PIECE_BYTES || text.bytes.includes(0)) {
      for (let at = 0; at < text.bytes.length; at += MAX_PIECE_BYTES)
        blocks.push({
          kind: "part",
          indexes: [text.index],
          bytes: text.bytes.subarray(at, at + MAX_PIECE_BYTES),
        });
      continue;
    }
    if (size + needed > blockBytes) close();
    open.push(text);
    size += needed;
  }
  close();
  return blocks;
}

function joinTexts(texts: readonly TextOfBlock[], size: number): PlannedBlock {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const text of texts) {
    bytes.set(text.bytes, at);
    at += text.bytes.length + 1;
  }
  return { kind: "texts", indexes: texts.map(({ index }) => index), bytes };
}

/** The texts of a decoded block of whole texts, as views; null when there aren't `count`. */
export function splitTexts(bytes: Uint8Array, count: number): Uint8Array[] | null {
  const texts: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
    texts.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return texts.length === count && start === bytes.length ? texts : null;
}

/** Sample of a text's words in runs of five, by hash: what near-duplicates and quotes share. */
const SHINGLE_WORDS = 5;
const SHINGLE_LISTS = 8;
/** What more texts than this share is a footer, and says nothing about them. */
const MOST_SHARING = 8;

function leastShingles(text: string): number[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const least: number[] = [];
  for (let i = 0; i + SHINGLE_WORDS <= words.length; i++) {
    let hash = 0x811c9dc5;
    for (let w = i; w < i + SHINGLE_WORDS; w++) {
      const word = words[w]!;
      for (let c = 0; c < word.length; c++)
        hash = Math.imul(hash ^ word.charCodeAt(c), 0x01000193) >>> 0;
      hash = Math.imul(hash ^ 32, 0x01000193) >>> 0;
    }
    // The least of each of eight lists: texts that share a passage meet in some of them.
    const list = hash % SHINGLE_LISTS;
    if (least[list] === undefined || hash < least[list]!) least[list] = hash;
  }
  return least.filter((hash) => hash !== undefined);
}

/**
 * Orders texts so that those that quote or repeat each other, or have the same `thread`, come one
 * after the other; everything else stays in its order.
 */
export function groupTexts<T extends { text: string; thread: string | null }>(
  items: readonly T[],
): T[] {
  const parent = items.map((_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]!]!;
      i = parent[i]!;
    }
    return i;
  };
  const join = (a: number, b: number) => {
    const [x, y] = [find(a), find(b)];
    parent[Math.max(x, y)] = Math.min(x, y);
  };
  const byThread = new Map<string, number>();
  const byShingle = new Map<number, number[]>();
  items.forEach(({ text, thread }, i) => {
    if (thread !== null) {
      const known = byThread.get(thread);
      if (known === undefined) byThread.set(thread, i);
      else join(known, i);
    }
    for (const shingle of leastShingles(text)) {
      const known = byShingle.get(shingle);
      if (known === undefined) byShingle.set(shingle, [i]);
      else known.push(i);
    }
  });
  for (const sharing of byShingle.values())
    if (sharing.length <= MOST_SHARING) for (const i of sharing) join(sharing[0]!, i);
  const groups = new Map<number, T[]>();
  items.forEach((item, i) => {
    const root = find(i);
    const group = groups.get(root);
    if (group) group.push(item);
    else groups.set(root, [item]);
  });
  return [...groups.values()].flat();
}
