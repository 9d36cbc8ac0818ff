/**
 * The vector kernels in AssemblyScript with WebAssembly SIMD. `reference.ts` is their specification:
 * the same results bit for bit. Memory is the host's (`kernel.ts` lays it out); nothing is allocated here.
 */

/** Words of 64 sign bits per vector: 384 / 64. */
const WORDS: usize = 6;

/**
 * Appends the slots of one block whose Hamming distance to the query isn't above the running
 * threshold, as (distance << 32 | slot) pairs, and returns the new count.
 *
 * state: u32[0] threshold, u32[1] slots kept at or below it, then 385 counters by distance.
 * When the buffer is full it is compacted to those at or below the threshold: fewer than 2 * wanted,
 * so that a capacity above that always leaves room.
 */
export function hammingBlock(
  query: usize,
  codes: usize,
  live: usize,
  filter: usize,
  firstSlot: u32,
  slotCount: u32,
  wanted: u32,
  state: usize,
  buffer: usize,
  capacity: u32,
  count: u32,
): u32 {
  const q0 = load<u64>(query, 0);
  const q1 = load<u64>(query, 8);
  const q2 = load<u64>(query, 16);
  const q3 = load<u64>(query, 24);
  const q4 = load<u64>(query, 32);
  const q5 = load<u64>(query, 40);
  const counters = state + 8;
  let threshold = load<u32>(state, 0);
  let kept = load<u32>(state, 4);
  for (let base: u32 = 0; base < slotCount; base += 64) {
    const word = <usize>(base >> 3);
    let bits = load<u64>(live + word);
    if (filter != 0) bits &= load<u64>(filter + word);
    while (bits != 0) {
      const slot = base + <u32>ctz(bits);
      bits &= bits - 1;
      const code = codes + <usize>slot * (WORDS << 3);
      const distance = <u32>(
        (popcnt(q0 ^ load<u64>(code, 0)) +
          popcnt(q1 ^ load<u64>(code, 8)) +
          popcnt(q2 ^ load<u64>(code, 16)) +
          popcnt(q3 ^ load<u64>(code, 24)) +
          popcnt(q4 ^ load<u64>(code, 32)) +
          popcnt(q5 ^ load<u64>(code, 40)))
      );
      // At the threshold itself the earlier slots win once there are enough.
      if (distance > threshold || (distance == threshold && kept >= wanted)) continue;
      store<u64>(
        buffer + ((<usize>count) << 3),
        ((<u64>distance) << 32) | (<u64>(firstSlot + slot)),
      );
      count++;
      const counter = counters + ((<usize>distance) << 2);
      store<u32>(counter, load<u32>(counter) + 1);
      kept++;
      // The threshold is the smallest distance with `wanted` slots at or below it.
      while (kept - load<u32>(counters + ((<usize>threshold) << 2)) >= wanted) {
        kept -= load<u32>(counters + ((<usize>threshold) << 2));
        threshold--;
      }
      if (count == capacity) {
        let left: u32 = 0;
        for (let i: u32 = 0; i < count; i++) {
          const pair = load<u64>(buffer + ((<usize>i) << 3));
          if (<u32>(pair >> 32) <= threshold) {
            store<u64>(buffer + ((<usize>left) << 3), pair);
            left++;
          }
        }
        count = left;
      }
    }
  }
  store<u32>(state, threshold, 0);
  store<u32>(state, kept, 4);
  return count;
}

/**
 * Dot products of an INT16 query with INT8 rows, as INT32: out[i] = query · row[slots[i]].
 * |query[i]| ≤ 32,767 and |code| ≤ 127 keep 384 products below 2^31.
 */
export function dotRows(
  query: usize,
  rows: usize,
  stride: u32,
  slots: usize,
  count: u32,
  dimensions: u32,
  out: usize,
): void {
  for (let i: u32 = 0; i < count; i++) {
    const row = rows + <usize>load<u32>(slots + ((<usize>i) << 2)) * <usize>stride;
    let sum = i32x4.splat(0);
    for (let at: usize = 0; at < <usize>dimensions; at += 16) {
      const codes = v128.load(row + at);
      const low = v128.load(query + (at << 1));
      const high = v128.load(query + (at << 1), 16);
      sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(codes), low));
      sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(codes), high));
    }
    store<i32>(
      out + ((<usize>i) << 2),
      i32x4.extract_lane(sum, 0) +
        i32x4.extract_lane(sum, 1) +
        i32x4.extract_lane(sum, 2) +
        i32x4.extract_lane(sum, 3),
    );
  }
}
