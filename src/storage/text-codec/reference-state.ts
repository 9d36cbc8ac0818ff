/** The small state of the reference model, copied whole by `mark` and `rewind`, and its arithmetic. */

export const CONTEXTS = 8;
export const INPUTS = 16;

export const clamp = (x: number): number => (x > 2047 ? 2047 : x < -2047 ? -2047 : x);
export const bound = (w: number): number => Math.min(1 << 19, Math.max(-(1 << 19), w));

export function hash(value: number, salt: number): number {
  let h = Math.imul(value + Math.imul(salt, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 13)) >>> 0;
}

/** 0 for none, else 1 to 31: finer for short matches. */
export function lengthClass(length: number): number {
  if (length < 16) return length;
  return length < 32 ? 16 + ((length - 16) >> 2) : 20 + Math.min((length - 32) >> 4, 11);
}

/** What is copied whole by `mark` and `rewind`. */
export interface SmallState {
  /** (contexts + 2) × 256: probability << 10 | count. */
  maps: Uint32Array;
  /** 2 × 128, by length class and misses: that the match is right. */
  matchMaps: Uint32Array;
  /** Histories by partial byte, and by previous and partial byte. */
  order0: Uint8Array;
  order1: Uint8Array;
  byByte: Int32Array;
  bySeen: Int32Array;
  final: Int32Array;
}

export function copySmall(from: SmallState, to: SmallState): void {
  to.maps.set(from.maps);
  to.matchMaps.set(from.matchMaps);
  to.order0.set(from.order0);
  to.order1.set(from.order1);
  to.byByte.set(from.byByte);
  to.bySeen.set(from.bySeen);
  to.final.set(from.final);
}

export function emptySmall(): SmallState {
  return {
    maps: new Uint32Array((CONTEXTS + 2) * 256),
    matchMaps: new Uint32Array(2 * 128).fill(0x80000000),
    order0: new Uint8Array(256),
    order1: new Uint8Array(65536),
    byByte: new Int32Array(256 * INPUTS).fill(24576),
    bySeen: new Int32Array(432 * INPUTS).fill(24576),
    final: new Int32Array(256 * 2).fill(32768),
  };
}
