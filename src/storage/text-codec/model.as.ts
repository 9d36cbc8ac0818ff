/**
 * The text model in AssemblyScript: predicts the next bit of a text from what it has read, and codes
 * the bit with an arithmetic coder. `reference-model.ts` is its specification: the same bytes on
 * every machine, since there is nothing but integer arithmetic.
 *
 * Eight hashed contexts and the two shortest orders give a bit history each, every history its
 * learned probability; two match models add what followed the last time; two mixers and a final
 * one weigh them; a last stage corrects the result by the previous byte. Memory is the host's
 * (`wasm-model.ts`). While `marked`, old values of the large tables are logged, so that `rewind`
 * costs as much as was read since and not as much as the tables are large.
 */

/** Hashed contexts. */
const CONTEXTS: i32 = 8;
/** Inputs of a mixer: contexts, orders 0 and 1, two matches, a constant, padding to whole vectors. */
const INPUTS: i32 = 16;

// Constant tables, written by the host.
const NEXT: usize = 1024; // 256 × 2 u8: next bit history
const STRETCH: usize = 2048; // 4,096 i16
const SQUASH: usize = 10240; // 4,096 u16
const RATES: usize = 18432; // 1,024 u32: 8,192 / (n + 1.5)
const FIRST: usize = 22528; // 256 u16: a history's first probability
// Scratch.
const HASHES: usize = 24576; // CONTEXTS u32
const X: usize = 24640; // INPUTS i32

// The small state: copied whole.
const SMALL: usize = 32768;
const MAPS: usize = SMALL; // (CONTEXTS + 2) × 256 u32: probability << 10 | count
const MATCH_MAPS: usize = MAPS + 10 * 1024; // 2 × 128 u32
const ORDER_0: usize = MATCH_MAPS + 1024; // 256 u8
const ORDER_1: usize = ORDER_0 + 256; // 256 × 256 u8
const BY_BYTE: usize = ORDER_1 + 65536; // 256 × INPUTS i32
const BY_SEEN: usize = BY_BYTE + 256 * 64; // 6 × 9 × 8 × INPUTS i32
const FINAL: usize = BY_SEEN + 432 * 64; // 256 × 2 i32
const SMALL_END: usize = FINAL + 2048;
const BACKUP: usize = SMALL_END;
// The correction stage: 65,536 × 33 u16.
const CORRECTION: usize = BACKUP + (SMALL_END - SMALL);
const TABLES_END: usize = (CORRECTION + 65536 * 66 + 63) & ~63;

export const nextAt: usize = NEXT;
export const stretchAt: usize = STRETCH;
export const squashAt: usize = SQUASH;
export const ratesAt: usize = RATES;
export const firstAt: usize = FIRST;
export const tablesEnd: usize = TABLES_END;

let slots: usize = 0; // (1 << slotBits) × 16 bytes: check, 15 histories of a nibble
let slotMask: u32 = 0;
let matches: usize = 0; // 2 × (1 << matchBits) i32
let matchMask: u32 = 0;
let history: usize = 0; // the text
let dirty: usize = 0; // a bit per slot: logged already
let slotLog: usize = 0; // 20 bytes each: slot, its old bytes
let slotLogAt: usize = 0;
let wordLog: usize = 0; // 8 bytes each: address, old word
let wordLogAt: usize = 0;
let marked: bool = false;
let markedAt: i32 = 0;

let low: u32 = 0;
let high: u32 = 0xffffffff;
let code: u32 = 0;
let io: usize = 0;
let ioEnd: usize = 0;

let position: i32 = 0;
let last4: u32 = 0; // the last four bytes
let last8: u32 = 0; // the four before
let word0: u32 = 0; // hash of the word so far
let word1: u32 = 0; // of the one before
let word2: u32 = 0;
let longAt: i32 = 0; // where the long match goes on
let longLength: i32 = 0;
let longMisses: i32 = 0;
let shortAt: i32 = 0;
let shortLength: i32 = 0;
let shortMisses: i32 = 0;

