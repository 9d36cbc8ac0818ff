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
 *
 * One file of more than 400 lines: contexts and slots are written out one by one, since a loop over
 * arrays costs bounds checks and loads for every bit.
 */

import {
  BY_BYTE,
  BY_SEEN,
  CONTEXTS,
  CORRECTION,
  FINAL,
  FIRST,
  HASHES,
  MAPS,
  MATCH_MAPS,
  NEXT,
  ORDER_0,
  ORDER_1,
  RATES,
  SMALL_END,
  SINK,
  SQUASH,
  STRETCH,
  TABLES_END,
  history,
  logWord,
  markTables,
  placeTables,
  restoreTables,
  slotHash,
  findSlot,
  touch,
} from "./memory.as";
import {
  endByte,
  goTo,
  hash,
  last4,
  last8,
  longAt,
  longLength,
  longMisses,
  position,
  shortAt,
  shortLength,
  shortMisses,
  startText,
  word0,
  word1,
  word2,
} from "./text-state.as";

export const nextAt: usize = NEXT;
export const stretchAt: usize = STRETCH;
export const squashAt: usize = SQUASH;
export const ratesAt: usize = RATES;
export const firstAt: usize = FIRST;
export const tablesEnd: usize = TABLES_END;

let markedAt: i32 = 0;

let low: u32 = 0;
let high: u32 = 0xffffffff;
let code: u32 = 0;
let io: usize = 0;
let ioEnd: usize = 0;

/** Forgets everything. The host has zeroed the slots and matches. */
export function reset(
  slotBits: i32,
  slotsAt: usize,
  matchBits: i32,
  matchesAt: usize,
  historyAt: usize,
  slotLogStart: usize,
  wordLogStart: usize,
): void {
  placeTables(slotBits, slotsAt, matchBits, matchesAt, historyAt, slotLogStart, wordLogStart);
  for (let map = 0; map < CONTEXTS + 2; map++)
    for (let state = 0; state < 256; state++)
      store<u32>(
        MAPS + ((<usize>(map * 256 + state)) << 2),
        (<u32>load<u16>(FIRST + ((<usize>state) << 1))) << 16,
      );
  for (let i: usize = 0; i < 256; i++) store<u32>(MATCH_MAPS + (i << 2), 0x80000000);
  memory.fill(ORDER_0, 0, 256 + 65536);
  for (let at = BY_BYTE; at < FINAL; at += 4) store<i32>(at, 24576);
  for (let at = FINAL; at < SMALL_END; at += 4) store<i32>(at, 32768);
  for (let context = 0; context < 65536; context++)
    for (let bucket = 0; bucket < 33; bucket++)
      store<u16>(
        CORRECTION + ((<usize>(context * 33 + bucket)) << 1),
        <u16>squash((bucket - 16) * 128),
      );
  goTo(0);
  startText();
}

/** From now on `rewind` comes back to this state. */
export function mark(): void {
  markTables();
  markedAt = position;
  startText();
}

