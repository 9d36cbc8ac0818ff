/**
 * The vector kernels in AssemblyScript with WebAssembly SIMD. `reference.ts` is their specification:
 * the same results bit for bit. Memory is the host's (`layout.ts`); nothing is allocated here.
 *
 * More than 400 lines: its steps share the state of one query in variables that other modules could only read.
 */

const BLOCK_SLOTS: u32 = 1024;
const SIGN_BYTES: usize = 48;
const DIMENSIONS: usize = 384;
const SCALES_IN_BLOCK: usize = 49_152;
const ORDINALS_IN_BLOCK: usize = 53_248;
const ROWS_IN_BLOCK: usize = 57_344;
const BLOCK_BYTES: usize = 450_560;
const SLOT_MASK: u64 = 0x7f_ffff;
/** Weighted distances: 0 … 384 × 7. */
const BINS: u32 = 2689;
/** One row in so many tells where the threshold will be; a prime, against periods in the data. */
const SAMPLE_STEP: u32 = 31;
/** Rows from which a sample pays. */
const SAMPLE_MIN: u32 = 32_768;
const SAMPLE_WANTED: u32 = 500;
/** Rows whose cache lines are fetched ahead together: 24 KB. */
const FETCHED: u32 = 64;

// The scan under way; every thread has its own instance.
let query: usize = 0;
let planes: usize = 0;
let wanted: u32 = 0;
let rescored: u32 = 0;
let threshold: u32 = 0;
/** Rows seen at or below the threshold. */
let kept: u32 = 0;
let count: u32 = 0;
let counters: usize = 0;
let keys: usize = 0;
let distances: usize = 0;
let capacity: u32 = 0;
/** The near rows of one block, as distance << 16 | place in the block. */
let list: usize = 0;
let fetched: u32 = 0;

function blockOf(blocks: usize, slot: u32): usize {
  return blocks + <usize>(slot >> 10) * BLOCK_BYTES;
}

/**
 * Starts a scan: `want` rows by signs, of which `rescore` will be chosen. `counterBytes` holds 385
 * counters, the buffers `room` ≥ 2 × max(want, 2 × rescore) keys and distances, the list 1,024 words.
 */
export function beginScan(
  querySigns: usize,
  queryPlanes: usize,
  want: u32,
  rescore: u32,
  counterBytes: usize,
  keyBytes: usize,
  distanceBytes: usize,
  room: u32,
  listBytes: usize,
): void {
  query = querySigns;
  planes = queryPlanes;
  wanted = want;
  rescored = rescore;
  counters = counterBytes;
  keys = keyBytes;
  distances = distanceBytes;
  capacity = room;
  list = listBytes;
  reset(384);
}

function reset(from: u32): void {
  threshold = from;
  kept = 0;
  count = 0;
  memory.fill(counters, 0, 385 * 4);
}

/** Takes a row whose distance isn't above the threshold, lowers the threshold as far as that allows, and gives it. */
function admit(distance: u32, block: usize, slot: u32): u32 {
  const inBlock = <usize>(slot & (BLOCK_SLOTS - 1));
  const code = block + inBlock * SIGN_BYTES;
  let ones: u64 = 0;
  let twos: u64 = 0;
  let fours: u64 = 0;
  for (let at: usize = 0; at < SIGN_BYTES; at += 8) {
    const differing = load<u64>(code + at) ^ load<u64>(query + at);
    ones += popcnt(differing & load<u64>(planes + at));
    twos += popcnt(differing & load<u64>(planes + at, 48));
    fours += popcnt(differing & load<u64>(planes + at, 96));
  }
  const weighted = ones + (twos << 1) + (fours << 2);
  const ordinal = <u64>load<u32>(block + ORDINALS_IN_BLOCK + (inBlock << 2));
  store<u64>(keys + ((<usize>count) << 3), (weighted << 52) | (ordinal << 23) | (<u64>slot));
  store<u16>(distances + ((<usize>count) << 1), <u16>distance);
  count++;
  const counter = counters + ((<usize>distance) << 2);
  store<u32>(counter, load<u32>(counter) + 1);
  kept++;
  // The threshold is the least distance with `wanted` rows at or below it.
  let at = load<u32>(counters + ((<usize>threshold) << 2));
  while (kept - at >= wanted) {
    kept -= at;
    threshold--;
    at = load<u32>(counters + ((<usize>threshold) << 2));
  }
  if (count == capacity) {
    dropAbove();
    if (count > capacity - (capacity >> 3)) dropTies();
  }
  return threshold;
}

