/** A compressed text outside any store: what `compress` returns, what a `.llmc` file holds, what `decompress` takes. */

import type { CompressionMode, Entity, KeepLevel, QualityVector, Ratios } from "./memory.ts";

/** A compressed text outside any store; the content of a `.llmc` file. */
export interface CompressedMemory {
  version: 1;
  keep: Extract<KeepLevel, "exact" | "summary">;
  keepReason?: string;
  mode: CompressionMode;
  model: string;
  summary: string;
  entities: Entity[];
  quality: QualityVector;
  /** ZSTD frame that restores the exact UTF-8 text; null at keep level `summary`. */
  residual: Uint8Array | null;
  /** Restores the source's exact bytes where they are not the UTF-8 of the text; see `storage/envelope.ts`. */
  envelope?: Uint8Array;
  contentSha256: string;
  ratios: Ratios;
}

export interface DecompressResult {
  text: string;
  keep: Extract<KeepLevel, "exact" | "summary">;
  quality: QualityVector;
  /** True when `text` was written by the reconstructor and isn't the original. */
  reconstructed: boolean;
}
