/**
 * The vector kernels in AssemblyScript with WebAssembly SIMD. `reference.ts` is their specification:
 * the same results bit for bit. Memory is the host's (`layout.ts`); nothing is allocated here.
 */

const BLOCK_SLOTS: u32 = 1024;
const SIGN_BYTES: usize = 48;
const DIMENSIONS: usize = 384;
const SCALES_IN_BLOCK: usize = 49_152;
const ORDINALS_IN_BLOCK: usize = 53_248;
const ROWS_IN_BLOCK: usize = 57_344;
const BLOCK_BYTES: usize = 450_560;
const SLOT_MASK: u64 = 0xff_ffff;
/** Greatest sum of the 4-bit query over positive signs: 384 × 15. */
const MAX_SUM: i32 = 5760;
/** Rows whose cache lines are fetched ahead together: 24 KB. */
const FETCHED: u32 = 64;

// The scan under way; every thread has its own instance.
let wanted: u32 = 0;
let threshold: u32 = 0;
/** Slots seen at or below the threshold. */
let kept: u32 = 0;
let count: u32 = 0;
let counters: usize = 0;
let keys: usize = 0;
let capacity: u32 = 0;
let fetched: u32 = 0;

function keyAt(i: u32): usize {
  return keys + ((<usize>i) << 3);
}

function blockOf(blocks: usize, slot: u32): usize {
  return blocks + <usize>(slot >> 10) * BLOCK_BYTES;
}

/** Starts a scan for the `want` nearest; `counterBytes` holds 385 counters, `buffer` `room` ≥ 2 × `want` keys. */
export function beginScan(want: u32, counterBytes: usize, buffer: usize, room: u32): void {
  wanted = want;
  counters = counterBytes;
  keys = buffer;
  capacity = room;
  threshold = 384;
  kept = 0;
  count = 0;
  memory.fill(counters, 0, 385 * 4);
}

/** Takes a slot whose distance isn't above the threshold, and lowers the threshold as far as that allows. */
function admit(distance: u32, slot: u32, ordinal: u32): void {
  store<u64>(keyAt(count), ((<u64>distance) << 55) | ((<u64>ordinal) << 24) | (<u64>slot));
  count++;
  const counter = counters + ((<usize>distance) << 2);
  store<u32>(counter, load<u32>(counter) + 1);
  kept++;
  // The threshold is the smallest distance with `wanted` slots at or below it.
  let at = load<u32>(counters + ((<usize>threshold) << 2));
  while (kept - at >= wanted) {
    kept -= at;
    threshold--;
    at = load<u32>(counters + ((<usize>threshold) << 2));
  }
  if (count == capacity) {
    dropAbove();
    // Only when very many are equally far: the lowest ordinals of them stay.
    if (count > capacity - (capacity >> 2)) dropTies();
  }
}

/** Drops the keys above the threshold. */
function dropAbove(): void {
  const limit = (<u64>(threshold + 1)) << 55;
  let left: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const key = load<u64>(keyAt(i));
    if (key < limit) {
      store<u64>(keyAt(left), key);
      left++;
    }
  }
  count = left;
}

/** Of keys at or below the threshold, keeps the `wanted` least. */
function dropTies(): void {
  if (count <= wanted) return;
  const limit = (<u64>threshold) << 55;
  let below: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const key = load<u64>(keyAt(i));
    if (key >= limit) continue;
    store<u64>(keyAt(i), load<u64>(keyAt(below)));
    store<u64>(keyAt(below), key);
    below++;
  }
  partition(keyAt(below), count - below, wanted - below);
  count = wanted;
  kept = wanted;
  store<u32>(counters + ((<usize>threshold) << 2), wanted - below);
}

function distanceOf(code: usize, q0: u64, q1: u64, q2: u64, q3: u64, q4: u64, q5: u64): u32 {
  return <u32>(
    (popcnt(q0 ^ load<u64>(code, 0)) +
      popcnt(q1 ^ load<u64>(code, 8)) +
      popcnt(q2 ^ load<u64>(code, 16)) +
      popcnt(q3 ^ load<u64>(code, 24)) +
      popcnt(q4 ^ load<u64>(code, 32)) +
      popcnt(q5 ^ load<u64>(code, 40)))
  );
}

/**
 * Compares the signs of slots [first, end) with the query's. `mask` is 0, or the address of one bit
 * per slot of this one block, bit 0 being `first`, a multiple of 64.
 */