/** Drops the candidates above the threshold. */
function dropAbove(): void {
  let left: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const distance = load<u16>(distances + ((<usize>i) << 1));
    if (<u32>distance > threshold) continue;
    store<u64>(keys + ((<usize>left) << 3), load<u64>(keys + ((<usize>i) << 3)));
    store<u16>(distances + ((<usize>left) << 1), distance);
    left++;
  }
  count = left;
}

/** Where very many rows are as far as the threshold: those that can't be chosen go. */
function dropTies(): void {
  let below: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const distance = load<u16>(distances + ((<usize>i) << 1));
    if (<u32>distance == threshold) continue;
    const key = load<u64>(keys + ((<usize>i) << 3));
    store<u64>(keys + ((<usize>i) << 3), load<u64>(keys + ((<usize>below) << 3)));
    store<u64>(keys + ((<usize>below) << 3), key);
    store<u16>(distances + ((<usize>i) << 1), load<u16>(distances + ((<usize>below) << 1)));
    store<u16>(distances + ((<usize>below) << 1), distance);
    below++;
  }
  if (count - below <= rescored) return;
  partition(keys + ((<usize>below) << 3), count - below, rescored);
  count = below + rescored;
}

/**
 * Compares the signs of slots [first, end) with the query's. `mask` is 0, or the address of one bit
 * per slot of this one block, bit 0 being `first`, a multiple of 64.
 */
export function scanSigns(blocks: usize, first: u32, end: u32, mask: usize): void {
  if (mask != 0) {
    scanMasked(blockOf(blocks, first), first, end, mask);
    return;
  }
  if (end - first >= SAMPLE_MIN && wanted >= SAMPLE_WANTED) {
    reset(sampleThreshold(blocks, first, end));
    scanAll(blocks, first, end);
    if (kept >= wanted) return;
    // The sample was of another kind than the rest.
    reset(384);
  }
  scanAll(blocks, first, end);
}

function scanAll(blocks: usize, first: u32, end: u32): void {
  const q0 = load<u64>(query, 0);
  const q1 = load<u64>(query, 8);
  const q2 = load<u64>(query, 16);
  const q3 = load<u64>(query, 24);
  const q4 = load<u64>(query, 32);
  const q5 = load<u64>(query, 40);
  while (first < end) {
    const block = blockOf(blocks, first);
    const inBlock = first & (BLOCK_SLOTS - 1);
    const slots = min<u32>(end - first, BLOCK_SLOTS - inBlock);
    const limit = threshold;
    const half = slots >> 1;
    let code = block + <usize>inBlock * SIGN_BYTES;
    let other = code + <usize>half * SIGN_BYTES;
    let found = list;
    // Near rows are noted first and taken after the block. It is read from both of its halves at once: two
    // streams from memory take less time than one.
    for (let at = inBlock; at < inBlock + half; at++) {
      let distance = <u32>(
        (popcnt(q0 ^ load<u64>(code, 0)) +
          popcnt(q1 ^ load<u64>(code, 8)) +
          popcnt(q2 ^ load<u64>(code, 16)) +
          popcnt(q3 ^ load<u64>(code, 24)) +
          popcnt(q4 ^ load<u64>(code, 32)) +
          popcnt(q5 ^ load<u64>(code, 40)))
      );
      if (distance <= limit) {
        store<u32>(found, (distance << 16) | at);
        found += 4;
      }
      distance = <u32>(
        (popcnt(q0 ^ load<u64>(other, 0)) +
          popcnt(q1 ^ load<u64>(other, 8)) +
          popcnt(q2 ^ load<u64>(other, 16)) +
          popcnt(q3 ^ load<u64>(other, 24)) +
          popcnt(q4 ^ load<u64>(other, 32)) +
          popcnt(q5 ^ load<u64>(other, 40)))
      );
      if (distance <= limit) {
        store<u32>(found, (distance << 16) | (at + half));
        found += 4;
      }
      code += SIGN_BYTES;
      other += SIGN_BYTES;
    }
    if ((slots & 1) != 0) {
      const distance = distanceTo(other);
      if (distance <= limit) {
        store<u32>(found, (distance << 16) | (inBlock + slots - 1));
        found += 4;
      }
    }
    const base = first - inBlock;
    for (let at = list; at < found; at += 4) {
      const row = load<u32>(at);
      if (row >> 16 <= threshold) admit(row >> 16, block, base + (row & 0xffff));
    }
    first += slots;
  }
}

