/** UUIDv7 (RFC 9562 §5.7): time-ordered ids, so that rows sorted by id are nearly sorted by arrival. */

import { writeHex } from "./hex.ts";

let lastMs = 0;
let counter = 0;

const HYPHENS = [8, 13, 18, 23];
/** Character codes of the id that is being made; the hyphens stand. */
const codes = Array.from({ length: 36 }, () => "-".charCodeAt(0));
/** Drawn for many ids at once: a call of the source of randomness costs more than an id. */
const randomBytes = new Uint8Array(4096);
let randomUsed = randomBytes.length;

/** The next random bytes, each given out once. */
function drawRandom(count: number): Uint8Array {
  if (randomUsed + count > randomBytes.length) {
    crypto.getRandomValues(randomBytes);
    randomUsed = 0;
  }
  randomUsed += count;
  return randomBytes.subarray(randomUsed - count, randomUsed);
}

/** A new id; strictly increasing within one process, also within one millisecond. */
export function createMemoryId(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    const [low, high] = drawRandom(2) as unknown as [number, number];
    counter = (low | (high << 8)) & 0x07ff;
  } else if (++counter > 0x0fff) {
    // 12 bits of counter are used up: borrow the next millisecond (RFC 9562 §6.2, method 1).
    lastMs += 1;
    counter = 0;
  }
  const bytes = drawRandom(16);
  let rest = lastMs;
  for (let i = 5; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  bytes[6] = 0x70 | (counter >>> 8);
  bytes[7] = counter;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (HYPHENS.includes(at)) at++;
    writeHex(bytes[i]!, codes, at);
    at += 2;
  }
  return String.fromCharCode(...codes);
}

const PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function isMemoryId(value: string): boolean {
  return PATTERN.test(value);
}
