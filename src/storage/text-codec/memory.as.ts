/**
 * The memory of the text model (`model.as.ts`): where its tables lie, the slots that are found by
 * hash, and the logs of old values that put the large tables back.
 */

/** Hashed contexts. */
export const CONTEXTS: i32 = 8;
/** Inputs of a mixer: contexts, orders 0 and 1, two matches, a constant, padding to whole vectors. */
export const INPUTS: i32 = 16;

// Constant tables, written by the host.
export const NEXT: usize = 1024; // 256 × 2 u8: next bit history
export const STRETCH: usize = 2048; // 4,096 i16
export const SQUASH: usize = 10240; // 4,096 u16
export const RATES: usize = 18432; // 1,024 u32: 8,192 / (n + 1.5)
export const FIRST: usize = 22528; // 256 u16: a history's first probability
// Scratch.
export const HASHES: usize = 24576; // CONTEXTS u32
export const SINK: usize = 24640; // u32: what `touch` read, so that the reads aren't left out

// The small state: copied whole.
export const SMALL: usize = 32768;
export const MAPS: usize = SMALL; // (CONTEXTS + 2) × 256 u32: probability << 10 | count
export const MATCH_MAPS: usize = MAPS + 10 * 1024; // 2 × 128 u32
export const ORDER_0: usize = MATCH_MAPS + 1024; // 256 u8
export const ORDER_1: usize = ORDER_0 + 256; // 256 × 256 u8
export const BY_BYTE: usize = ORDER_1 + 65536; // 256 × INPUTS i32
export const BY_SEEN: usize = BY_BYTE + 256 * 64; // 6 × 9 × 8 × INPUTS i32
export const FINAL: usize = BY_SEEN + 432 * 64; // 256 × 2 i32
export const SMALL_END: usize = FINAL + 2048;
export const BACKUP: usize = SMALL_END;
// The correction stage: 65,536 × 33 u16.
export const CORRECTION: usize = BACKUP + (SMALL_END - SMALL);
export const TABLES_END: usize = (CORRECTION + 65536 * 66 + 63) & ~63;

let slots: usize = 0; // (1 << slotBits) × 16 bytes: check, 15 histories of a nibble
let slotMask: u32 = 0;
export let matches: usize = 0; // 2 × (1 << matchBits) i32
export let matchMask: u32 = 0;
export let history: usize = 0; // the text
let slotLog: usize = 0; // 20 bytes each: address, the slot's old bytes
let slotLogAt: usize = 0;
let wordLog: usize = 0; // 8 bytes each: address, old word
let wordLogAt: usize = 0;
let marked: bool = false;

export function placeTables(
  slotBits: i32,
  slotsAt: usize,
  matchBits: i32,
  matchesAt: usize,
  historyAt: usize,
  slotLogStart: usize,
  wordLogStart: usize,
): void {
  slots = slotsAt;
  slotMask = (1 << slotBits) - 1;
  matches = matchesAt;
  matchMask = (1 << matchBits) - 1;
  history = historyAt;
  slotLog = slotLogStart;
  slotLogAt = slotLogStart;
  wordLog = wordLogStart;
  wordLogAt = wordLogStart;
  marked = false;
}

/** From now on changes are logged, and `restoreTables` undoes them. */
export function markTables(): void {
  marked = true;
  memory.copy(BACKUP, SMALL, SMALL_END - SMALL);
}

export function restoreTables(): void {
  // Newest first: of several old values at one address the oldest comes last.
  while (slotLogAt > slotLog) {
    slotLogAt -= 20;
    v128.store(<usize>load<u32>(slotLogAt), v128.load(slotLogAt, 4));
  }
  while (wordLogAt > wordLog) {
    wordLogAt -= 8;
    store<u32>(load<u32>(wordLogAt), load<u32>(wordLogAt, 4));
  }
  memory.copy(SMALL, BACKUP, SMALL_END - SMALL);
}

export function logWord(at: usize): void {
  if (!marked) return;
  store<u32>(wordLogAt, <u32>at);
  store<u32>(wordLogAt, load<u32>(at), 4);
  wordLogAt += 8;
}

function slotIn(h: u32): u32 {
  return ((h * 0x9e3779b1) >>> 3) & slotMask;
}

/** The hash of one of the contexts, for the whole byte or for its second half. */
export function slotHash(context: usize, nibble: u32): u32 {
  let h = load<u32>(HASHES + (context << 2));
  if (nibble) {
    h = (h + nibble * 0x3d4d51cb) * 0x9e3779b1;
    h ^= h >>> 15;
  }
  return h;
}

/** Reads one byte of the slots that a hash may be in: they are on their way before they are needed. */
export function touch(h: u32): u32 {
  return <u32>load<u8>(slots + ((<usize>slotIn(h)) << 4));
}

/** The slot of a context: found by its check among three, else the least used of them, emptied. */
export function findSlot(h: u32): usize {
  const check = h >>> 24 ? h >>> 24 : 1;
  const slot = slotIn(h);
  const a = slots + ((<usize>slot) << 4);
  const b = slots + ((<usize>(slot ^ 1)) << 4);
  const c = slots + ((<usize>(slot ^ 2)) << 4);
  // Histories are numbered by how much they have seen.
  const seenA = load<u8>(a, 1);
  const seenB = load<u8>(b, 1);
  let found = select<usize>(b, a, seenB < seenA);
  found = select<usize>(c, found, load<u8>(c, 1) < min(seenA, seenB));
  const isC = <u32>load<u8>(c) == check;
  const isB = <u32>load<u8>(b) == check;
  const isA = <u32>load<u8>(a) == check;
  found = select<usize>(c, found, isC);
  found = select<usize>(b, found, isB);
  found = select<usize>(a, found, isA);
  const old = v128.load(found);
  if (marked) {
    store<u32>(slotLogAt, <u32>found);
    v128.store(slotLogAt, old, 4);
    slotLogAt += 20;
  }
  if (!(isA | isB | isC)) {
    v128.store(found, i32x4.splat(0));
    store<u8>(found, <u8>check);
  }
  return found;
}