/** Forgets everything. The host has zeroed the slots, matches and `dirty`. */
export function reset(
  slotBits: i32,
  slotsAt: usize,
  matchBits: i32,
  matchesAt: usize,
  historyAt: usize,
  dirtyAt: usize,
  slotLogStart: usize,
  wordLogStart: usize,
): void {
  slots = slotsAt;
  slotMask = (1 << slotBits) - 1;
  matches = matchesAt;
  matchMask = (1 << matchBits) - 1;
  history = historyAt;
  dirty = dirtyAt;
  slotLog = slotLogStart;
  slotLogAt = slotLogStart;
  wordLog = wordLogStart;
  wordLogAt = wordLogStart;
  marked = false;
  for (let map = 0; map < CONTEXTS + 2; map++)
    for (let state = 0; state < 256; state++)
      store<u32>(
        MAPS + (<usize>(map * 256 + state) << 2),
        <u32>load<u16>(FIRST + (<usize>state << 1)) << 16,
      );
  for (let i: usize = 0; i < 256; i++) store<u32>(MATCH_MAPS + (i << 2), 0x80000000);
  memory.fill(ORDER_0, 0, 256 + 65536);
  for (let at = BY_BYTE; at < FINAL; at += 4) store<i32>(at, 24576);
  for (let at = FINAL; at < SMALL_END; at += 4) store<i32>(at, 32768);
  for (let context = 0; context < 65536; context++)
    for (let bucket = 0; bucket < 33; bucket++)
      store<u16>(
        CORRECTION + (<usize>(context * 33 + bucket) << 1),
        <u16>squash((bucket - 16) * 128),
      );
  position = 0;
  startText();
}

/** What comes next has nothing before it. */
function startText(): void {
  last4 = 0;
  last8 = 0;
  word0 = 0;
  word1 = 0;
  word2 = 0;
  longAt = 0;
  longLength = 0;
  longMisses = 0;
  shortAt = 0;
  shortLength = 0;
  shortMisses = 0;
}

/** From now on `rewind` comes back to this state. */
export function mark(): void {
  marked = true;
  markedAt = position;
  memory.copy(BACKUP, SMALL, SMALL_END - SMALL);
  startText();
}

export function rewind(): void {
  while (slotLogAt > slotLog) {
    slotLogAt -= 20;
    const slot = load<u32>(slotLogAt);
    v128.store(slots + (<usize>slot << 4), v128.load(slotLogAt, 4));
    store<u8>(dirty + (slot >> 3), 0);
  }
  // Newest first: of several old values at one address the oldest comes last.
  while (wordLogAt > wordLog) {
    wordLogAt -= 8;
    store<u32>(load<u32>(wordLogAt), load<u32>(wordLogAt, 4));
  }
  memory.copy(SMALL, BACKUP, SMALL_END - SMALL);
  position = markedAt;
  startText();
}

export function getPosition(): i32 {
  return position;
}

/** Codes `count` bytes that lie at the end of the history; returns the end of what was written at `out`. */
export function encode(count: i32, out: usize): usize {
  low = 0;
  high = 0xffffffff;
  io = out;
  for (let i = 0; i < count; i++) codeByte(true);
  // One byte says which part of the range it is: the decoder reads zeros after it.
  if (low != 0) store<u8>(io++, <u8>((low >>> 24) + 1));
  return io;
}

/** Appends `count` bytes to the history, decoded from [start, end). */
export function decode(count: i32, start: usize, end: usize): void {
  low = 0;
  high = 0xffffffff;
  code = 0;
  io = start;
  ioEnd = end;
  for (let i = 0; i < 4; i++) code = (code << 8) | nextInput();
  for (let i = 0; i < count; i++) codeByte(false);
}

@inline
function nextInput(): u32 {
  return io < ioEnd ? <u32>load<u8>(io++) : 0;
}

@inline
function stretch(p16: u32): i32 {
  return <i32>load<i16>(STRETCH + (<usize>(p16 >> 4) << 1));
}

