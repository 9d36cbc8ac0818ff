/** Vectors of many memories in one buffer: what programs compute with beside the search. */

import type { MemoryFilter } from "./query.ts";

export interface EmbeddingsQuery {
  /** Only these memories, in this order; those without a vector are left out. */
  ids?: string[];
  /** Only what the filter lets pass. */
  filter?: MemoryFilter;
  /** "float32" (default): 1,536 bytes each; "int8": codes and a scale as they are stored, 388 bytes each. */
  format?: "float32" | "int8";
}

/**
 * Row i belongs to `ids[i]`. The buffers are the receiver's: made for this call, held by nobody else,
 * transferred (not cloned) where they cross a worker, and free to be transferred on or written to.
 */
export type EmbeddingsBuffer = {
  ids: string[];
  /** Of the vectors: those of different models are never mixed. Null when there are none. */
  model: string | null;
  dimensions: number;
} & (
  | {
      format: "float32";
      /** Row-major [ids.length, dimensions]. */
      embeddings: Float32Array<ArrayBuffer>;
    }
  | {
      format: "int8";
      /** Row-major [ids.length, dimensions]: value ≈ code × scale of its row. */
      codes: Int8Array<ArrayBuffer>;
      scales: Float32Array<ArrayBuffer>;
    }
);
