/** UUIDv7 (RFC 9562 §5.7): time-ordered ids, so that rows sorted by id are nearly sorted by arrival. */

let lastMs = 0;
let counter = 0;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
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
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(0, Math.floor(lastMs / 2 ** 32));
  view.setUint32(2, lastMs >>> 0);
  view.setUint16(6, 0x7000 | counter);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let hex = "";
  for (const byte of bytes) hex += HEX[byte]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function isMemoryId(value: string): boolean {
  return PATTERN.test(value);
}