function scanMasked(block: usize, first: u32, end: u32, mask: usize): void {
  let limit = threshold;
  for (let base = first; base < end; base += 64) {
    let bits = load<u64>(mask + ((<usize>(base - first)) >> 3));
    while (bits != 0) {
      const slot = base + <u32>ctz(bits);
      bits &= bits - 1;
      const distance = distanceTo(block + <usize>(slot & (BLOCK_SLOTS - 1)) * SIGN_BYTES);
      if (distance <= limit) limit = admit(distance, block, slot);
    }
  }
}

function distanceTo(code: usize): u32 {
  return <u32>(
    (popcnt(load<u64>(query, 0) ^ load<u64>(code, 0)) +
      popcnt(load<u64>(query, 8) ^ load<u64>(code, 8)) +
      popcnt(load<u64>(query, 16) ^ load<u64>(code, 16)) +
      popcnt(load<u64>(query, 24) ^ load<u64>(code, 24)) +
      popcnt(load<u64>(query, 32) ^ load<u64>(code, 32)) +
      popcnt(load<u64>(query, 40) ^ load<u64>(code, 40)))
  );
}

/**
 * A distance that a few more than `wanted` rows are at or below, judged by a sample: 1.25 times as many
 * and three standard deviations. Without it some five times as many rows would be taken and dropped again.
 */
