/**
 * Where things lie in the one WebAssembly memory of a vector index: a scratch area per scanner, then
 * blocks of 1,024 slots, each holding its sign bits, scales, ordinals and rows. Slots are dense from 0.
 *
 * Sign bits of a block are contiguous, so that the first scan streams; rows are 384 bytes = six
 * aligned cache lines. 440 bytes a slot in all.
 */

import { EMBEDDING_DIMENSIONS } from "../../model/vector.ts";

export const DIMENSIONS = EMBEDDING_DIMENSIONS;
/** Bytes of the sign bits of one vector. */
export const SIGN_BYTES = DIMENSIONS / 8;
export const PAGE_BYTES = 65_536;

export const BLOCK_SLOTS = 1024;
/** Offsets within a block; its sign bits come first. */
export const SCALES_IN_BLOCK = BLOCK_SLOTS * SIGN_BYTES;
export const ORDINALS_IN_BLOCK = SCALES_IN_BLOCK + BLOCK_SLOTS * 4;
export const ROWS_IN_BLOCK = ORDINALS_IN_BLOCK + BLOCK_SLOTS * 4;
export const BLOCK_BYTES = ROWS_IN_BLOCK + BLOCK_SLOTS * DIMENSIONS;
/** What one vector takes. */
export const SLOT_BYTES = BLOCK_BYTES / BLOCK_SLOTS;

/** Most rows that the sign scan is asked for; ties come on top, up to the size of the buffer. */
export const MAX_CANDIDATES = 4096;
export const BUFFER_KEYS = 8192;
/** Most rows that are scored, and most hits. */
export const MAX_RESCORED = 2048;

/** Offsets within a scratch area. */
export const QUERY_SIGNS = 0;
export const QUERY_PLANES = 64;
export const QUERY_VALUES = 256;
export const FILTER_BITS = 1024;
/** Rows by Hamming distance. */
export const COUNTERS = 2048;
/** The near rows of one block. */
export const NEAR = COUNTERS + 2048;
export const KEYS = NEAR + 4096;
/** The candidates' Hamming distances; then their number by weighted distance; then the hits' ordinals. */
export const DISTANCES = KEYS + BUFFER_KEYS * 8;
/** The chosen slots. */
export const CHOSEN = DISTANCES + BUFFER_KEYS * 2;
/** Scores of the chosen slots; then the hits' scores. */
export const SCORES = CHOSEN + MAX_RESCORED * 4;
export const SCRATCH_BYTES = SCORES + MAX_RESCORED * 4;

/** A candidate's key is weighted distance << 52 | ordinal << 23 | slot: as many slots and ordinals as that holds. */
export const MAX_SLOTS = 2 ** 23;
export const MAX_ORDINALS = 2 ** 29;

export interface Layout {
  /** Where the scratch area of this scanner begins. */
  scratchAt: number;
  blocksAt: number;
}

/** `scanner` of `scanners` that share the memory; the owner is number 0. */
export function layoutOf(scanner: number, scanners: number): Layout {
  return { scratchAt: scanner * SCRATCH_BYTES, blocksAt: scanners * SCRATCH_BYTES };
}

export function blockAt(blocksAt: number, slot: number): number {
  return blocksAt + Math.floor(slot / BLOCK_SLOTS) * BLOCK_BYTES;
}

export function signsAt(blocksAt: number, slot: number): number {
  return blockAt(blocksAt, slot) + (slot % BLOCK_SLOTS) * SIGN_BYTES;
}

export function scaleAt(blocksAt: number, slot: number): number {
  return blockAt(blocksAt, slot) + SCALES_IN_BLOCK + (slot % BLOCK_SLOTS) * 4;
}

export function ordinalAt(blocksAt: number, slot: number): number {
  return blockAt(blocksAt, slot) + ORDINALS_IN_BLOCK + (slot % BLOCK_SLOTS) * 4;
}

export function rowAt(blocksAt: number, slot: number): number {
  return blockAt(blocksAt, slot) + ROWS_IN_BLOCK + (slot % BLOCK_SLOTS) * DIMENSIONS;
}

/** Bytes of a memory that holds `slots` vectors: of the last block up to its last row, since rows come last in it. */
export function bytesFor(blocksAt: number, slots: number): number {
  return slots === 0 ? blocksAt : rowAt(blocksAt, slots - 1) + DIMENSIONS;
}