@inline
function clamp(x: i32): i32 {
  return x > 2047 ? 2047 : x < -2047 ? -2047 : x;
}

@inline
function squash(x: i32): i32 {
  return <i32>load<u16>(SQUASH + (<usize>(clamp(x) + 2048) << 1));
}

@inline
function hash(value: u32, salt: u32): u32 {
  let h = (value + salt * 0x9e3779b1) * 0x85ebca6b;
  h ^= h >>> 15;
  h *= 0xc2b2ae35;
  return h ^ (h >>> 13);
}

@inline
function logWord(at: usize): void {
  if (!marked) return;
  store<u32>(wordLogAt, <u32>at);
  store<u32>(wordLogAt, load<u32>(at), 4);
  wordLogAt += 8;
}

@inline
function logSlot(slot: u32): void {
  if (!marked) return;
  const at = dirty + (slot >> 3);
  const bit = <u32>1 << (slot & 7);
  const bits = <u32>load<u8>(at);
  if (bits & bit) return;
  store<u8>(at, <u8>(bits | bit));
  store<u32>(slotLogAt, slot);
  v128.store(slotLogAt, v128.load(slots + (<usize>slot << 4)), 4);
  slotLogAt += 20;
}

/** The slot of a context: found by its check among three, else the least used of them, emptied. */
function findSlot(h: u32): usize {
  const check = h >>> 24 ? h >>> 24 : 1;
  const slotA = ((h * 0x9e3779b1) >>> 3) & slotMask;
  const a = slots + (<usize>slotA << 4);
  if (<u32>load<u8>(a) == check) {
    logSlot(slotA);
    return a;
  }
  const slotB = slotA ^ 1;
  const b = slots + (<usize>slotB << 4);
  if (<u32>load<u8>(b) == check) {
    logSlot(slotB);
    return b;
  }
  const slotC = slotA ^ 2;
  const c = slots + (<usize>slotC << 4);
  if (<u32>load<u8>(c) == check) {
    logSlot(slotC);
    return c;
  }
  // Histories are numbered by how much they have seen.
  let slot = slotA;
  let least = load<u8>(a, 1);
  if (load<u8>(b, 1) < least) {
    slot = slotB;
    least = load<u8>(b, 1);
  }
  if (load<u8>(c, 1) < least) slot = slotC;
  logSlot(slot);
  const found = slots + (<usize>slot << 4);
  v128.store(found, i32x4.splat(0));
  store<u8>(found, <u8>check);
  return found;
}

@inline
function slotOf(context: usize, nibble: u32): usize {
  let h = load<u32>(HASHES + (context << 2));
  if (nibble) {
    h = (h + nibble * 0x3d4d51cb) * 0x9e3779b1;
    h ^= h >>> 15;
  }
  return findSlot(h);
}

@inline
function hashContexts(): void {
  store<u32>(HASHES, hash(last4 & 0xffff, 2), 0);
  store<u32>(HASHES, hash(last4 & 0xffffff, 3), 4);
  store<u32>(HASHES, hash(last4, 4), 8);
  store<u32>(HASHES, hash(last4 * 0x2f0b4c47 + (last8 & 0xffff), 6), 12);
  store<u32>(HASHES, hash(word0, 7), 16);
  const pair = word0 * 0x2f0b4c47 + word1;
  store<u32>(HASHES, hash(pair, 8), 20);
  store<u32>(HASHES, hash(pair * 0x3c6ef372 + word2, 9), 24);
  store<u32>(HASHES, hash(word0 * 0x2f0b4c47 + word2, 10), 28);
}

@inline
function learned(at: usize): u32 {
  return load<u32>(at) >>> 16;
}

/** Moves a probability towards the bit: fast at first, then by 1/128 of the way. */
@inline
function learn(at: usize, bit: u32): void {
  const entry = load<u32>(at);
  const count = entry & 0x3ff;
  const p = <i32>(entry >>> 10);
  const delta = (bit ? 4194303 : 0) - p;
  const moved = p + (((delta >> 4) * <i32>load<u32>(RATES + (<usize>count << 2))) >> 9);
  store<u32>(at, (<u32>moved << 10) | (count < 127 ? count + 1 : count));
}

