/**
 * BM25 over posting lists, in AssemblyScript: what `ScalarScorer` (../scorer.ts) does, bit for bit.
 * All arrays are in the imported memory, where `layout` says; hosted by ../wasm-scorer.ts.
 *
 * More than 400 lines: its steps share the state of one query in variables that other modules could only read.
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

/** Decodes a block to document numbers of the part and frequencies; returns where the next one begins. */
function decode(at: usize, n: i32, previous: i32, docs: usize, frequencies: usize): usize {
  const head = <u32>load<u8>(at);
  const width = head & 0x7f;
  let p = at + 1;
  let doc = previous;
  if (width == 32) {
    for (let i = 0; i < n; i++, p += 4) {
      doc += load<i32>(p) + 1;
      store<i32>(docs + (<usize>i << 2), doc);
    }
  } else {
    const mask = <u64>((1 << width) - 1);
    let bit: u32 = 0;
    for (let i = 0; i < n; i++, bit += width) {
      doc += <i32>((load<u64>(p + (bit >> 3)) >> <u64>(bit & 7)) & mask) + 1;
      store<i32>(docs + (<usize>i << 2), doc);
    }
    p += (bit + 7) >> 3;
  }
  plain = head < 0x80;
  if (!plain) {
    memory.fill(frequencies, 2, BLOCK);
    const exceptions = <i32>load<u8>(p++);
    for (let i = 0; i < exceptions; i++, p += 2) {
      const place = <i32>load<u8>(p);
      if (place < n) store<u8>(frequencies + place, load<u8>(p + 1));
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
    at = decode(at, n, previous, DOCS, FREQUENCIES);
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
    at = decode(at, n, previous, DOCS, FREQUENCIES);
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

/** Of equals the one of the least ordinal: documents are numbered in the order in which they came to be indexed. */
// @ts-ignore: decorator
@inline
function isBetter(score: f32, doc: u32, otherScore: f32, otherDoc: u32): bool {
  if (score != otherScore) return score > otherScore;
  return load<i32>(ordinals + (<usize>doc << 2)) < load<i32>(ordinals + (<usize>otherDoc << 2));
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

/** Cursors over the lists of a phrase's words, one per word. */
const CURSOR_BYTES: usize = 1024;
const END: i32 = i32.MAX_VALUE;

// @ts-ignore: decorator
@unmanaged
class Cursor {
  list: usize;
  count: i32;
  blocks: usize;
  positions: usize;
  block: i32;
  place: i32;
  size: i32;
  doc: i32;
  /** Where the positions of posting `positionOf` of the block begin. */
  positionAt: usize;
  positionOf: i32;
  /** The current document's positions, one after the other. */
  reading: usize;
  position: u32;
  isLast: bool;
}

// @ts-ignore: decorator
@inline
function docsOf(cursor: Cursor): usize {
  return changetype<usize>(cursor) + 64;
}

function openBlock(cursor: Cursor, block: i32): i32 {
  const from = block * BLOCK;
  if (from >= cursor.count) {
    cursor.size = 0;
    cursor.place = 0;
    cursor.doc = END;
    return END;
  }
  let at = cursor.blocks;
  let previous = -1;
  cursor.positionAt = cursor.positions;
  if (block > 0) {
    const skip = cursor.list + <usize>(block - 1) * 12;
    previous = load<i32>(skip);
    at += load<u32>(skip, 4);
    cursor.positionAt += load<u32>(skip, 8);
  }
  const docs = docsOf(cursor);
  cursor.size = min(BLOCK, cursor.count - from);
  decode(at, cursor.size, previous, docs, docs + 512);
  if (plain) memory.fill(docs + 512, 2, BLOCK);
  cursor.positionOf = 0;
  cursor.block = block;
  cursor.place = 0;
  cursor.doc = load<i32>(docs);
  return cursor.doc;
}

function nextDoc(cursor: Cursor): i32 {
  const place = cursor.place + 1;
  if (place >= cursor.size) return openBlock(cursor, cursor.block + 1);
  cursor.place = place;
  cursor.doc = load<i32>(docsOf(cursor) + (<usize>place << 2));
  return cursor.doc;
}

/** Goes to the first document that is `target` or after it. */
function advance(cursor: Cursor, target: i32): i32 {
  if (cursor.doc >= target) return cursor.doc;
  const docs = docsOf(cursor);
  if (cursor.size == 0 || load<i32>(docs + (<usize>(cursor.size - 1) << 2)) < target) {
    const last = ((cursor.count + BLOCK - 1) >> 7) - 1;
    let low = cursor.block + 1;
    let high = last;
    if (low > high) return openBlock(cursor, low);
    if (cursor.count > BLOCK) {
      if (load<i32>(cursor.list + <usize>high * 12) < target) return openBlock(cursor, last + 1);
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (load<i32>(cursor.list + <usize>middle * 12) < target) low = middle + 1;
        else high = middle;
      }
    }
    openBlock(cursor, low);
  }
  let place = cursor.place;
  while (place < cursor.size && load<i32>(docs + (<usize>place << 2)) < target) place++;
  if (place == cursor.size) return openBlock(cursor, cursor.block + 1);
  cursor.place = place;
  cursor.doc = load<i32>(docs + (<usize>place << 2));
  return cursor.doc;
}

/** Goes before the first position of the current document. */
function openPositions(cursor: Cursor): void {
  let at = cursor.positionAt;
  for (; cursor.positionOf < cursor.place; cursor.positionOf++) {
    let last = false;
    while (!last) {
      let byte = load<u8>(at++);
      last = (byte & 1) != 0;
      while (byte >= 0x80) byte = load<u8>(at++);
    }
  }
  cursor.positionAt = at;
  cursor.reading = at;
  cursor.position = 0;
  cursor.isLast = false;
}

// @ts-ignore: decorator
@inline
function nextPosition(cursor: Cursor): bool {
  if (cursor.isLast) return false;
  let byte = <u32>load<u8>(cursor.reading++);
  cursor.isLast = (byte & 1) != 0;
  let value = byte & 0x7f;
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = load<u8>(cursor.reading++);
    value |= (byte & 0x7f) << shift;
  }
  cursor.position += value >>> 1;
  return true;
}

// @ts-ignore: decorator
@inline
function cursorAt(cursors: usize, word: i32): Cursor {
  return changetype<Cursor>(cursors + <usize>word * CURSOR_BYTES);
}

/** How often the words stand side by side in the document that all cursors are at. */
function occurrences(cursors: usize, words: i32): i32 {
  for (let word = 0; word < words; word++) {
    openPositions(cursorAt(cursors, word));
    if (word > 0) nextPosition(cursorAt(cursors, word));
  }
  const first = cursorAt(cursors, 0);
  let found = 0;
  while (nextPosition(first)) {
    let word = 1;
    for (; word < words; word++) {
      const cursor = cursorAt(cursors, word);
      const wanted = first.position + word;
      while (cursor.position < wanted) if (!nextPosition(cursor)) return found;
      if (cursor.position != wanted) break;
    }
    if (word == words) found++;
  }
  return found;
}

/** Sets up the cursor of one word over its list. */
export function openList(
  cursors: usize,
  word: i32,
  list: usize,
  count: i32,
  skipBytes: usize,
  docBytes: usize,
): void {
  const cursor = cursorAt(cursors, word);
  cursor.list = list;
  cursor.count = count;
  cursor.blocks = list + skipBytes;
  cursor.positions = list + docBytes;
  cursor.block = -1;
  cursor.place = 0;
  cursor.size = 0;
  cursor.doc = -1;
}

/** Counts the documents that have the phrase into the group; `lead` is its rarest word. Returns how many are in it. */
export function countPhrase(
  cursors: usize,
  words: i32,
  lead: i32,
  base: i32,
  groupedCount: i32,
): i32 {
  let total = groupedCount;
  const leading = cursorAt(cursors, lead);
  let doc = openBlock(leading, 0);
  while (doc != END) {
    let target = doc;
    for (let word = 0; word < words && target == doc; word++)
      if (word != lead) target = advance(cursorAt(cursors, word), doc);
    if (target != doc) {
      doc = target == END ? END : advance(leading, target);
      continue;
    }
    const frequency: u32 =
      words == 1
        ? load<u8>(docsOf(leading) + 512 + leading.place)
        : <u32>min(255, 2 * occurrences(cursors, words));
    if (frequency > 0) {
      store<u32>(grouped + (<usize>(total++) << 2), <u32>(base + doc));
      store<u8>(group + <usize>(base + doc), <u8>frequency);
    }
    doc = nextDoc(leading);
  }
  return total;
}