export function rewind(): void {
  restoreTables();
  goTo(markedAt);
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

function nextInput(): u32 {
  return io < ioEnd ? <u32>load<u8>(io++) : 0;
}

function stretch(p16: u32): i32 {
  return <i32>load<i16>(STRETCH + ((<usize>(p16 >> 4)) << 1));
}

function clamp(x: i32): i32 {
  return x > 2047 ? 2047 : x < -2047 ? -2047 : x;
}

function squash(x: i32): i32 {
  return <i32>load<u16>(SQUASH + ((<usize>(clamp(x) + 2048)) << 1));
}

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

function learned(at: usize): u32 {
  return load<u32>(at) >>> 16;
}

/** Moves a probability towards the bit: fast at first, then by 1/128 of the way. */
function learn(at: usize, bit: u32): void {
  const entry = load<u32>(at);
  const count = entry & 0x3ff;
  const p = <i32>(entry >>> 10);
  const delta = (bit ? 4194303 : 0) - p;
  const moved = p + (((delta >> 4) * <i32>load<u32>(RATES + ((<usize>count) << 2))) >> 9);
  store<u32>(at, ((<u32>moved) << 10) | (count < 127 ? count + 1 : count));
}

function dot(weights: usize, x0: v128, x1: v128, x2: v128, x3: v128): i32 {
  const low = i32x4.add(
    i32x4.shr_s(i32x4.mul(x0, v128.load(weights)), 6),
    i32x4.shr_s(i32x4.mul(x1, v128.load(weights, 16)), 6),
  );
  const high = i32x4.add(
    i32x4.shr_s(i32x4.mul(x2, v128.load(weights, 32)), 6),
    i32x4.shr_s(i32x4.mul(x3, v128.load(weights, 48)), 6),
  );
  const sum = i32x4.add(low, high);
  return (
    (i32x4.extract_lane(sum, 0) +
      i32x4.extract_lane(sum, 1) +
      i32x4.extract_lane(sum, 2) +
      i32x4.extract_lane(sum, 3)) >>
    10
  );
}

function trainPart(weights: usize, x: v128, scale: v128): void {
  const step = i32x4.shr_s(i32x4.add(i32x4.mul(x, scale), i32x4.splat(1 << 17)), 18);
  const moved = i32x4.add(v128.load(weights), step);
  v128.store(
    weights,
    i32x4.min_s(i32x4.splat(1 << 19), i32x4.max_s(i32x4.splat(-(1 << 19)), moved)),
  );
}

function train(weights: usize, error: i32, x0: v128, x1: v128, x2: v128, x3: v128): void {
  const scale = i32x4.splat(error);
  trainPart(weights, x0, scale);
  trainPart(weights + 16, x1, scale);
  trainPart(weights + 32, x2, scale);
  trainPart(weights + 48, x3, scale);
}

function four(a: i32, b: i32, c: i32, d: i32): v128 {
  return i32x4.replace_lane(
    i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(a), 1, b), 2, c),
    3,
    d,
  );
}

function trainFinal(at: usize, input: i32, error: i32): void {
  const moved = load<i32>(at) + ((input * error + (1 << 17)) >> 18);
  store<i32>(at, min(1 << 19, max(-(1 << 19), moved)));
}

/** 0 for none, else 1 to 31: finer for short matches. */
function lengthClass(length: i32): i32 {
  if (length < 16) return length;
  return length < 32 ? 16 + ((length - 16) >> 2) : 20 + min((length - 32) >> 4, 11);
}

/** The next bit's address of a context's history, its value, and the probability learned for it. */
function mapOf(context: usize, state: u32): usize {
  return MAPS + (context << 10) + ((<usize>state) << 2);
}

function input(map: usize, state: u32): i32 {
  return select<i32>(stretch(learned(map)), 0, state != 0);
}

function advance(at: usize, state: u32, map: usize, bit: u32): void {
  learn(map, bit);
  store<u8>(at, load<u8>(NEXT + ((<usize>state) << 1) + bit));
}

/** What the match expects as input, with the strength learned for its length; 0 when it said something else. */
function matchInput(map: usize, holds: bool, expectedBit: u32): i32 {
  const strength = select<i32>(stretch(learned(map)), 0, holds);
  return select<i32>(strength, -strength, expectedBit != 0);
}