function sampleThreshold(blocks: usize, first: u32, end: u32): u32 {
  for (let slot = first; slot < end; slot += SAMPLE_STEP) {
    const code = blockOf(blocks, slot) + <usize>(slot & (BLOCK_SLOTS - 1)) * SIGN_BYTES;
    const counter = counters + ((<usize>distanceTo(code)) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  const share = <f64>wanted / <f64>SAMPLE_STEP;
  const needed = <u32>(1.25 * share + 3 * sqrt(share));
  let distance: u32 = 0;
  let seen = load<u32>(counters);
  while (seen < needed && distance < 384) {
    distance++;
    seen += load<u32>(counters + ((<usize>distance) << 2));
  }
  return distance;
}

/** Leaves the candidates in the buffers, in no order, and returns their number. */
export function endScan(): u32 {
  dropAbove();
  return count;
}

/**
 * Of `total` candidates the slots of the `want` least keys: least weighted distance, then lowest
 * ordinal. In no order. `bins` holds 2,689 counters.
 */
export function refine(keyBytes: usize, total: u32, want: u32, bins: usize, chosen: usize): u32 {
  if (want > total) want = total;
  memory.fill(bins, 0, <usize>(BINS * 4));
  for (let i: u32 = 0; i < total; i++) {
    const bin = bins + ((<usize>(load<u64>(keyBytes + ((<usize>i) << 3)) >> 52)) << 2);
    store<u32>(bin, load<u32>(bin) + 1);
  }
  // Whole distances first; only the one that straddles the count has to be ordered.
  let distance: u32 = 0;
  let below: u32 = 0;
  while (distance < BINS - 1) {
    const inBin = load<u32>(bins + ((<usize>distance) << 2));
    if (below + inBin >= want) break;
    below += inBin;
    distance++;
  }
  const from = (<u64>distance) << 52;
  const to = (<u64>(distance + 1)) << 52;
  let taken: u32 = 0;
  let straddling: u32 = 0;
  for (let i: u32 = 0; i < total; i++) {
    const key = load<u64>(keyBytes + ((<usize>i) << 3));
    if (key < from) {
      store<u32>(chosen + ((<usize>taken) << 2), <u32>(key & SLOT_MASK));
      taken++;
    } else if (key < to) {
      store<u64>(keyBytes + ((<usize>straddling) << 3), key);
      straddling++;
    }
  }
  partition(keyBytes, straddling, want - taken);
  for (let i: u32 = 0; taken < want; i++, taken++)
    store<u32>(
      chosen + ((<usize>taken) << 2),
      <u32>(load<u64>(keyBytes + ((<usize>i) << 3)) & SLOT_MASK),
    );
  return want;
}

/** Moves the `least` smallest of `total` u64 to the front, in no order. */
function partition(at: usize, total: u32, least: u32): void {
  if (least == 0 || least >= total) return;
  let low: i32 = 0;
  let high: i32 = <i32>total - 1;
  const k = <i32>least - 1;
  while (low < high) {
    const a = load<u64>(at + ((<usize>low) << 3));
    const b = load<u64>(at + ((<usize>((low + high) >> 1)) << 3));
    const c = load<u64>(at + ((<usize>high) << 3));
    const pivot = a < b ? (b < c ? b : a < c ? c : a) : a < c ? a : b < c ? c : b;
    let i = low;
    let j = high;
    while (i <= j) {
      while (load<u64>(at + ((<usize>i) << 3)) < pivot) i++;
      while (load<u64>(at + ((<usize>j) << 3)) > pivot) j--;
      if (i <= j) {
        const swapped = load<u64>(at + ((<usize>i) << 3));
        store<u64>(at + ((<usize>i) << 3), load<u64>(at + ((<usize>j) << 3)));
        store<u64>(at + ((<usize>j) << 3), swapped);
        i++;
        j--;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else return;
  }
}

/**
 * The score of each of `total` slots, as f32: the integer product of the query (INT14 in i16) and the
 * row, times both scales. A row's values are ±(2u + 1)/4 scales, or ±2u/4 when its scale is negative.
 */
export function scoreRows(
  queryValues: usize,
  queryScale: f64,
  blocks: usize,
  chosen: usize,
  total: u32,
  scores: usize,
): void {
  const lowBits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  const highBits = i16x8(256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
  const zero = i16x8.splat(0);
  for (let start: u32 = 0; start < total; start += FETCHED) {
    const end = min<u32>(start + FETCHED, total);
    // One load per cache line, all independent: memory answers them side by side.
    for (let i = start; i < end; i++) {
      const slot = load<u32>(chosen + ((<usize>i) << 2));
      const row =
        blockOf(blocks, slot) + ROWS_IN_BLOCK + <usize>(slot & (BLOCK_SLOTS - 1)) * DIMENSIONS;
      fetched +=
        load<u32>(row) +
        load<u32>(row, 64) +
        load<u32>(row, 128) +
        load<u32>(row, 192) +
        load<u32>(row, 256) +
        load<u32>(row, 320);
    }
    for (let i = start; i < end; i++) {
      const slot = load<u32>(chosen + ((<usize>i) << 2));
      const block = blockOf(blocks, slot);
      const inBlock = <usize>(slot & (BLOCK_SLOTS - 1));
      const signs = block + inBlock * SIGN_BYTES;
      const row = block + ROWS_IN_BLOCK + inBlock * DIMENSIONS;
      let scale = load<f32>(block + SCALES_IN_BLOCK + (inBlock << 2));
      const half = i16x8.splat(scale < 0 ? 0 : 1);
      scale = abs(scale);
      let sumLow = i32x4.splat(0);
      let sumHigh = i32x4.splat(0);
      for (let at: usize = 0; at < DIMENSIONS; at += 16) {
        const codes = v128.load(row + at);
        const bits = i16x8.splat(<i16>load<u16>(signs + (at >> 3)));
        const isLowNegative = i16x8.eq(v128.and(bits, lowBits), zero);
        const isHighNegative = i16x8.eq(v128.and(bits, highBits), zero);
        let low = v128.or(i16x8.shl(i16x8.extend_low_i8x16_u(codes), 1), half);
        let high = v128.or(i16x8.shl(i16x8.extend_high_i8x16_u(codes), 1), half);
        low = i16x8.sub(v128.xor(low, isLowNegative), isLowNegative);
        high = i16x8.sub(v128.xor(high, isHighNegative), isHighNegative);
        const values = queryValues + (at << 1);
        sumLow = i32x4.add(sumLow, i32x4.dot_i16x8_s(low, v128.load(values)));
        sumHigh = i32x4.add(sumHigh, i32x4.dot_i16x8_s(high, v128.load(values, 16)));
      }
      const sum = i32x4.add(sumLow, sumHigh);
      const product =
        i32x4.extract_lane(sum, 0) +
        i32x4.extract_lane(sum, 1) +
        i32x4.extract_lane(sum, 2) +
        i32x4.extract_lane(sum, 3);
      const score = <f32>(<f64>product * (queryScale * (<f64>scale * 0.25)));
      // No negative zero: it would sort below zero.
      store<f32>(scores + ((<usize>i) << 2), score + 0);
    }
  }
}

/**
 * The best `limit` of `total` scored slots that reach `minScore`, best first, ties to lower ordinals:
 * their ordinals and scores, and their number.
 */
export function bestScores(
  blocks: usize,
  chosen: usize,
  total: u32,
  scores: usize,
  minScore: f32,
  limit: u32,
  buffer: usize,
  ordinals: usize,
): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < total; i++) {
    const score = load<f32>(scores + ((<usize>i) << 2));
    if (score < minScore) continue;
    const slot = load<u32>(chosen + ((<usize>i) << 2));
    const ordinal = load<u32>(
      blockOf(blocks, slot) + ORDINALS_IN_BLOCK + ((<usize>(slot & (BLOCK_SLOTS - 1))) << 2),
    );
    const bits = reinterpret<u32>(score);
    // As an unsigned integer that grows as the score falls.
    const order = bits ^ (bits >> 31 != 0 ? 0 : 0x7fff_ffff);
    store<u64>(buffer + ((<usize>found) << 3), ((<u64>order) << 32) | (<u64>ordinal));
    found++;
  }
  if (found > limit) {
    partition(buffer, found, limit);
    found = limit;
  }
  sort(buffer, found);
  for (let i: u32 = 0; i < found; i++) {
    const key = load<u64>(buffer + ((<usize>i) << 3));
    const order = <u32>(key >> 32);
    store<u32>(ordinals + ((<usize>i) << 2), <u32>key);
    const bits = order ^ (order >> 31 != 0 ? 0 : 0x7fff_ffff);
    store<f32>(scores + ((<usize>i) << 2), reinterpret<f32>(bits));
  }
  return found;
}

/** Ascending: by insertion when few, else a heap. */
function sort(at: usize, total: u32): void {
  if (total <= 24) {
    for (let i: u32 = 1; i < total; i++) {
      const key = load<u64>(at + ((<usize>i) << 3));
      let j = i;
      for (; j > 0; j--) {
        const previous = load<u64>(at + ((<usize>(j - 1)) << 3));
        if (previous <= key) break;
        store<u64>(at + ((<usize>j) << 3), previous);
      }
      store<u64>(at + ((<usize>j) << 3), key);
    }
    return;
  }
  for (let i = total >> 1; i > 0; i--) siftDown(at, i - 1, total);
  for (let end = total - 1; end > 0; end--) {
    const last = load<u64>(at + ((<usize>end) << 3));
    store<u64>(at + ((<usize>end) << 3), load<u64>(at));
    store<u64>(at, last);
    siftDown(at, 0, end);
  }
}

function siftDown(at: usize, root: u32, total: u32): void {
  const key = load<u64>(at + ((<usize>root) << 3));
  let child: u32 = 2 * root + 1;
  while (child < total) {
    let greater = load<u64>(at + ((<usize>child) << 3));
    if (child + 1 < total) {
      const other = load<u64>(at + ((<usize>(child + 1)) << 3));
      if (other > greater) {
        greater = other;
        child++;
      }
    }
    if (greater <= key) break;
    store<u64>(at + ((<usize>root) << 3), greater);
    root = child;
    child = 2 * root + 1;
  }
  store<u64>(at + ((<usize>root) << 3), key);
}

/**
 * Turns `total` rows of INT8 codes into their stored form in place: magnitudes u with the ninth bit as
 * their lowest, and sign bits. `signs` holds the fine bits before, when there are any.
 */
export function encodeRows(rows: usize, signs: usize, total: u32, hasFine: bool): void {
  const zero = i8x16.splat(0);
  const least = i8x16.splat(-127);
  const byteOfLane = i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const bitOfLane = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const end = rows + <usize>total * DIMENSIONS;
  for (; rows < end; rows += 16, signs += 2) {
    const codes = i8x16.max_s(v128.load(rows), least);
    let positive = i8x16.gt_s(codes, zero);
    let magnitude = i8x16.shl(i8x16.abs(codes), 1);
    if (hasFine) {
      const bits = i8x16.swizzle(i16x8.splat(<i16>load<u16>(signs)), byteOfLane);
      const isAbove = i8x16.eq(v128.and(bits, bitOfLane), bitOfLane);
      positive = v128.or(positive, v128.and(i8x16.eq(codes, zero), isAbove));
      // One less where the value lies on the near side of its code's point, seen from zero.
      magnitude = i8x16.add(magnitude, v128.xor(positive, isAbove));
    }
    v128.store(rows, magnitude);
    store<u16>(signs, <u16>i8x16.bitmask(positive));
  }
}
