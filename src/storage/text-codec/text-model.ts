/** The contract of the text models: text in, its code out, and back to a marked state. */

/** What one `encode` or `decode` may hold, in bytes: sizes the logs that `rewind` needs. */
export const MAX_PIECE_BYTES = 16 * 1024;
/** What a model may learn before it is marked, in bytes. */
export const MAX_PRIME_BYTES = 4 * 1024 * 1024;
/** The tables have 2^this slots of 16 bytes. */
export const MIN_SLOT_BITS = 16;
export const MAX_SLOT_BITS = 21;
export const MATCH_BITS = 18;

/** Slots for a text of this size: four per byte are enough, the rest would only cost memory. */
export function slotBitsFor(primeBytes: number): number {
  const wanted = Math.ceil(Math.log2(Math.max(1, primeBytes))) + 2;
  return Math.max(MIN_SLOT_BITS, Math.min(MAX_SLOT_BITS, wanted));
}

/** A model that learns while it codes. Two models with the same past give the same bytes. */
export interface TextModel {
  readonly name: "wasm-simd" | "reference";
  /** Bytes held. */
  readonly memoryBytes: number;
  /** Codes at most `MAX_PIECE_BYTES`; the text becomes part of the past. */
  encode(text: Uint8Array): Uint8Array;
  /** The `sizeBytes` bytes that were coded as `packed`. Any input decodes to something: check it. */
  decode(packed: Uint8Array, sizeBytes: number): Uint8Array;
  /** `rewind` comes back to here. After it one piece may be coded before the next `rewind`. */
  mark(): void;
  rewind(): void;
}