function codeByte(encoding: bool): void {
  hashContexts();
  const symbol: u32 = encoding ? <u32>load<u8>(history + position) : 0;
  const order1 = ORDER_1 + ((<usize>(last4 & 0xff)) << 8);
  // The expected byte with a leading one, so that it can be compared with a partial byte.
  const longByte: u32 = longLength > 0 ? (<u32>load<u8>(history + longAt)) | 256 : 0;
  const shortByte: u32 = shortLength > 0 ? (<u32>load<u8>(history + shortAt)) | 256 : 0;
  const longClass = lengthClass(longLength);
  const longMap = MATCH_MAPS + ((<usize>(longClass * 4 + min(longMisses, 3))) << 2);
  const shortMap =
    MATCH_MAPS + 512 + ((<usize>(lengthClass(shortLength) * 4 + min(shortMisses, 3))) << 2);
  const reach =
    longClass < 1 ? 0 : longClass < 12 ? 2 : longClass < 20 ? 3 : longClass < 31 ? 4 : 5;

  let partial: u32 = 1; // the bits so far after a leading one
  let n0: usize = 0,
    n1: usize = 0,
    n2: usize = 0,
    n3: usize = 0;
  let n4: usize = 0,
    n5: usize = 0,
    n6: usize = 0,
    n7: usize = 0;
  for (let index = 0; index < 8; index++) {
    if (index == 0 || index == 4) {
      const nibble: u32 = index == 0 ? 0 : partial;
      const s0 = slotHash(0, nibble);
      const s1 = slotHash(1, nibble);
      const s2 = slotHash(2, nibble);
      const s3 = slotHash(3, nibble);
      const s4 = slotHash(4, nibble);
      const s5 = slotHash(5, nibble);
      const s6 = slotHash(6, nibble);
      const s7 = slotHash(7, nibble);
      store<u32>(
        SINK,
        touch(s0) ^
          touch(s1) ^
          touch(s2) ^
          touch(s3) ^
          touch(s4) ^
          touch(s5) ^
          touch(s6) ^
          touch(s7),
      );
      n0 = findSlot(s0);
      n1 = findSlot(s1);
      n2 = findSlot(s2);
      n3 = findSlot(s3);
      n4 = findSlot(s4);
      n5 = findSlot(s5);
      n6 = findSlot(s6);
      n7 = findSlot(s7);
    }
    const low4 = <u32>(1 << (index & 3));
    const node = <usize>(index < 4 ? partial : low4 | (partial & (low4 - 1)));

    const t0 = n0 + node,
      h0 = <u32>load<u8>(t0),
      m0 = mapOf(0, h0);
    const t1 = n1 + node,
      h1 = <u32>load<u8>(t1),
      m1 = mapOf(1, h1);
    const t2 = n2 + node,
      h2 = <u32>load<u8>(t2),
      m2 = mapOf(2, h2);
    const t3 = n3 + node,
      h3 = <u32>load<u8>(t3),
      m3 = mapOf(3, h3);
    const t4 = n4 + node,
      h4 = <u32>load<u8>(t4),
      m4 = mapOf(4, h4);
    const t5 = n5 + node,
      h5 = <u32>load<u8>(t5),
      m5 = mapOf(5, h5);
    const t6 = n6 + node,
      h6 = <u32>load<u8>(t6),
      m6 = mapOf(6, h6);
    const t7 = n7 + node,
      h7 = <u32>load<u8>(t7),
      m7 = mapOf(7, h7);
    const t8 = ORDER_0 + <usize>partial,
      h8 = <u32>load<u8>(t8),
      m8 = mapOf(8, h8);
    const t9 = order1 + <usize>partial,
      h9 = <u32>load<u8>(t9),
      m9 = mapOf(9, h9);
    const seen =
      <i32>(h0 != 0) +
      <i32>(h1 != 0) +
      <i32>(h2 != 0) +
      <i32>(h3 != 0) +
      <i32>(h4 != 0) +
      <i32>(h5 != 0) +
      <i32>(h6 != 0) +
      <i32>(h7 != 0);

    const longHolds = longByte != 0 && longByte >> (8 - index) == partial;
    const longBit = longHolds ? (longByte >> (7 - index)) & 1 : 0;
    const shortHolds = shortByte != 0 && shortByte >> (8 - index) == partial;
    const shortBit = shortHolds ? (shortByte >> (7 - index)) & 1 : 0;
    const x0 = four(input(m0, h0), input(m1, h1), input(m2, h2), input(m3, h3));
    const x1 = four(input(m4, h4), input(m5, h5), input(m6, h6), input(m7, h7));
    const x2 = four(
      input(m8, h8),
      input(m9, h9),
      matchInput(longMap, longHolds, longBit),
      matchInput(shortMap, shortHolds, shortBit),
    );
    const x3 = i32x4(256, 0, 0, 0);

    const following = longHolds ? reach : shortHolds ? 1 : 0;
    const byByte = BY_BYTE + ((<usize>(last4 & 0xff)) << 6);
    const bySeen = BY_SEEN + ((<usize>((following * 9 + seen) * 8 + index)) << 6);
    const dByte = clamp(dot(byByte, x0, x1, x2, x3));
    const dSeen = clamp(dot(bySeen, x0, x1, x2, x3));
    const final = FINAL + ((<usize>partial) << 3);
    const dFinal = clamp(
      (((dByte * load<i32>(final)) >> 6) + ((dSeen * load<i32>(final, 4)) >> 6)) >> 10,
    );
    const mixed = squash(dFinal);

    const bucket = (dFinal + 2048) >> 7;
    const weight = (dFinal + 2048) & 127;
    const correction =
      CORRECTION + ((<usize>(<i32>(partial | ((last4 & 0xff) << 8)) * 33 + bucket)) << 1);
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
    train(byByte, (target - (squash(dByte) >> 4)) * 28, x0, x1, x2, x3);
    train(bySeen, (target - (squash(dSeen) >> 4)) * 28, x0, x1, x2, x3);
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