export function scanSigns(query: usize, blocks: usize, first: u32, end: u32, mask: usize): void {
  const q0 = load<u64>(query, 0);
  const q1 = load<u64>(query, 8);
  const q2 = load<u64>(query, 16);
  const q3 = load<u64>(query, 24);
  const q4 = load<u64>(query, 32);
  const q5 = load<u64>(query, 40);
  let limit = threshold;
  if (mask != 0) {
    const block = blockOf(blocks, first);
    for (let base = first; base < end; base += 64) {
      let bits = load<u64>(mask + ((<usize>(base - first)) >> 3));
      while (bits != 0) {
        const slot = base + <u32>ctz(bits);
        bits &= bits - 1;
        const inBlock = <usize>(slot & (BLOCK_SLOTS - 1));
        const distance = distanceOf(block + inBlock * SIGN_BYTES, q0, q1, q2, q3, q4, q5);
        if (distance <= limit) {
          admit(distance, slot, load<u32>(block + ORDINALS_IN_BLOCK + (inBlock << 2)));
          limit = threshold;
        }
      }
    }
    return;
  }
  while (first < end) {
    const block = blockOf(blocks, first);
    const inBlock = first & (BLOCK_SLOTS - 1);
    const slots = min<u32>(end - first, BLOCK_SLOTS - inBlock);
    let code = block + <usize>inBlock * SIGN_BYTES;
    const stop = code + <usize>slots * SIGN_BYTES;
    while (code < stop) {
      const distance = distanceOf(code, q0, q1, q2, q3, q4, q5);
      if (distance <= limit) {
        const at = <u32>((code - block) / SIGN_BYTES);
        admit(
          distance,
          (first & ~(BLOCK_SLOTS - 1)) + at,
          load<u32>(block + ORDINALS_IN_BLOCK + ((<usize>at) << 2)),
        );
        limit = threshold;
      }
      code += SIGN_BYTES;
    }
    first += slots;
  }
}

/** Leaves the keys of the nearest in the buffer, in no order, and returns their number. */
export function endScan(): u32 {
  dropAbove();
  dropTies();
  return count;
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
 * Of `total` candidates (keys of the sign scan), the slots of the `want` with the greatest sum of the
 * 4-bit query over their positive signs; ties to lower ordinals. In no order.
 *
 * The query comes as four bit planes of a, the weights being 2a - 15. `bins` holds 1,441 counters.
 */
export function refine(
  planes: usize,
  blocks: usize,
  buffer: usize,
  total: u32,
  want: u32,
  bins: usize,
  slots: usize,
  chosen: usize,
): u32 {
  if (want > total) want = total;
  memory.fill(bins, 0, 1441 * 4);
  for (let i: u32 = 0; i < total; i++) {
    const key = load<u64>(buffer + ((<usize>i) << 3));
    const slot = <u32>(key & SLOT_MASK);
    const code = blockOf(blocks, slot) + <usize>(slot & (BLOCK_SLOTS - 1)) * SIGN_BYTES;
    let positive: u64 = 0;
    let ones: u64 = 0;
    let twos: u64 = 0;
    let fours: u64 = 0;
    let eights: u64 = 0;
    for (let at: usize = 0; at < SIGN_BYTES; at += 8) {
      const bits = load<u64>(code + at);
      positive += popcnt(bits);
      ones += popcnt(bits & load<u64>(planes + at));
      twos += popcnt(bits & load<u64>(planes + at, 48));
      fours += popcnt(bits & load<u64>(planes + at, 96));
      eights += popcnt(bits & load<u64>(planes + at, 144));
    }
    const sum = 2 * <i32>(ones + (twos << 1) + (fours << 2) + (eights << 3)) - 15 * <i32>positive;
    const rank = <u32>(MAX_SUM - sum);
    store<u32>(slots + ((<usize>i) << 2), slot);
    const ordinal = (key >> 24) & 0x7fff_ffff;
    store<u64>(buffer + ((<usize>i) << 3), ((<u64>rank) << 44) | (ordinal << 13) | (<u64>i));
    const bin = bins + ((<usize>(rank >> 3)) << 2);
    store<u32>(bin, load<u32>(bin) + 1);
  }
  // Whole bins first; only the bin that straddles the count has to be ordered.
  let bin: u64 = 0;
  let below: u32 = 0;
  while (bin < 1440) {
    const inBin = load<u32>(bins + ((<usize>bin) << 2));
    if (below + inBin >= want) break;
    below += inBin;
    bin++;
  }
  const from = bin << 47;
  const to = (bin + 1) << 47;
  let taken: u32 = 0;
  let straddling: u32 = 0;
  for (let i: u32 = 0; i < total; i++) {
    const key = load<u64>(buffer + ((<usize>i) << 3));
    if (key < from) {
      store<u32>(chosen + ((<usize>taken) << 2), load<u32>(slots + ((<usize>(key & 0x1fff)) << 2)));
      taken++;
    } else if (key < to) {
      store<u64>(buffer + ((<usize>straddling) << 3), key);
      straddling++;
    }
  }
  partition(buffer, straddling, want - taken);
  for (let i: u32 = 0; taken < want; i++, taken++)
    store<u32>(
      chosen + ((<usize>taken) << 2),
      load<u32>(slots + ((<usize>(load<u64>(buffer + ((<usize>i) << 3)) & 0x1fff)) << 2)),
    );
  return want;
}

/**
 * The score of each of `total` slots, as f32: the integer product of the query (INT14 in i16) and the
 * row, times both scales. A row's values are ±(2u + 1)/4 scales, or ±2u/4 when its scale is negative.
 */
export function scoreRows(
  query: usize,
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
        const values = query + (at << 1);
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