@inline
function dot(weights: usize): i32 {
  let sum = i32x4.splat(0);
  for (let i: usize = 0; i < <usize>(INPUTS * 4); i += 16)
    sum = i32x4.add(sum, i32x4.shr_s(i32x4.mul(v128.load(X + i), v128.load(weights + i)), 6));
  return (
    (i32x4.extract_lane(sum, 0) +
      i32x4.extract_lane(sum, 1) +
      i32x4.extract_lane(sum, 2) +
      i32x4.extract_lane(sum, 3)) >>
    10
  );
}

@inline
function train(weights: usize, error: i32): void {
  const scale = i32x4.splat(error);
  const half = i32x4.splat(1 << 17);
  const most = i32x4.splat(1 << 19);
  const least = i32x4.splat(-(1 << 19));
  for (let i: usize = 0; i < <usize>(INPUTS * 4); i += 16) {
    const step = i32x4.shr_s(i32x4.add(i32x4.mul(v128.load(X + i), scale), half), 18);
    const moved = i32x4.add(v128.load(weights + i), step);
    v128.store(weights + i, i32x4.min_s(most, i32x4.max_s(least, moved)));
  }
}

@inline
function trainFinal(at: usize, input: i32, error: i32): void {
  const moved = load<i32>(at) + ((input * error + (1 << 17)) >> 18);
  store<i32>(at, min(1 << 19, max(-(1 << 19), moved)));
}

/** 0 for none, else 1 to 31: finer for short matches. */
@inline
function lengthClass(length: i32): i32 {
  if (length < 16) return length;
  return length < 32 ? 16 + ((length - 16) >> 2) : 20 + min((length - 32) >> 4, 11);
}

/** The next bit's address of a context's history, its value, and the probability learned for it. */
@inline
function input(context: usize, history: u32): usize {
  const at = MAPS + (context << 10) + (<usize>history << 2);
  store<i32>(X + (context << 2), history ? stretch(learned(at)) : 0);
  return at;
}

@inline
function advance(at: usize, history: u32, map: usize, bit: u32): void {
  learn(map, bit);
  store<u8>(at, load<u8>(NEXT + (<usize>history << 1) + bit));
}

/** What the match expects as input, with the strength learned for its length; 0 when it said something else. */
@inline
function matchInput(at: usize, map: usize, expectedBit: u32): void {
  const strength = map ? stretch(learned(map)) : 0;
  store<i32>(X + at, expectedBit ? strength : -strength);
}

