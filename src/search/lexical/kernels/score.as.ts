/**
 * BM25 over posting lists, in AssemblyScript: what `ScalarScorer` (../scorer.ts) does, bit for bit.
 * All arrays are in the imported memory, where `layout` says; hosted by ../wasm-scorer.ts.
 */

const BLOCK: i32 = 128;

/** Fixed places: tables of 256 floats, then one decoded block. */
const ONCE: usize = 1024;
const PENALTY: usize = 2048;
const DOCS: usize = 3072;
const FREQUENCIES: usize = 3584;

let k1AndOne: f64 = 0;
let norms: usize = 0;
let ordinals: usize = 0;
let scores: usize = 0;
let touched: usize = 0;
let group: usize = 0;
let grouped: usize = 0;
let heapDocs: usize = 0;
let heapScores: usize = 0;
let plain: bool = true;

export function layout(
  k1AndOneIs: f64,
  normsAt: usize,
  ordinalsAt: usize,
  scoresAt: usize,
  touchedAt: usize,
  groupAt: usize,
  groupedAt: usize,
  heapDocsAt: usize,
  heapScoresAt: usize,
): void {
  k1AndOne = k1AndOneIs;
  norms = normsAt;
  ordinals = ordinalsAt;
  scores = scoresAt;
  touched = touchedAt;
  group = groupAt;
  grouped = groupedAt;
  heapDocs = heapDocsAt;
  heapScores = heapScoresAt;
}

/** Decodes a block to DOCS (absolute in the part) and FREQUENCIES; returns where the next one begins. */
function decode(at: usize, n: i32, previous: i32): usize {
  const head = <u32>load<u8>(at);
  const width = head & 0x7f;
  let p = at + 1;
  let doc = previous;
  if (width == 32) {
    for (let i = 0; i < n; i++, p += 4) {
      doc += load<i32>(p) + 1;
      store<i32>(DOCS + (<usize>i << 2), doc);
    }
  } else {
    const mask = <u64>((1 << width) - 1);
    let bit: u32 = 0;
    for (let i = 0; i < n; i++, bit += width) {
      doc += <i32>((load<u64>(p + (bit >> 3)) >> <u64>(bit & 7)) & mask) + 1;
      store<i32>(DOCS + (<usize>i << 2), doc);
    }
    p += (bit + 7) >> 3;
  }
  plain = head < 0x80;
  if (!plain) {
    memory.fill(FREQUENCIES, 2, BLOCK);
    const exceptions = <i32>load<u8>(p++);
    for (let i = 0; i < exceptions; i++, p += 2) {
      const place = <i32>load<u8>(p);
      if (place < n) store<u8>(FREQUENCIES + place, load<u8>(p + 1));
    }
  }
  return p;
}

// @ts-ignore: decorator
@inline
function factor(frequency: u32, norm: u32): f64 {
  const times = <f64>frequency / 2;
  return (times * k1AndOne) / (times + <f64>load<f32>(PENALTY + (<usize>norm << 2)));
}

/** Adds a list's scores; returns how many documents have a score now. */
export function addList(
  list: usize,
  count: i32,
  base: i32,
  weight: f64,
  onlyScored: bool,
  touchedCount: i32,
): i32 {
  let at = list;
  let previous = -1;
  let total = touchedCount;
  for (let left = count; left > 0; left -= BLOCK) {
    const n = min(left, BLOCK);
    at = decode(at, n, previous);
    previous = load<i32>(DOCS + (<usize>(n - 1) << 2));
    for (let i = 0; i < n; i++) {
      const doc = <usize>(base + load<i32>(DOCS + (<usize>i << 2)));
      const cell = scores + (doc << 2);
      const before = load<f32>(cell);
      if (before == 0) {
        if (onlyScored) continue;
        store<u32>(touched + (<usize>(total++) << 2), <u32>doc);
      }
      const norm = <u32>load<u8>(norms + doc);
      const value: f64 = plain
        ? <f64>load<f32>(ONCE + (<usize>norm << 2))
        : factor(load<u8>(FREQUENCIES + i), norm);
      store<f32>(cell, <f32>(<f64>before + weight * value));
    }
  }
  return total;
}

/** Counts a list's documents into the group; returns how many it has now. */
export function countList(list: usize, count: i32, base: i32, groupedCount: i32): i32 {
  let at = list;
  let previous = -1;
  let total = groupedCount;
  for (let left = count; left > 0; left -= BLOCK) {
    const n = min(left, BLOCK);
    at = decode(at, n, previous);
    previous = load<i32>(DOCS + (<usize>(n - 1) << 2));
    for (let i = 0; i < n; i++) {
      const doc = <usize>(base + load<i32>(DOCS + (<usize>i << 2)));
      const before = <u32>load<u8>(group + doc);
      if (before == 0) store<u32>(grouped + (<usize>(total++) << 2), <u32>doc);
      const frequency: u32 = plain ? 2 : load<u8>(FREQUENCIES + i);
      store<u8>(group + doc, <u8>min(255, before + frequency));
    }
  }
  return total;
}

