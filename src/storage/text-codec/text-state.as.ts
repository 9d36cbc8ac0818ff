/**
 * Where the text model (`model.as.ts`) is in the text: the last bytes and words, and the two matches
 * that it follows.
 */

import { history, logWord, matchMask, matches } from "./memory.as";

export let position: i32 = 0;
export let last4: u32 = 0; // the last four bytes
export let last8: u32 = 0; // the four before
export let word0: u32 = 0; // hash of the word so far
export let word1: u32 = 0; // of the one before
export let word2: u32 = 0;
export let longAt: i32 = 0; // where the long match goes on
export let longLength: i32 = 0;
export let longMisses: i32 = 0;
export let shortAt: i32 = 0;
export let shortLength: i32 = 0;
export let shortMisses: i32 = 0;

/** What comes next has nothing before it. */
export function startText(): void {
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

export function goTo(place: i32): void {
  position = place;
}

export function hash(value: u32, salt: u32): u32 {
  let h = (value + salt * 0x9e3779b1) * 0x85ebca6b;
  h ^= h >>> 15;
  h *= 0xc2b2ae35;
  return h ^ (h >>> 13);
}

/** Takes in a byte: it is remembered where it was, and matches are followed or dropped. */
export function endByte(byte: u32, longByte: u32, shortByte: u32): void {
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
    const at = matches + ((<usize>(h & matchMask)) << 2);
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