function codeByte(encoding: bool): void {
  hashContexts();
  const symbol: u32 = encoding ? <u32>load<u8>(history + position) : 0;
  const order1 = ORDER_1 + (<usize>(last4 & 0xff) << 8);
  // The expected byte with a leading one, so that it can be compared with a partial byte.
  const longByte: u32 = longLength > 0 ? <u32>load<u8>(history + longAt) | 256 : 0;
  const shortByte: u32 = shortLength > 0 ? <u32>load<u8>(history + shortAt) | 256 : 0;
  const longClass = lengthClass(longLength);
  const longMap = MATCH_MAPS + (<usize>(longClass * 4 + min(longMisses, 3)) << 2);
  const shortMap =
    MATCH_MAPS + 512 + (<usize>(lengthClass(shortLength) * 4 + min(shortMisses, 3)) << 2);
  const reach =
    longClass < 1 ? 0 : longClass < 12 ? 2 : longClass < 20 ? 3 : longClass < 31 ? 4 : 5;

  let partial: u32 = 1; // the bits so far after a leading one
  let n0: usize = 0, n1: usize = 0, n2: usize = 0, n3: usize = 0;
  let n4: usize = 0, n5: usize = 0, n6: usize = 0, n7: usize = 0;
  for (let index = 0; index < 8; index++) {
    if (index == 0 || index == 4) {
      const nibble: u32 = index == 0 ? 0 : partial;
      n0 = slotOf(0, nibble);
      n1 = slotOf(1, nibble);
      n2 = slotOf(2, nibble);
      n3 = slotOf(3, nibble);
      n4 = slotOf(4, nibble);
      n5 = slotOf(5, nibble);
      n6 = slotOf(6, nibble);
      n7 = slotOf(7, nibble);
    }
    const low4 = <u32>(1 << (index & 3));
    const node = <usize>(index < 4 ? partial : low4 | (partial & (low4 - 1)));

    const t0 = n0 + node, h0 = <u32>load<u8>(t0), m0 = input(0, h0);
    const t1 = n1 + node, h1 = <u32>load<u8>(t1), m1 = input(1, h1);
    const t2 = n2 + node, h2 = <u32>load<u8>(t2), m2 = input(2, h2);
    const t3 = n3 + node, h3 = <u32>load<u8>(t3), m3 = input(3, h3);
    const t4 = n4 + node, h4 = <u32>load<u8>(t4), m4 = input(4, h4);
    const t5 = n5 + node, h5 = <u32>load<u8>(t5), m5 = input(5, h5);
    const t6 = n6 + node, h6 = <u32>load<u8>(t6), m6 = input(6, h6);
    const t7 = n7 + node, h7 = <u32>load<u8>(t7), m7 = input(7, h7);
    const t8 = ORDER_0 + <usize>partial, h8 = <u32>load<u8>(t8), m8 = input(8, h8);
    const t9 = order1 + <usize>partial, h9 = <u32>load<u8>(t9), m9 = input(9, h9);
    const seen =
      <i32>(h0 != 0) + <i32>(h1 != 0) + <i32>(h2 != 0) + <i32>(h3 != 0) +
      <i32>(h4 != 0) + <i32>(h5 != 0) + <i32>(h6 != 0) + <i32>(h7 != 0);

    const longHolds = longByte != 0 && longByte >> (8 - index) == partial;
    const longBit = longHolds ? (longByte >> (7 - index)) & 1 : 0;
    matchInput(40, longHolds ? longMap : 0, longBit);
    const shortHolds = shortByte != 0 && shortByte >> (8 - index) == partial;
    const shortBit = shortHolds ? (shortByte >> (7 - index)) & 1 : 0;
    matchInput(44, shortHolds ? shortMap : 0, shortBit);
    store<i32>(X, 256, 48);

    const following = longHolds ? reach : shortHolds ? 1 : 0;
    const byByte = BY_BYTE + (<usize>(last4 & 0xff) << 6);
    const bySeen = BY_SEEN + (<usize>((following * 9 + seen) * 8 + index) << 6);
    const dByte = clamp(dot(byByte));
    const dSeen = clamp(dot(bySeen));
    const final = FINAL + (<usize>partial << 3);
    const dFinal = clamp(
      (((dByte * load<i32>(final)) >> 6) + ((dSeen * load<i32>(final, 4)) >> 6)) >> 10,
    );
    const mixed = squash(dFinal);

    const bucket = (dFinal + 2048) >> 7;
    const weight = (dFinal + 2048) & 127;
    const correction =
      CORRECTION + (<usize>((<i32>(partial | ((last4 & 0xff) << 8))) * 33 + bucket) << 1);
    const corrected =
      (<i32>load<u16>(correction) * (128 - weight) + <i32>load<u16>(correction, 2) * weight) >> 7;
    const p = <u32>min(65520, max(16, (mixed + corrected + 1) >> 1));

    const range = high - low;
    const middle = low + (range >>> 16) * p + (((range & 0xffff) * p) >>> 16);
    let bit: u32 = 0;
    if (encoding) bit = (symbol >> (7 - index)) & 1;
    else bit = code <= middle ? 1 : 0;
    if (bit) high = middle;
    else low = middle + 1;
    while (((low ^ high) & 0xff000000) == 0) {
      if (encoding) store<u8>(io++, <u8>(high >>> 24));
      else code = (code << 8) | nextInput();
      low <<= 8;
      high = (high << 8) | 255;
    }

    const target = bit ? 4095 : 0;
    train(byByte, (target - (squash(dByte) >> 4)) * 28);
    train(bySeen, (target - (squash(dSeen) >> 4)) * 28);
    const error = (target - (mixed >> 4)) * 28;
    trainFinal(final, dByte, error);
    trainFinal(final + 4, dSeen, error);
    const nearer = correction + (weight >= 64 ? 2 : 0);
    logWord(nearer & ~3);
    const old = <i32>load<u16>(nearer);
    store<u16>(nearer, <u16>(old + (((bit ? 65535 : 0) - old) >> 6)));
    advance(t0, h0, m0, bit);
    advance(t1, h1, m1, bit);
    advance(t2, h2, m2, bit);
    advance(t3, h3, m3, bit);
    advance(t4, h4, m4, bit);
    advance(t5, h5, m5, bit);
    advance(t6, h6, m6, bit);
    advance(t7, h7, m7, bit);
    advance(t8, h8, m8, bit);
    advance(t9, h9, m9, bit);
    if (longHolds) learn(longMap, longBit == bit ? 1 : 0);
    if (shortHolds) learn(shortMap, shortBit == bit ? 1 : 0);
    partial = (partial << 1) | bit;
  }
  endByte(partial & 0xff, longByte & 0xff, shortByte & 0xff);
}