/** Scores the group as one term and empties it; returns how many documents have a score now. */
export function addGroup(weight: f64, groupedCount: i32, touchedCount: i32): i32 {
  let total = touchedCount;
  for (let i = 0; i < groupedCount; i++) {
    const doc = <usize>load<u32>(grouped + (<usize>i << 2));
    const cell = scores + (doc << 2);
    const before = load<f32>(cell);
    if (before == 0) store<u32>(touched + (<usize>(total++) << 2), <u32>doc);
    const value = factor(load<u8>(group + doc), load<u8>(norms + doc));
    store<f32>(cell, <f32>(<f64>before + weight * value));
    store<u8>(group + doc, 0);
  }
  return total;
}

export function clear(touchedCount: i32, groupedCount: i32): void {
  for (let i = 0; i < touchedCount; i++)
    store<f32>(scores + (<usize>load<u32>(touched + (<usize>i << 2)) << 2), 0);
  for (let i = 0; i < groupedCount; i++)
    store<u8>(group + <usize>load<u32>(grouped + (<usize>i << 2)), 0);
}

// @ts-ignore: decorator
@inline
function isBetter(score: f32, doc: u32, otherScore: f32, otherDoc: u32): bool {
  return score > otherScore || (score == otherScore && doc < otherDoc);
}

function siftUp(from: i32, score: f32, doc: u32): void {
  let at = from;
  while (at > 0) {
    const parent = (at - 1) >>> 1;
    const parentScore = load<f32>(heapScores + (<usize>parent << 2));
    const parentDoc = load<u32>(heapDocs + (<usize>parent << 2));
    if (!isBetter(parentScore, parentDoc, score, doc)) break;
    store<f32>(heapScores + (<usize>at << 2), parentScore);
    store<u32>(heapDocs + (<usize>at << 2), parentDoc);
    at = parent;
  }
  store<f32>(heapScores + (<usize>at << 2), score);
  store<u32>(heapDocs + (<usize>at << 2), doc);
}

function siftDown(size: i32, score: f32, doc: u32): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    let childScore = load<f32>(heapScores + (<usize>child << 2));
    let childDoc = load<u32>(heapDocs + (<usize>child << 2));
    if (child + 1 < size) {
      const nextScore = load<f32>(heapScores + (<usize>(child + 1) << 2));
      const nextDoc = load<u32>(heapDocs + (<usize>(child + 1) << 2));
      if (isBetter(childScore, childDoc, nextScore, nextDoc)) {
        child++;
        childScore = nextScore;
        childDoc = nextDoc;
      }
    }
    if (!isBetter(score, doc, childScore, childDoc)) break;
    store<f32>(heapScores + (<usize>at << 2), childScore);
    store<u32>(heapDocs + (<usize>at << 2), childDoc);
    at = child;
  }
  store<f32>(heapScores + (<usize>at << 2), score);
  store<u32>(heapDocs + (<usize>at << 2), doc);
}

/** The best `limit` to the heap's arrays, best first; `allow` is a bitmap of ordinals, 0 for none. Returns how many. */
export function best(touchedCount: i32, limit: i32, allow: usize, allowBits: u32): i32 {
  let size = 0;
  for (let i = 0; i < touchedCount; i++) {
    const doc = load<u32>(touched + (<usize>i << 2));
    const score = load<f32>(scores + (<usize>doc << 2));
    if (size == limit && !isBetter(score, doc, load<f32>(heapScores), load<u32>(heapDocs))) continue;
    const ordinal = load<i32>(ordinals + (<usize>doc << 2));
    if (ordinal < 0) continue;
    if (allow != 0) {
      if (<u32>ordinal >= allowBits) continue;
      if (((load<u8>(allow + (ordinal >>> 3)) >> <u8>(ordinal & 7)) & 1) == 0) continue;
    }
    if (size < limit) siftUp(size++, score, doc);
    else siftDown(size, score, doc);
  }
  for (let end = size - 1; end > 0; end--) {
    const doc = load<u32>(heapDocs + (<usize>end << 2));
    const score = load<f32>(heapScores + (<usize>end << 2));
    store<u32>(heapDocs + (<usize>end << 2), load<u32>(heapDocs));
    store<f32>(heapScores + (<usize>end << 2), load<f32>(heapScores));
    siftDown(end, score, doc);
  }
  return size;
}