function endByte(byte: u32, longByte: u32, shortByte: u32): void {
  store<u8>(history + position, <u8>byte);
  position++;
  last8 = (last8 << 8) | (last4 >>> 24);
  last4 = (last4 << 8) | byte;
  const folded = byte >= 65 && byte <= 90 ? byte + 32 : byte;
  const inWord =
    (folded >= 97 && folded <= 122) || byte >= 128 || byte == 39 || (byte >= 48 && byte <= 57);
  if (inWord) word0 = (word0 + folded + 1) * 0x2f0b4c47;
  else if (word0 != 0) {
    word2 = word1;
    word1 = word0;
    word0 = 0;
  }
  if (longLength > 0) {
    if (longByte == byte) {
      longLength = min(400, longLength + 1);
      longAt++;
      if (longLength == 16) longMisses = 0;
    } else {
      longLength = 0;
      longMisses++;
    }
  }
  if (shortLength > 0) {
    if (shortByte == byte) {
      shortLength = min(400, shortLength + 1);
      shortAt++;
      if (shortLength == 16) shortMisses = 0;
    } else {
      shortLength = 0;
      shortMisses++;
    }
  }
  if (position >= 5) {
    const h = hash(last4 * 0x2f0b4c47 + (last8 & 0xff), 21);
    const at = matches + (<usize>(h & matchMask) << 2);
    if (shortLength == 0) {
      const found = load<i32>(at);
      const length = commonLength(found, 32);
      if (length >= 5) {
        shortLength = length;
        shortAt = found;
      }
    }
    logWord(at);
    store<i32>(at, position);
  }
  if (position >= 12) {
    const before = load<u32>(history + position - 12);
    const h = hash(hash(last4 * 0x2f0b4c47 + last8, 22) ^ before, 23);
    const at = matches + ((<usize>matchMask + 1 + <usize>(h & matchMask)) << 2);
    if (longLength == 0) {
      const found = load<i32>(at);
      const length = commonLength(found, 64);
      if (length >= 10) {
        longLength = length;
        longAt = found;
        longMisses = 0;
      }
    }
    logWord(at);
    store<i32>(at, position);
  }
}

/** Bytes that are the same before both places, at most `most`. */
function commonLength(found: i32, most: i32): i32 {
  const limit = min(most, found);
  let length = 0;
  while (
    length < limit &&
    load<u8>(history + found - 1 - length) == load<u8>(history + position - 1 - length)
  )
    length++;
  return length;
}
